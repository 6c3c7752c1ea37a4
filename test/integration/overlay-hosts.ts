// Three hosts on a switch, each with a bridge, a pod on it and FORWARD DROP as Docker sets it; their overlays are the real ones.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKernelOverlay } from '../../src/adapters/overlay/kernel-overlay.ts';
import type { Overlay, OverlayFacts, OverlayPeer, OverlayState, OverlayWay } from '../../src/adapters/overlay/port.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { connectMachines, type Machine, startMachine } from './machines.ts';

export interface OverlayHost {
  readonly index: number;
  readonly name: string;
  /** On the network that its peers see, or behind the NAT. */
  address: string;
  readonly podCIDR: string;
  readonly podAddress: string;
  readonly machine: Machine;
  readonly pod: Machine;
  readonly directory: string;
  overlay: Overlay;
  facts: OverlayFacts;
  /** As applied last by `applyAll`. */
  peers: readonly OverlayPeer[];
  isBehindNat: boolean;
}

export interface OverlayHosts {
  readonly switch: Machine;
  readonly hosts: readonly OverlayHost[];
  /** One more, on a network of its own behind a router that masquerades. */
  addBehindNat(): Promise<{ readonly host: OverlayHost; readonly router: Machine }>;
  /** `way` for each pair: what each host is to make, and makes. */
  applyAll(way: (a: OverlayHost, b: OverlayHost) => OverlayWay): Promise<void>;
  /** For the overlays' clocks: so that nobody waits for what takes long. */
  passTime(ms: number): void;
  stop(): Promise<void>;
}

const network = '10.99.250';
export const vxlanPort = 8_472;
export const wireguardPort = 51_820;

export async function startOverlayHosts(count: number): Promise<OverlayHosts> {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-overlay-'));
  const sw = await startMachine();
  await sw.ip('link add sw type bridge', `addr add ${network}.254/24 dev sw`, 'link set sw up');
  const machines: Machine[] = [sw];
  let passedMs = 0;
  const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + passedMs };

  const plug = async (machine: Machine, name: string, address: string, port: string) => {
    await connectMachines(machine, name, sw, port);
    await sw.ip(`link set ${port} master sw up`);
    await machine.ip(`addr add ${address}/24 dev ${name}`, `link set ${name} up`);
  };
  const makeHost = async (index: number, address: string): Promise<OverlayHost> => {
    const [machine, pod] = await Promise.all([startMachine(), startMachine()]);
    machines.push(machine, pod);
    const gateway = `10.80.${index}.1`;
    await connectMachines(machine, 'vpod', pod, 'eth0');
    await machine.ip('link add fl0 type bridge', `addr add ${gateway}/24 dev fl0`, 'link set fl0 up');
    await machine.ip('link set vpod master fl0 up');
    await pod.ip(`addr add 10.80.${index}.2/24 dev eth0`, 'link set eth0 up', `route add default via ${gateway}`);
    await machine.exec(['iptables', '-P', 'FORWARD', 'DROP']);
    // As Docker has it: our chain is asked first.
    for (const rule of [
      ['-N', 'DOCKER-USER'],
      ['-I', 'FORWARD', '-j', 'DOCKER-USER'],
    ])
      await machine.exec(['iptables', ...rule]);
    const own = join(directory, `h${index + 1}`);
    const { exec, startOutliving } = machine;
    return {
      ...{ index, name: `h${index + 1}`, address, machine, pod, directory: own },
      podCIDR: `10.80.${index}.0/24`,
      podAddress: `10.80.${index}.2`,
      overlay: createKernelOverlay({ exec, log: silentLogger, directory: own, startOutliving, clock }),
      facts: {},
      peers: [],
      isBehindNat: false,
    };
  };
  const hosts = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const host = await makeHost(index, `${network}.${index + 1}`);
      await plug(host.machine, 'eth0', host.address, `p${index}`);
      return host;
    }),
  );
  return {
    switch: sw,
    hosts,
    async addBehindNat() {
      const index = hosts.length;
      const host = await makeHost(index, '192.168.77.2');
      const router = await startMachine();
      machines.push(router);
      await plug(router, 'wan', `${network}.${200 + index}`, `p${index}`);
      await connectMachines(router, 'lan', host.machine, 'eth0');
      await router.ip('addr add 192.168.77.1/24 dev lan', 'link set lan up');
      await host.machine.ip(
        'addr add 192.168.77.2/24 dev eth0',
        'link set eth0 up',
        'route add default via 192.168.77.1',
      );
      await router.exec(['tee', '/proc/sys/net/ipv4/ip_forward'], { stdin: '1\n' });
      await router.exec(['iptables', '-t', 'nat', '-A', 'POSTROUTING', '-o', 'wan', '-j', 'MASQUERADE']);
      // Nothing comes in that nobody inside has asked for.
      await router.exec([
        'iptables',
        '-A',
        'FORWARD',
        '-i',
        'wan',
        '-m',
        'conntrack',
        '--ctstate',
        'NEW',
        '-j',
        'DROP',
      ]);
      host.isBehindNat = true;
      hosts.push(host);
      return { host, router };
    },
    async applyAll(way) {
      const others = (host: OverlayHost) => hosts.filter((other) => other !== host);
      const ways = (host: OverlayHost) => new Set(others(host).map((other) => way(host, other)));
      // Devices first, as nodes publish what they have once it is there; meanwhile each pair keeps its way.
      await Promise.all(
        hosts.map(async (host) => {
          const kept = host.peers.map((peer) => peer.way);
          const next = new Set<OverlayWay>([...ways(host), ...kept]);
          host.facts = await host.overlay.apply(stateOf(host, host.peers, next));
        }),
      );
      await Promise.all(
        hosts.map(async (host) => {
          host.peers = others(host).map((other) => peerOf(host, other, way(host, other)));
          host.facts = await host.overlay.apply(stateOf(host, host.peers, ways(host)));
        }),
      );
    },
    passTime: (ms) => {
      passedMs += ms;
    },
    async stop() {
      await Promise.all(machines.map((machine) => machine.stop()));
      await rm(directory, { recursive: true });
    },
  };
}

export function stateOf(host: OverlayHost, peers: readonly OverlayPeer[], ways: ReadonlySet<OverlayWay>): OverlayState {
  const { podCIDR, address } = host;
  return {
    podRange: '10.80.0.0/12',
    self: { podCIDR, gateway: `10.80.${host.index}.1`, bridgeName: 'fl0', address },
    devices: {
      ...(ways.has('vxlan') ? { vxlan: { port: vxlanPort } } : {}),
      ...(ways.has('wireguard') ? { wireguard: { port: wireguardPort } } : {}),
    },
    peers,
  };
}

export function peerOf(own: OverlayHost, other: OverlayHost, way: OverlayWay): OverlayPeer {
  const identity = { nodeName: other.name, podCIDR: other.podCIDR };
  if (way !== 'wireguard') return { ...identity, way, nodeAddress: other.address };
  return {
    ...{ ...identity, way, publicKey: other.facts.wireguard?.publicKey ?? '' },
    ...(other.isBehindNat ? {} : { endpoint: `${other.address}:${wireguardPort}` }),
    ...(other.isBehindNat || own.isBehindNat ? { keepaliveSeconds: 25 } : {}),
  };
}

/** One packet there and back. */
export async function pings(from: Machine, address: string, waitSeconds = 2): Promise<boolean> {
  const argv = ['ping', '-n', '-q', '-c', '1', '-W', String(waitSeconds), address];
  return (await from.exec(argv, { okCodes: [0, 1] })).code === 0;
}

/** As `pings`, until it does or five seconds are over. */
export async function comesToPing(from: Machine, address: string): Promise<boolean> {
  for (const start = performance.now(); performance.now() - start < 5_000; ) {
    if (await pings(from, address)) return true;
    await systemClock.sleep(50);
  }
  return false;
}

/** What a TCP server in the pod that repeats what it hears (`startEcho`) answers. */
export async function echo(from: Machine, address: string, text: string): Promise<string> {
  const { stdout } = await from.exec(['busybox', 'nc', '-w', '3', address, '5000'], { stdin: text, okCodes: [0, 1] });
  return stdout;
}

export function startEcho(pod: Machine): void {
  pod.spawn(['busybox', 'nc', '-ll', '-p', '5000', '-e', 'cat']);
}
