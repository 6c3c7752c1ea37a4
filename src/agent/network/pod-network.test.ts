import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DnsServer, DnsZone } from '../../adapters/dns/port.ts';
import { createFakeOverlay } from '../../adapters/overlay/fake.ts';
import { createFakeRuntime } from '../../adapters/runtime/fake.ts';
import { ManualClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import type { Node } from '../../resources/kinds.ts';
import { createPodNetwork, peersOf } from './pod-network.ts';

const nodeOf = (name: string, podCIDRs?: string[], address?: string): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  spec: podCIDRs ? { podCIDRs } : {},
  ...(address ? { status: { addresses: [{ type: 'InternalIP', address }] } } : {}),
});

function start() {
  const overlay = createFakeOverlay();
  const runtime = createFakeRuntime();
  const clock = new ManualClock();
  const dns: string[] = [];
  const zones: DnsZone[] = [];
  const changes: (() => void)[] = [];
  const network = createPodNetwork({
    runtime,
    overlay,
    startDns: async (address) => {
      dns.push(address);
      const server: DnsServer = {
        apply: (zone) => void zones.push(zone),
        stats: () => ({ queries: 0, forwarded: 0, failures: 0 }),
        stop: async () => {},
      };
      return server;
    },
    grid: 'main',
    nodeName: 'h1',
    podRange: '10.80.0.0/12',
    buildZone: (services) => ({
      domain: 'cluster.local',
      names: new Map([...services].map((one) => [one.metadata.name, { addresses: [] }])),
    }),
    networkName: 'flotilla',
    bridgeName: 'fl0',
    trustedInterfaces: [],
    addresses: { next: 0, byPod: {} },
    onChange: () => {
      for (const wake of changes.splice(0)) wake();
    },
    log: silentLogger,
    clock,
  });
  const changed = () => new Promise<void>((wake) => changes.push(wake));
  return { network, overlay, runtime, clock, dns, zones, changed };
}

const peers = [nodeOf('h1', ['10.80.1.0/24'], '192.0.2.1'), nodeOf('h2', ['10.80.2.0/24'], '192.0.2.2')];
const services = ['web'].map((name) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: {} }));

describe('the pod network of a node', () => {
  it('waits for a range; then bridge, routes to the peers, and names on the gateway', async () => {
    const { network, overlay, runtime, dns, zones, changed } = start();
    network.setNodes(peers);
    network.setNames(services, []);
    assert.deepEqual([network.isReady, network.problem], [false, 'waiting for an address range of this node']);
    const ready = changed();
    network.setRange('10.80.1.0/24');
    await ready;
    assert.deepEqual([network.isReady, network.problem, network.pool?.gateway], [true, undefined, '10.80.1.1']);
    assert.deepEqual(runtime.calls, ['ensureNetwork flotilla']);
    const route = { nodeName: 'h2', podCIDR: '10.80.2.0/24', nodeAddress: '192.0.2.2' };
    assert.deepEqual(overlay.applied()?.peers, [route]);
    assert.deepEqual(dns, ['10.80.1.1']);
    assert.deepEqual([...(zones.at(-1)?.names.keys() ?? [])], ['web'], 'what came before DNS was up is known to it');
    await network.stop();
  });

  it('says what is wrong and tries again; once it was up it stays usable', async () => {
    const { network, overlay, clock, changed, runtime } = start();
    overlay.failNext(new Error('ip: no such device'));
    const failed = changed();
    network.setRange('10.80.1.0/24');
    await failed;
    assert.deepEqual([network.isReady, network.problem], [false, 'ip: no such device']);
    const mended = changed();
    await clock.advance(10_000);
    await mended;
    assert.deepEqual([network.isReady, network.problem], [true, undefined]);
    overlay.failNext(new Error('ip: busy'));
    const troubled = changed();
    network.check();
    await troubled;
    assert.deepEqual([network.isReady, network.problem], [true, 'ip: busy'], 'what runs goes on');
    assert.equal(runtime.calls.length, 3, 'an engine that was away gets its bridge looked at again');
    await network.stop();
  });

  it('peers are the others that have a range and an address', () => {
    const all = [...peers, nodeOf('h4', ['10.80.4.0/24']), nodeOf('h3', undefined, '192.0.2.3')];
    assert.deepEqual(
      peersOf([...all].reverse(), 'h1').map((one) => one.nodeName),
      ['h2'],
    );
    assert.deepEqual(
      peersOf(all, 'h9').map((one) => one.nodeName),
      ['h1', 'h2'],
    );
  });
});
