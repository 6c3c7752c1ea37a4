import { createNftServiceProxy } from '../../src/adapters/services/nft.ts';
import type { ServiceProxy, ServiceState, VirtualService } from '../../src/adapters/services/port.ts';
import { type Exec, exec } from '../../src/lib/exec.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { type NetworkActor, startNetworkActor } from './network-actors.ts';

/**
 * Two hosts and a machine outside on one switch, and three pods, all network namespaces: `a` and `b` on host `h1`, `c` on `h2`.
 * The hosts' packet filters are as Docker leaves them: FORWARD drops, and what goes to a pod past its bridge is dropped in
 * `raw` but for the trusted interface (Docker ≥ 28).
 */
export interface ServiceNetwork {
  readonly hosts: Readonly<Record<'h1' | 'h2', ServiceHost>>;
  readonly actors: Readonly<Record<'out' | 'h1' | 'h2' | 'a' | 'b' | 'c', NetworkActor>>;
  /** Runs a command in the namespace of a host, pod or `out`. */
  inside(name: string): Exec;
  /** To the proxies of both hosts: an endpoint is local where its address is. */
  apply(services: readonly VirtualService[]): Promise<void>;
  stop(): Promise<void>;
}

export interface ServiceHost {
  readonly frame: Omit<ServiceState, 'services'>;
  readonly proxy: ServiceProxy;
  readonly exec: Exec;
}

export const podAddresses = { a: '10.80.1.10', b: '10.80.1.11', c: '10.80.2.10' };
export const hostAddresses = { h1: '10.99.251.1', h2: '10.99.251.2', out: '10.99.251.9' };
const podHosts = { a: 'h1', b: 'h1', c: 'h2' } as const;
const names = ['h1', 'h2', 'out', 'a', 'b', 'c'] as const;

export async function startServiceNetwork(): Promise<ServiceNetwork> {
  const prefix = `fl-svc-${process.pid}`;
  const namespace = (name: string) => `${prefix}-${name}`;
  const inside =
    (name: string): Exec =>
    (argv, options) =>
      exec(['nsenter', `--net=/var/run/netns/${namespace(name)}`, ...argv], options);
  const ip = (name: string, lines: readonly string[]) =>
    inside(name)(['ip', '-batch', '-'], { stdin: `${lines.join('\n')}\n` });

  for (const name of [...names, 'sw']) await exec(['ip', 'netns', 'add', namespace(name)]);
  await ip('sw', ['link add sw type bridge', 'link set sw up']);
  for (const [name, address] of Object.entries(hostAddresses)) {
    await ip('sw', [
      `link add ${name} type veth peer name eth0 netns ${namespace(name)}`,
      `link set ${name} master sw up`,
    ]);
    await ip(name, ['link set lo up', `addr add ${address}/24 dev eth0`, 'link set eth0 up']);
  }
  await ip('out', [
    `route add 203.0.113.0/24 via ${hostAddresses.h1}`,
    `route add 10.96.0.0/16 via ${hostAddresses.h1}`,
  ]);
  for (const host of ['h1', 'h2'] as const) {
    const gateway = `10.80.${host.slice(1)}.1`;
    await ip(host, [
      'link add fl0 type bridge',
      `addr add ${gateway}/24 dev fl0`,
      'link set fl0 up',
      `route add default via ${hostAddresses.out}`,
    ]);
    await loadDockerRules(inside(host));
  }
  for (const [pod, host] of Object.entries(podHosts)) {
    await plugPod(pod as keyof typeof podHosts, host, ip, namespace);
    await inside(host)(
      `iptables -t raw -A PREROUTING -d ${podAddresses[pod as keyof typeof podHosts]} ! -i fl0 -j DROP`.split(' '),
    );
  }

  const hosts = { h1: createHost('h1', inside('h1')), h2: createHost('h2', inside('h2')) };
  await routePods('h2', hosts.h1);
  await routePods('h1', hosts.h2);
  const start = (name: (typeof names)[number]) => startNetworkActor(name, namespace(name));
  const actors = {
    out: start('out'),
    h1: start('h1'),
    h2: start('h2'),
    a: start('a'),
    b: start('b'),
    c: start('c'),
  };
  const applied = { h1: new Map<string, VirtualService>(), h2: new Map<string, VirtualService>() };

  return {
    hosts,
    actors,
    inside,
    apply: async (services) => {
      for (const host of ['h1', 'h2'] as const) {
        const { frame, proxy } = hosts[host];
        const isLocal = (address: string) => address.startsWith(frame.self.podCIDR.replace(/0\/24$/, ''));
        const former = applied[host];
        const next = services.map((service) => {
          const endpoints = service.endpoints.map((one) => ({ ...one, isLocal: isLocal(one.address) }));
          const local = { ...service, endpoints };
          const known = former.get(service.name);
          return JSON.stringify(known) === JSON.stringify(local) && known ? known : local;
        });
        applied[host] = new Map(next.map((service) => [service.name, service]));
        await proxy.apply({ ...frame, services: applied[host] });
      }
    },
    stop: async () => {
      await Promise.all(Object.values(actors).map((actor) => actor.stop()));
      for (const name of [...names, 'sw']) await exec(['ip', 'netns', 'del', namespace(name)]);
    },
  };
}

function createHost(name: 'h1' | 'h2', run: Exec): ServiceHost {
  const subnet = `10.80.${name.slice(1)}`;
  return {
    exec: run,
    frame: {
      podRange: '10.80.0.0/12',
      serviceRange: '10.96.0.0/16',
      self: { podCIDR: `${subnet}.0/24`, gateway: `${subnet}.1`, bridgeName: 'fl0' },
    },
    proxy: createNftServiceProxy({ exec: run, log: silentLogger }),
  };
}

async function plugPod(
  pod: keyof typeof podHosts,
  host: 'h1' | 'h2',
  ip: (name: string, lines: readonly string[]) => Promise<unknown>,
  namespace: (name: string) => string,
): Promise<void> {
  await ip(host, [
    `link add v${pod} type veth peer name eth0 netns ${namespace(pod)}`,
    `link set v${pod} master fl0 up`,
  ]);
  await ip(pod, [
    'link set lo up',
    `addr add ${podAddresses[pod]}/24 dev eth0`,
    'link set eth0 up',
    `route add default via 10.80.${host.slice(1)}.1`,
  ]);
}

/** What an overlay does on hosts that share a network. */
async function routePods(other: 'h1' | 'h2', { exec: run, frame }: ServiceHost): Promise<void> {
  const { podRange, self } = frame;
  const share = `10.80.${other.slice(1)}.0/24`;
  await run(['ip', 'route', 'add', share, 'via', hostAddresses[other], 'src', self.gateway]);
  await run(['iptables', '-w', '5', '-I', 'DOCKER-USER', '-s', podRange, '-d', podRange, '-j', 'ACCEPT']);
  const rule = `ip saddr ${self.podCIDR} ip daddr != ${podRange} oifname != "${self.bridgeName}" masquerade`;
  await run(['nft', '-f', '-'], {
    stdin: `table ip test_overlay { chain postrouting { type nat hook postrouting priority srcnat; ${rule}; }; }\n`,
  });
}

/** What Docker Engine puts there for a bridge of its own, with its FORWARD policy. */
async function loadDockerRules(run: Exec): Promise<void> {
  await run(['tee', '/proc/sys/net/ipv4/ip_forward'], { stdin: '1\n' });
  for (const rule of [
    '-P FORWARD DROP',
    '-N DOCKER-USER',
    '-A FORWARD -j DOCKER-USER',
    '-A FORWARD -o fl0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    '-A FORWARD -i fl0 ! -o fl0 -j ACCEPT',
    '-A FORWARD -i fl0 -o fl0 -j ACCEPT',
    '-t raw -A PREROUTING -i eth0 -d 10.80.0.0/12 -j ACCEPT',
  ]) {
    await run(['iptables', '-w', '5', ...rule.split(' ')]);
  }
}
