import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { serviceProxyContract } from '../../src/adapters/services/contract.ts';
import { createNftServiceProxy } from '../../src/adapters/services/nft.ts';
import type { VirtualService } from '../../src/adapters/services/port.ts';
import type { Exec } from '../../src/lib/exec.ts';
import { silentLogger } from '../../src/lib/log.ts';
import type { Call, NetworkActor } from './network-actors.ts';
import { hostAddresses, podAddresses, type ServiceNetwork, startServiceNetwork } from './service-network.ts';
import { until } from './until.ts';

const { a, b, c } = podAddresses;
const vip = '10.96.0.10';
const external = '203.0.113.5';
const nodePort = 30080;

function service(endpoints: readonly string[], rest: Partial<VirtualService> = {}): VirtualService {
  return {
    name: 'shop/web:http',
    port: { protocol: 'TCP', number: 80 },
    clusterIPs: [vip],
    externalIPs: [],
    internalTrafficPolicy: 'Cluster',
    externalTrafficPolicy: 'Cluster',
    ...rest,
    endpoints: endpoints.map((address) => ({ address, port: 8080, isLocal: false })),
  };
}

function withoutPort({ port: _, ...rest }: VirtualService): VirtualService {
  return { ...rest, endpoints: rest.endpoints.map(({ address, isLocal }) => ({ address, isLocal })) };
}

describe('service addresses on the kernel', () => {
  let network: ServiceNetwork;
  before(async () => {
    network = await startServiceNetwork();
    await Promise.all([network.actors.a, network.actors.b, network.actors.c].map((pod) => pod.serve(8080)));
  });
  after(() => network.stop());

  const callers = (...names: (keyof ServiceNetwork['actors'])[]) =>
    names.map((name) => [name, network.actors[name]] as const);
  /** Who answers, each once, in order. Enough calls that one of three is not missed by chance: (2/3)^40. */
  const takers = async (from: NetworkActor, call: Call) =>
    [...new Set((await from.call({ count: 40, ...call })).map((answer) => answer.split(' ')[0]))].sort();
  const answer = async (from: NetworkActor, call: Call) => (await from.call(call))[0] ?? '';
  const nft = async (...argv: string[]) => (await network.hosts.h1.exec(['nft', ...argv])).stdout;

  describe('as every proxy', () => {
    serviceProxyContract('nft', async () => {
      const { exec } = network.hosts.h1;
      let isBroken = false;
      const breaking: Exec = (argv, options) => {
        const breaks = isBroken && argv[0] === 'nft' && argv[1] === '-f';
        if (!breaks) return exec(argv, options);
        isBroken = false;
        return exec(argv, { ...options, stdin: `${options?.stdin}add element ip nowhere x { 1 }\n` });
      };
      return {
        proxy: createNftServiceProxy({ exec: breaking, log: silentLogger }),
        takers: (address, port) => readTakers(exec, address, port),
        breakOnce: () => {
          isBroken = true;
        },
        takeAway: async () => {
          await exec(['nft', 'delete', 'table', 'ip', 'flotilla_services']);
        },
      };
    });
  });

  describe('a service address', () => {
    test('pods and hosts reach every endpoint, itself and the neighbour too, and see the address as their peer', async () => {
      await network.apply([service([a, b, c])]);
      for (const [name, actor] of callers('a', 'b', 'c', 'h1', 'h2')) {
        const answers = await actor.call({ host: vip, port: 80, count: 40 });
        assert.deepEqual([...new Set(answers.map((one) => one.split(' ')[0]))].sort(), ['a', 'b', 'c'], name);
        assert.ok(
          answers.every((one) => one.endsWith(` ${vip}`)),
          answers.join(),
        );
      }
    });

    test('endpoints see the pod that calls; a host is its gateway', async () => {
      await network.apply([service([c])]);
      assert.equal(await answer(network.actors.a, { host: vip, port: 80 }), `c ${a} ${vip}`);
      assert.equal(await answer(network.actors.h1, { host: vip, port: 80 }), `c 10.80.1.1 ${vip}`);
      await network.apply([service([b])]);
      assert.equal(await answer(network.actors.a, { host: vip, port: 80 }), `b ${a} ${vip}`);
    });

    test('UDP, several ports of one service, and one port of both protocols', async () => {
      const { actors } = network;
      await actors.b.serve(9090);
      await network.apply([
        service([a]),
        { ...service([b], { name: 'shop/web:admin', port: { protocol: 'TCP', number: 81 } }) },
        { ...service([c], { name: 'shop/web:udp', port: { protocol: 'UDP', number: 80 } }) },
      ]);
      for (const [name, actor] of callers('a', 'b', 'c', 'h1', 'h2')) {
        assert.match(await answer(actor, { host: vip, port: 80 }), /^a /, name);
        assert.match(await answer(actor, { host: vip, port: 81 }), /^b /, name);
        assert.match(await answer(actor, { host: vip, port: 80, protocol: 'UDP' }), /^c /, name);
      }
    });

    test('an address or a port that nobody has, and a service without endpoints, are refused at once', async () => {
      await network.apply([
        service([]),
        service([a], { name: 'shop/db:sql', clusterIPs: ['10.96.0.11'] }),
        service([], { name: 'shop/none:x', clusterIPs: [], externalIPs: [external], nodePort: 30099 }),
      ]);
      for (const [name, actor] of callers('a', 'c', 'h1', 'h2', 'out')) {
        for (const [host, port] of [
          [vip, 80],
          ['10.96.77.7', 80],
          ['10.96.0.11', 9],
          [external, 80],
          [hostAddresses.h1, 30099],
        ] as const) {
          if (name === 'out' && host !== external && host !== hostAddresses.h1) continue;
          assert.equal(await answer(actor, { host, port }), 'ECONNREFUSED', `${name} ${host}:${port}`);
          if (!host.startsWith('10.96.')) continue;
          assert.equal(await answer(actor, { host, port, protocol: 'UDP' }), 'ECONNREFUSED', `${name} ${host} UDP`);
        }
      }
      await network.apply([service([c])]);
      assert.match(await answer(network.actors.a, { host: vip, port: 80 }), /^c /);
    });

    test('all ports: any port, any protocol, a ping', async () => {
      const all = withoutPort(service([b, c], { name: 'shop/all:' }));
      await network.apply([all]);
      for (const [name, actor] of callers('a', 'b', 'c', 'h1', 'h2')) {
        assert.deepEqual(await takers(actor, { host: vip, port: 8080 }), ['b', 'c'], name);
        assert.deepEqual(await takers(actor, { host: vip, port: 8080, protocol: 'UDP' }), ['b', 'c'], name);
      }
      assert.equal(await answer(network.actors.a, { host: vip, port: 7 }), 'ECONNREFUSED');
      await network.inside('a')(['busybox', 'ping', '-c', '1', '-W', '2', vip]);
      // One that goes on is not left with an endpoint that goes.
      const echoes = async () =>
        (await network.hosts.h1.exec(['conntrack', '-L', '-p', 'icmp', '--orig-dst', vip])).stdout.match(/type=8/g)
          ?.length;
      assert.equal(await echoes(), 1);
      await network.apply([withoutPort(service([a], { name: 'shop/all:' }))]);
      assert.equal(await echoes(), undefined);
      await network.apply([all]);
      // A port that has a service of its own on the same address is that one's.
      await network.apply([all, service([a])]);
      assert.deepEqual(await takers(network.actors.c, { host: vip, port: 80 }), ['a']);
    });

    test('endpoints of this node alone, and none on this node', async () => {
      await network.apply([service([a, b, c], { internalTrafficPolicy: 'Local' })]);
      for (const [name, actor] of callers('a', 'h1')) {
        assert.deepEqual(await takers(actor, { host: vip, port: 80 }), ['a', 'b'], name);
      }
      for (const [name, actor] of callers('c', 'h2')) {
        assert.deepEqual(await takers(actor, { host: vip, port: 80 }), ['c'], name);
      }
      await network.apply([service([c], { internalTrafficPolicy: 'Local' })]);
      assert.equal(await answer(network.actors.a, { host: vip, port: 80 }), 'ECONNREFUSED');
    });

    test('an endpoint that is no pod', async () => {
      await network.actors.out.serve(8080);
      await network.apply([service([hostAddresses.out])]);
      for (const [name, actor] of callers('a', 'c', 'h1', 'h2')) {
        assert.match(await answer(actor, { host: vip, port: 80 }), /^out 10\.99\.251\.[12] /, name);
      }
    });
  });

  describe('from outside', () => {
    const web = (endpoints: readonly string[], rest: Partial<VirtualService> = {}) =>
      service(endpoints, { nodePort, externalIPs: [external], ...rest });

    test('node ports of every node lead to every endpoint, whoever calls', async () => {
      await network.apply([web([a, b, c])]);
      for (const [name, actor] of callers('out', 'a', 'c', 'h1', 'h2')) {
        for (const host of [hostAddresses.h1, hostAddresses.h2]) {
          assert.deepEqual(await takers(actor, { host, port: nodePort }), ['a', 'b', 'c'], `${name} to ${host}`);
        }
      }
      assert.equal(await answer(network.actors.h1, { host: '127.0.0.1', port: nodePort }), 'ECONNREFUSED');
    });

    test('external addresses are taken by the node that they are routed to', async () => {
      await network.apply([web([a, b, c])]);
      for (const [name, actor] of callers('out', 'a', 'c', 'h1', 'h2')) {
        assert.deepEqual(await takers(actor, { host: external, port: 80 }), ['a', 'b', 'c'], name);
      }
    });

    test('UDP to a node port', async () => {
      await network.apply([web([c], { port: { protocol: 'UDP', number: 80 } })]);
      assert.match(
        await answer(network.actors.out, { host: hostAddresses.h1, port: nodePort, protocol: 'UDP' }),
        /^c 10\.80\.1\.1 /,
      );
    });

    test('policy Local: only endpoints of this node, which see the client; without one there is no answer', async () => {
      await network.apply([web([a, c], { externalTrafficPolicy: 'Local' })]);
      const { out } = network.actors;
      const client = hostAddresses.out;
      assert.deepEqual(
        new Set(await out.call({ host: hostAddresses.h1, port: nodePort, count: 20 })),
        new Set([`a ${client} ${hostAddresses.h1}`]),
      );
      assert.deepEqual(
        new Set(await out.call({ host: external, port: 80, count: 20 })),
        new Set([`a ${client} ${external}`]),
      );
      assert.match(await answer(out, { host: hostAddresses.h2, port: nodePort }), /^c /);
      // Pods and the host itself are not outside.
      assert.deepEqual(await takers(network.actors.b, { host: external, port: 80 }), ['a', 'c']);
      assert.deepEqual(await takers(network.actors.h1, { host: hostAddresses.h1, port: nodePort }), ['a', 'c']);
      await network.apply([web([c], { externalTrafficPolicy: 'Local' })]);
      assert.equal(await answer(out, { host: hostAddresses.h1, port: nodePort, timeoutMs: 400 }), 'TIMEOUT');
      assert.equal(await answer(out, { host: external, port: 80, timeoutMs: 400 }), 'TIMEOUT');
      assert.match(await answer(network.actors.a, { host: external, port: 80 }), /^c /);
    });

    test('allowed sources', async () => {
      const { out, a: pod } = network.actors;
      await network.apply([web([c], { allowedSources: ['198.51.100.0/24', '198.51.100.64/26', '10.80.0.0/12'] })]);
      assert.equal(await answer(out, { host: external, port: 80, timeoutMs: 400 }), 'TIMEOUT');
      assert.match(await answer(pod, { host: external, port: 80 }), /^c /);
      assert.match(await answer(out, { host: hostAddresses.h1, port: nodePort }), /^c /);
      await network.apply([web([c], { allowedSources: ['198.51.100.0/24', `${hostAddresses.out}/32`] })]);
      assert.match(await answer(out, { host: external, port: 80 }), /^c /);
      assert.equal(await answer(pod, { host: external, port: 80, timeoutMs: 400 }), 'TIMEOUT');
      await network.apply([web([c])]);
      assert.match(await answer(pod, { host: external, port: 80 }), /^c /);
    });
  });

  describe('clients that stay', () => {
    for (const [name, front] of [
      ['a service address', { host: vip, port: 80 }],
      ['UDP', { host: vip, port: 80, protocol: 'UDP' }],
      ['a node port', { host: hostAddresses.h1, port: nodePort }],
      ['all ports', { host: vip, port: 8080 }],
    ] as const) {
      test(`with their endpoint, until it goes: ${name}`, async () => {
        const protocol = 'protocol' in front ? front.protocol : 'TCP';
        const sticky = (endpoints: readonly string[]) => {
          const one = service(endpoints, { affinitySeconds: 300, port: { protocol, number: 80 }, nodePort });
          return name === 'all ports' ? withoutPort(one) : one;
        };
        await network.apply([sticky([a, b, c])]);
        for (const [caller, actor] of callers('h1', 'a')) {
          const [taker = '', ...others] = await takers(actor, front);
          assert.deepEqual(others, [], caller);
          const left = { a, b, c, [taker]: undefined };
          const rest = Object.values(left).filter((address) => address !== undefined);
          await network.apply([sticky(rest)]);
          const next = await takers(actor, front);
          assert.equal(next.length, 1, `${caller}: ${next}`);
          assert.notEqual(next[0], taker);
          await network.apply([sticky([...rest, ...[a, b, c].filter((address) => !rest.includes(address))])]);
          assert.deepEqual(await takers(actor, front), next, `${caller}: the one that came back takes nobody away`);
        }
      });
    }

    test('until the time is over', async () => {
      const sticky = service([a, b, c], { affinitySeconds: 1 });
      await network.apply([sticky]);
      const { c: pod } = network.actors;
      const listing = async () =>
        (await network.hosts.h2.exec(['nft', 'list', 'table', 'ip', 'flotilla_services'])).stdout;
      assert.equal((await takers(pod, { host: vip, port: 80 })).length, 1);
      const seen = new Set<string | undefined>();
      await until('the client is forgotten and picks another endpoint', async () => {
        await until('the kernel forgets the client', async () => !/expires/.test(await listing()));
        seen.add((await answer(pod, { host: vip, port: 80 })).split(' ')[0]);
        return seen.size > 1;
      });
      await network.apply([service([a, b, c])]);
      assert.deepEqual(await takers(pod, { host: vip, port: 80 }), ['a', 'b', 'c']);
      await network.apply([]);
      assert.doesNotMatch(await listing(), /chain s\d|set s\d/);
    });
  });

  describe('changes', () => {
    test('no connection fails while its service is rewritten, and while 500 others come and go', async () => {
      const { actors } = network;
      await network.apply([service([a, b, c])]);
      const { a: pod, h2, out } = actors;
      await pod.startTraffic({ host: vip, port: 80 });
      await h2.startTraffic({ host: vip, port: 80 });
      const sets = [[a, b], [c], [b, c], [a, b, c], [c, a], [a]];
      for (let round = 0; round < 24; round++) {
        await network.apply([service(sets[round % sets.length] ?? [], round % 3 ? {} : { affinitySeconds: 60 })]);
      }
      const others = Array.from({ length: 500 }, (_, index) =>
        service([a, b, c], {
          name: `other/s${index}:http`,
          clusterIPs: [`10.96.${1 + (index >> 8)}.${index & 255}`],
          nodePort: 31_000 + index,
        }),
      );
      const own = service([a, b, c]);
      for (let step = 50; step <= 500; step += 50) await network.apply([own, ...others.slice(0, step)]);
      assert.deepEqual(await takers(out, { host: hostAddresses.h1, port: 31_499 }), ['a', 'b', 'c']);
      for (let step = 50; step <= 500; step += 50) await network.apply([own, ...others.slice(step)]);
      for (const actor of [pod, h2]) {
        const { calls, failures } = await actor.stopTraffic();
        assert.deepEqual(failures, []);
        assert.ok(calls > 200, `${calls} calls`);
      }
      await network.apply([]);
      await network.apply([]); // what packets on their way might still have needed goes with the next change
      const left = await nft('list', 'table', 'ip', 'flotilla_services');
      assert.doesNotMatch(left, /8080|10\.96\.\d+\.\d+ \./);
    });

    test('UDP: a flow leaves the endpoint that went, and finds the first that comes', async () => {
      const dns = { port: { protocol: 'UDP', number: 53 }, nodePort, externalIPs: [external] } as const;
      const { a: pod, out } = network.actors;
      const calls = [
        [pod, { host: vip, port: 53, protocol: 'UDP', localPort: 5301 }],
        [out, { host: hostAddresses.h1, port: nodePort, protocol: 'UDP', localPort: 5302 }],
        [out, { host: external, port: 53, protocol: 'UDP', localPort: 5303 }],
      ] as const;
      for (const endpoint of [b, c]) {
        await network.apply([service([endpoint], dns)]);
        const who = endpoint === b ? /^b / : /^c /;
        for (const [from, call] of calls) assert.match(await answer(from, call), who, JSON.stringify(call));
      }
      // Who stays keeps its flow.
      await network.apply([service([a, c], dns)]);
      for (const [from, call] of calls) assert.match(await answer(from, call), /^c /);
      await network.apply([service([], dns)]);
      for (const [from, call] of calls) assert.doesNotMatch(await answer(from, { ...call, timeoutMs: 100 }), /^\w /);
      await network.apply([service([b], dns)]);
      for (const [from, call] of calls) assert.match(await answer(from, call), /^b /, JSON.stringify(call));
      // An address that no proxy knew yet: the flow was let through, to nobody.
      const late = { host: '203.0.113.77', port: 53, protocol: 'UDP', localPort: 5304 } as const;
      assert.equal(await answer(out, { ...late, timeoutMs: 100 }), 'TIMEOUT');
      await network.apply([service([b], { ...dns, externalIPs: [external, late.host] })]);
      assert.match(await answer(out, late), /^b /);
    });

    test('without conntrack(8) a change is made all the same, and it is said what is missing', async () => {
      const { exec, frame } = network.hosts.h1;
      const without: Exec = (argv, options) =>
        exec(argv[0] === 'conntrack' ? ['/nowhere/conntrack', ...argv.slice(1)] : argv, options);
      const said: string[] = [];
      const log = {
        ...silentLogger,
        warn: (message: string, fields?: object) => said.push(`${message} ${JSON.stringify(fields)}`),
      };
      const proxy = createNftServiceProxy({ exec: without, log });
      const udp = (endpoint: string) =>
        new Map([['u', service([endpoint], { port: { protocol: 'UDP', number: 53 } })]]);
      await proxy.apply({ ...frame, services: udp(a) });
      await proxy.apply({ ...frame, services: udp(b) });
      assert.match(await answer(network.actors.a, { host: vip, port: 53, protocol: 'UDP' }), /^b /);
      assert.equal(said.length, 1, said.join('\n'));
      assert.match(said[0] ?? '', /UDP flows may stay.*install conntrack/);
      await proxy.cleanup();
      assert.equal(await network.hosts.h1.proxy.hasDrifted(), true);
    });
  });

  describe('others on the host', () => {
    test('what somebody takes away is noticed and mended: rules, table, route, bridge, a port, a setting', async () => {
      const { exec, proxy } = network.hosts.h1;
      const desired = [
        service([a, b, c]),
        service([b], { name: 'shop/db:sql', port: { protocol: 'TCP', number: 81 } }),
      ];
      await network.apply(desired);
      const pod = network.actors.a;
      const connection = pod.startTraffic({ host: vip, port: 80 });
      await connection;
      assert.deepEqual((await pod.stopTraffic()).failures, []);
      for (const [what, ...commands] of [
        ['the ruleset', 'nft flush ruleset'],
        ['the rules alone', 'nft flush table ip flotilla_services'],
        ['a chain', 'nft flush chain ip flotilla_services prerouting'],
        ['the route', 'ip route del 10.96.0.0/16'],
        ['the accept', 'iptables -F DOCKER-USER'],
        ['a port', 'bridge link set dev va hairpin off'],
        ['a setting', 'tee /proc/sys/net/bridge/bridge-nf-call-iptables'],
        [
          'the bridge',
          'ip link del fl0',
          'ip link add fl0 type bridge',
          'ip addr add 10.80.1.1/24 dev fl0',
          'ip link set fl0 up',
          'ip link set va master fl0',
          'ip link set vb master fl0',
          'ip route replace 10.80.2.0/24 via 10.99.251.2 src 10.80.1.1',
        ],
      ] as const) {
        assert.equal(await proxy.hasDrifted(), false, `before ${what}`);
        for (const command of commands) await exec(command.split(' '), { stdin: '0\n' });
        await until(`${what}: noticed`, () => proxy.hasDrifted()); // rules are counted only now and then
        await network.apply(desired);
        assert.deepEqual(await takers(pod, { host: vip, port: 80 }), ['a', 'b', 'c'], what);
      }
    });

    test('a port that comes later is wired when asked for, and is no drift', async () => {
      const { exec, proxy } = network.hosts.h1;
      await network.apply([service([a])]);
      await exec(['ip', 'link', 'set', 'va', 'nomaster']);
      await exec(['ip', 'link', 'set', 'va', 'master', 'fl0']);
      await exec(['bridge', 'link', 'set', 'dev', 'va', 'hairpin', 'off']);
      await proxy.wirePorts();
      await proxy.wirePorts();
      assert.equal(await proxy.hasDrifted(), false);
      assert.equal(await answer(network.actors.a, { host: vip, port: 80 }), `a 10.80.1.1 ${vip}`);
    });

    test('connections live through loading everything anew', async () => {
      const { frame, exec, proxy } = network.hosts.h1;
      const services = new Map([['shop/web:http', service([c])]]);
      await network.apply([service([c])]);
      const { a: pod } = network.actors;
      await pod.hold({ host: vip, port: 80 });
      for (let round = 0; round < 3; round++) {
        await createNftServiceProxy({ exec, log: silentLogger }).apply({ ...frame, services });
        assert.match(await pod.askHeld(), /^c /);
        assert.match(await answer(pod, { host: vip, port: 80 }), /^c /);
      }
      await createNftServiceProxy({ exec, log: silentLogger }).apply({ ...frame, services: new Map() });
      assert.match(await pod.askHeld(), /^c /, 'through an endpoint that was withdrawn');
      assert.equal(await answer(pod, { host: vip, port: 80 }), 'ECONNREFUSED');
      assert.equal(await proxy.hasDrifted(), true);
    });

    test('clean-up leaves what is of others, and nothing of ours', async () => {
      const { exec, proxy } = network.hosts.h1;
      await exec(['nft', '-f', '-'], { stdin: 'table ip foreign { chain c { }; }\n' });
      await network.apply([service([a], { affinitySeconds: 9 })]);
      await proxy.cleanup();
      const tables = await nft('list', 'tables');
      assert.match(tables, /foreign/);
      assert.doesNotMatch(tables, /flotilla_services/);
      assert.doesNotMatch((await exec(['iptables', '-S', 'DOCKER-USER'])).stdout, /flotilla services/);
      assert.doesNotMatch((await exec(['ip', 'route'])).stdout, /10\.96\.0\.0/);
    });
  });
});

async function readTakers(
  exec: Exec,
  address: string,
  port?: { readonly protocol: 'TCP' | 'UDP'; readonly number: number },
): Promise<string[]> {
  const list = async (map: string) => {
    const { stdout } = await exec(['nft', 'list', 'map', 'ip', 'flotilla_services', map], { okCodes: [0, 1] });
    const body = /elements = \{([^}]*)\}/.exec(stdout)?.[1] ?? '';
    return new Map(body.split(',').map((one) => one.trim().split(' : ') as [string, string]));
  };
  const protocol = port?.protocol.toLowerCase();
  const verdict = (await list(port ? 'vip' : 'any')).get(port ? `${address} . ${protocol} . ${port.number}` : address);
  const count = Number(/_(\d+)$/.exec(verdict ?? '')?.[1] ?? 0);
  const endpoints = await list(port ? `vip_${protocol}_endpoints` : 'any_endpoints');
  const key = port ? `${address} . ${port.number}` : address;
  const taken = Array.from({ length: count }, (_, index) => endpoints.get(`${key} . ${index}`) ?? 'a missing endpoint');
  return taken.map((endpoint) => endpoint.replace(' . ', ':')).sort();
}
