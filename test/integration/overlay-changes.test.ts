import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { vxlanDevice, wireguardDevice } from '../../src/adapters/overlay/devices.ts';
import { lingerMs } from '../../src/adapters/overlay/linger.ts';
import type { OverlayWay } from '../../src/adapters/overlay/port.ts';
import {
  comesToPing,
  echo,
  type OverlayHost,
  type OverlayHosts,
  peerOf,
  pings,
  startEcho,
  startOverlayHosts,
  stateOf,
} from './overlay-hosts.ts';
import { until } from './until.ts';

describe('an overlay that changes', { timeout: 300_000 }, () => {
  let world: OverlayHosts;
  const host = (index: number): OverlayHost => {
    const found = world.hosts[index];
    assert.ok(found);
    return found;
  };
  const all = (way: OverlayWay) => world.applyAll(() => way);
  const applyOn = (one: OverlayHost, others: readonly OverlayHost[], way: OverlayWay) => {
    const ways = new Set<OverlayWay>([way]);
    return one.overlay.apply(
      stateOf(
        one,
        others.map((other) => peerOf(one, other, way)),
        ways,
      ),
    );
  };

  before(async () => {
    world = await startOverlayHosts(3);
    for (const { pod } of world.hosts) startEcho(pod);
  });
  after(() => world.stop());

  test('pods behind Docker 28 are reached: its rules for trusted interfaces name our devices', async () => {
    const { machine, podAddress } = host(1);
    // What Engine 28.2 loads for each address of a network: by `com.docker.network.bridge.trusted_host_interfaces`.
    const raw = (verb: string, ...rule: string[]) =>
      machine.exec(['iptables', '-t', 'raw', verb, 'PREROUTING', '-d', `${podAddress}/32`, ...rule]);
    await raw('-A', '!', '-i', 'fl0', '-j', 'DROP');
    for (const [way, device] of [
      ['route', 'eth0'],
      ['vxlan', vxlanDevice],
      ['wireguard', wireguardDevice],
    ] as const) {
      await all(way);
      assert.equal(await pings(host(0).pod, podAddress, 1), false, `${way}: the rule is there`);
      await raw('-I', '-i', device, '-j', 'ACCEPT');
      assert.ok(await pings(host(0).pod, podAddress), `${way} comes in by ${device}`);
      await raw('-D', '-i', device, '-j', 'ACCEPT');
    }
    await raw('-D', '!', '-i', 'fl0', '-j', 'DROP');
  });

  test('a new way is taken without losing a packet, whoever hears of it first', async () => {
    await all('route');
    for (const way of ['vxlan', 'wireguard', 'vxlan', 'route', 'wireguard', 'route'] as const) {
      const stream = startPing(host(0), host(1).podAddress);
      await stream.answered(5);
      await all(way);
      const from = stream.count();
      await stream.answered(from + 20);
      assert.deepEqual(await stream.end(), [], `lost on the way to ${way}`);
    }
  });

  test('what a former way needed goes, after the others have heard', async () => {
    const { machine, overlay } = host(0);
    await all('wireguard');
    await all('route');
    const links = async () => (await machine.exec(['ip', 'link'])).stdout;
    assert.match(await links(), /flwg/, 'the others may still send by it');
    assert.equal(await overlay.hasDrifted(), false);
    world.passTime(lingerMs + 1);
    assert.equal(await overlay.hasDrifted(), true);
    await all('route');
    assert.doesNotMatch(await links(), /flwg|flvx/);
    assert.equal(await overlay.hasDrifted(), false);
    assert.equal((await machine.exec(['pgrep', 'wireguard-go'], { okCodes: [0, 1] })).stdout, '', 'its program ends');
  });

  for (const way of ['route', 'vxlan', 'wireguard'] as const) {
    test(`${way}: a node that leaves is forgotten at once; one that returns is reached again`, async () => {
      const [a, b, c] = [host(0), host(1), host(2)];
      await all(way);
      await applyOn(a, [b], way);
      assert.equal(await pings(a.pod, c.podAddress), false);
      assert.ok(await pings(a.pod, b.podAddress));
      const left = await Promise.all(
        [
          ['ip', 'route', 'show', 'proto', '81'],
          ['ip', 'neigh', 'show', 'nud', 'permanent'],
          ['bridge', 'fdb', 'show', 'dev', way === 'vxlan' ? vxlanDevice : 'eth0'],
          ['wg', 'show', 'all', 'dump'],
        ].map(async (argv) => (await a.machine.exec(argv)).stdout),
      );
      assert.doesNotMatch(left.join('\n'), /10\.80\.2\.|10\.99\.250\.3/);
      await all(way);
      assert.ok(await comesToPing(a.pod, c.podAddress));
    });

    test(`${way}: a node with another address is found there`, async () => {
      const [a, c] = [host(0), host(2)];
      await all(way);
      const address = c.address === '10.99.250.3' ? '10.99.250.33' : '10.99.250.3';
      await c.machine.ip('addr flush dev eth0', `addr add ${address}/24 dev eth0`);
      c.address = address;
      await all(way);
      assert.ok(await comesToPing(a.pod, c.podAddress));
      assert.ok(await comesToPing(c.pod, a.podAddress));
    });
  }

  test('what somebody takes away is noticed and put back', async () => {
    const { machine, overlay } = host(0);
    const damage: readonly (readonly [OverlayWay, readonly string[]])[] = [
      ['route', ['ip', 'route', 'del', '10.80.1.0/24']],
      ['route', ['iptables', '-F', 'DOCKER-USER']],
      ['route', ['nft', 'flush', 'chain', 'ip', 'flotilla_overlay', 'postrouting']],
      ['route', ['nft', 'flush', 'ruleset']],
      ['route', ['tee', '/proc/sys/net/ipv4/ip_forward']],
      ['vxlan', ['ip', 'link', 'del', vxlanDevice]],
      ['vxlan', ['ip', 'link', 'set', vxlanDevice, 'down']],
      ['vxlan', ['ip', 'link', 'set', vxlanDevice, 'mtu', '1300']],
      ['vxlan', ['ip', 'neigh', 'del', '10.80.1.0', 'dev', vxlanDevice]],
      ['vxlan', ['bridge', 'fdb', 'del', '02:51:0a:50:01:00', 'dev', vxlanDevice, 'self']],
      ['wireguard', ['ip', 'link', 'del', wireguardDevice]],
      ['wireguard', ['ip', 'link', 'set', wireguardDevice, 'down']],
      ['wireguard', ['pkill', '-9', 'wireguard-go']],
      ['wireguard', ['pkill', '-STOP', 'wireguard-go']],
      ['wireguard', ['ip', 'route', 'del', '10.80.1.0/24']],
    ];
    let before: OverlayWay | undefined;
    for (const [way, argv] of damage) {
      const what = `${way}: ${argv.join(' ')}`;

      if (way !== before) await all(way);
      before = way;
      assert.equal(await overlay.hasDrifted(), false, `before ${what}`);
      await machine.exec(argv, { stdin: '0\n' });
      await until(`${what}: noticed`, () => overlay.hasDrifted());
      await applyOn(host(0), [host(1), host(2)], way);
      assert.equal(await overlay.hasDrifted(), false, `after ${what}`);
      assert.ok(await comesToPing(host(0).pod, host(1).podAddress), what);
      assert.ok(await comesToPing(host(1).pod, host(0).podAddress), what);
    }
  });

  test('a node behind NAT is reached once it has spoken, also after its router has forgotten', async () => {
    await all('wireguard');
    const { host: hidden, router } = await world.addBehindNat();
    startEcho(hidden.pod);
    await all('wireguard');
    const [a] = [host(0)];
    assert.ok(await comesToPing(a.pod, hidden.podAddress), 'it keeps the way open itself');
    assert.ok(await pings(hidden.pod, a.podAddress));
    assert.equal(await echo(a.pod, hidden.podAddress, 'to the hidden one'), 'to the hidden one');
    assert.equal(await echo(hidden.pod, a.podAddress, 'from the hidden one'), 'from the hidden one');
    const endpointOf = async () =>
      (await a.overlay.observe()).routes.find((one) => one.podCIDR === hidden.podCIDR)?.nodeAddress;
    assert.equal(await endpointOf(), '10.99.250.203', "the router's");

    // The same state again, and one that differs elsewhere, leave what was learned.
    await applyOn(a, [host(1), hidden], 'wireguard');
    assert.equal(await endpointOf(), '10.99.250.203');
    assert.ok(await pings(a.pod, hidden.podAddress));

    await router.ip('addr flush dev wan', 'addr add 10.99.250.213/24 dev wan');
    await router.exec(['conntrack', '-F'], { okCodes: [0, 1] });
    assert.ok(await pings(hidden.pod, a.podAddress), 'it speaks from its new outside address');
    assert.ok(await pings(a.pod, hidden.podAddress));
    assert.equal(await endpointOf(), '10.99.250.213');
  });
});

/** A packet every 10 ms from a host's pod. */
function startPing(from: OverlayHost, address: string) {
  const ping: ChildProcess = from.pod.spawn(['ping', '-n', '-i', '0.01', '-W', '1', address]);
  let output = '';
  ping.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const numbers = () => [...output.matchAll(/icmp_seq=(\d+) ttl/g)].map(([, number]) => Number(number));
  return {
    count: () => numbers().length,
    answered: (count: number) => until(`${count} answers`, () => numbers().length >= count),
    /** Sequence numbers without an answer. */
    end: async (): Promise<number[]> => {
      const ended = once(ping, 'exit');
      await from.pod.exec(['pkill', '-INT', 'ping']);
      await ended;
      const seen = new Set(numbers());
      const last = Math.max(...seen);
      return Array.from({ length: last }, (_, index) => index + 1).filter((number) => !seen.has(number));
    },
  };
}
