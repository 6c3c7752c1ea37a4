import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { wireguardDevice } from '../../src/adapters/overlay/devices.ts';
import { createKernelOverlay } from '../../src/adapters/overlay/kernel-overlay.ts';
import { checkPathMtu, overheadBytes } from '../../src/adapters/overlay/mtu.ts';
import type { OverlayWay } from '../../src/adapters/overlay/port.ts';
import { silentLogger } from '../../src/lib/log.ts';
import {
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

const ways = ['route', 'vxlan', 'wireguard'] as const;

describe('pods of three hosts', { timeout: 300_000 }, () => {
  let world: OverlayHosts;
  let hosts: readonly OverlayHost[];
  const all = (way: OverlayWay) => world.applyAll(() => way);
  const pairs = () => hosts.flatMap((a) => hosts.filter((b) => b !== a).map((b) => [a, b] as const));
  const host = (index: number) => {
    const found = hosts[index];
    assert.ok(found);
    return found;
  };
  const everyPairPings = async () => {
    // WireGuard begins a handshake that was not answered again after five seconds; what waits for it is sent then.
    const results = await Promise.all(
      pairs().map(async ([a, b]) => [a.name, b.name, await pings(a.pod, b.podAddress, 8)]),
    );
    assert.deepEqual(
      results.filter(([, , isThere]) => !isThere),
      [],
    );
  };

  before(async () => {
    world = await startOverlayHosts(3);
    hosts = world.hosts;
    for (const { pod } of hosts) startEcho(pod);
  });
  after(() => world.stop());

  /** How often what a pod sends to another is to be read on the switch. */
  const seenOnSwitch = async (): Promise<number> => {
    const marker = `marker${Math.random().toString(36).slice(2)}`;
    const sniffer = world.switch.spawn(['tcpdump', '-i', 'any', '-U', '-w', '-']);
    const chunks: Buffer[] = [];
    sniffer.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    await until('tcpdump listens', () => chunks.length > 0); // the file's header
    assert.equal(await echo(host(0).pod, host(1).podAddress, marker), marker);
    // What comes last in the capture: after it nothing of the marker is still on its way.
    const end = `end${marker.slice(6, 15)}`;
    const pattern = Buffer.from(end).toString('hex');
    await world.switch.exec(['ping', '-n', '-q', '-c', '1', '-p', pattern, host(2).address]);
    await until('the capture is complete', () => Buffer.concat(chunks).includes(end));
    const ended = once(sniffer, 'exit');
    await world.switch.exec(['pkill', 'tcpdump']);
    await ended;
    return Buffer.concat(chunks).toString('latin1').split(marker).length - 1;
  };

  for (const way of ways) {
    test(`${way}: every pod reaches every other, by ping and by TCP; so do the hosts`, async () => {
      await all(way);
      await everyPairPings();
      for (const [a, b] of pairs()) {
        assert.equal(await echo(a.pod, b.podAddress, `${a.name} to ${b.name}`), `${a.name} to ${b.name}`);
        assert.ok(await pings(a.machine, b.podAddress), `${a.name} itself to the pod of ${b.name}`);
      }
    });

    test(`${way}: ${way === 'wireguard' ? 'nobody on the switch reads' : 'whoever listens on the switch reads'} what pods say`, async () => {
      const seen = await seenOnSwitch();
      if (way === 'wireguard') assert.equal(seen, 0);
      else assert.ok(seen > 0);
    });

    test(`${way}: packets of the announced size pass, larger ones do not; TCP from pods with a larger MTU does`, async () => {
      const [a, b] = [host(0), host(1)];
      const mtu = 1_500 - overheadBytes[way];
      assert.equal(await a.overlay.podMtu(stateOf(a, [peerOf(a, b, way)], new Set(way === 'route' ? [] : [way]))), mtu);
      assert.deepEqual(await checkPathMtu(a.machine.exec, '10.80.1.1', mtu), { isReachable: true, fits: true });
      const larger = await checkPathMtu(a.machine.exec, '10.80.1.1', mtu + 30);
      assert.equal(larger.fits, false);
      assert.ok((larger.largestBytes ?? 0) > mtu - 16 && (larger.largestBytes ?? 0) <= mtu, JSON.stringify(larger));
      const bulk = 'x'.repeat(300_000);
      assert.equal((await echo(a.pod, b.podAddress, bulk)).length, bulk.length);
    });

    test(`${way}: a new agent finds all as it should be: nothing changes in the kernel`, async () => {
      const { machine, directory, overlay } = host(0);
      const monitors = [
        machine.spawn(['ip', 'monitor', 'link', 'address', 'route', 'rule']),
        machine.spawn(['nft', 'monitor']),
      ];
      const heard = ['', ''];
      for (const [index, monitor] of monitors.entries()) {
        monitor.stdout?.on('data', (chunk: Buffer) => {
          heard[index] += chunk.toString();
        });
      }
      const mark = async (name: string) => {
        await until(`monitors hear ${name}`, async () => {
          await machine.exec(['ip', 'route', 'replace', 'blackhole', '192.0.2.9/32', 'proto', '99']);
          await machine.exec(['ip', 'route', 'del', 'blackhole', '192.0.2.9/32']);
          await machine.exec(['nft', 'add', 'table', 'ip', name]);
          return heard[0]?.includes('192.0.2.9') === true && heard[1]?.includes(name) === true;
        });
        await machine.exec(['nft', 'delete', 'table', 'ip', name]);
      };
      await mark('first');
      heard.fill('');
      const peersBefore = await tunnels(host(0));
      const state = stateOf(
        host(0),
        [1, 2].map((index) => peerOf(host(0), host(index), way)),
        new Set(way === 'route' ? [] : [way]),
      );
      const { exec, startOutliving } = machine;
      const restarted = createKernelOverlay({ exec, log: silentLogger, directory, startOutliving });
      // What the former way has left is taken away by an agent that does not know of it: not what this is about.
      if (way !== 'route') await restarted.apply(state);
      await until('quiet', async () => !(await restarted.hasDrifted()));
      heard.fill('');
      const again = createKernelOverlay({ exec, log: silentLogger, directory, startOutliving });
      await again.apply(state);
      await mark('second');
      const changed = heard.map((text) =>
        text.split('\n').filter((line) => line !== '' && !/192\.0\.2\.9|second|first|generation/.test(line)),
      );
      assert.deepEqual(changed, [[], []]);
      if (way === 'wireguard') assert.deepEqual(await tunnels(host(0)), peersBefore);
      host(0).overlay = overlay;
    });
  }
});

/** Keys, endpoints and ranges of a host's WireGuard peers. */
async function tunnels({ machine }: OverlayHost): Promise<string> {
  const { stdout } = await machine.exec(['wg', 'show', wireguardDevice, 'endpoints'], { okCodes: [0, 1] });
  return stdout.trim().split('\n').sort().join('\n');
}
