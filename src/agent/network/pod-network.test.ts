import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFakeOverlay } from '../../adapters/overlay/fake.ts';
import { createFakeRuntime } from '../../adapters/runtime/fake.ts';
import { ManualClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { gridNetworkOf } from '../../resources/grid-network.ts';
import type { Node } from '../../resources/kinds.ts';
import { createPodNetwork } from './pod-network.ts';

const nodeOf = (name: string, podCIDRs?: string[], address?: string): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  spec: podCIDRs ? { podCIDRs } : {},
  ...(address ? { status: { addresses: [{ type: 'InternalIP', address }] } } : {}),
});
const trusting = gridNetworkOf({ trustedSubnets: ['192.0.2.0/24'] });
const peers = [nodeOf('h1', ['10.80.1.0/24'], '192.0.2.1'), nodeOf('h2', ['10.80.2.0/24'], '192.0.2.2')];

function start() {
  const overlay = createFakeOverlay();
  const runtime = createFakeRuntime();
  const clock = new ManualClock();
  const up: string[] = [];
  const facts: unknown[] = [];
  const changes: (() => void)[] = [];
  const network = createPodNetwork({
    ...{ runtime, overlay, grid: 'main', nodeName: 'h1', networkName: 'flotilla', bridgeName: 'fl0' },
    ...{ ownAddresses: ['192.0.2.1'], trustedInterfaces: ['eth0'], addresses: { next: 0, byPod: {} } },
    onUp: async ({ gateway }) => void up.push(gateway),
    onFacts: (found) => facts.push(found),
    onChange: () => {
      for (const wake of changes.splice(0)) wake();
    },
    log: silentLogger,
    clock,
  });
  const changed = () => new Promise<void>((wake) => changes.push(wake));
  const settled = async () => {
    for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
  };
  return { network, overlay, runtime, clock, up, facts, changed, settled };
}

describe('the pod network of a node', () => {
  it('waits for the settings of its grid and a range; then bridge, ways to the peers, and what depends on them', async () => {
    const { network, overlay, runtime, up, changed } = start();
    network.setNodes(peers);
    network.setRange('10.80.1.0/24');
    assert.deepEqual([network.isReady, network.problem], [false, 'waiting for an address range of this node']);
    const ready = changed();
    network.setGrid(trusting);
    await ready;
    assert.deepEqual([network.isReady, network.problem, network.pool?.gateway], [true, undefined, '10.80.1.1']);
    assert.deepEqual(runtime.calls, ['ensureNetwork flotilla']);
    const route = { nodeName: 'h2', podCIDR: '10.80.2.0/24', nodeAddress: '192.0.2.2', way: 'route' };
    assert.deepEqual(overlay.applied()?.peers, [route]);
    assert.deepEqual(up, ['10.80.1.1']);
    assert.deepEqual(network.facts(), { podCIDR: '10.80.1.0/24', gateway: '10.80.1.1', mtu: 1500, notes: [] });
    await network.stop();
  });

  it('takes no way to a peer away before it knows who its peers are', async () => {
    const { network, overlay, changed, settled } = start();
    network.setGrid(trusting);
    network.setRange('10.80.1.0/24');
    await settled();
    assert.equal(overlay.applied(), undefined);
    const ready = changed();
    network.setNodes(peers);
    await ready;
    assert.equal(overlay.applied()?.peers.length, 1);
    await network.stop();
  });

  it('tells what its peers must know, and why one has no way yet', async () => {
    const { network, facts, changed, settled } = start();
    network.setNodes(peers);
    network.setGrid(gridNetworkOf({}));
    const ready = changed();
    network.setRange('10.80.1.0/24');
    await ready;
    assert.match(JSON.stringify(facts.at(-1)), /"wireguard":\{"port":51820,"publicKey"/);
    assert.equal(network.facts().mtu, 1420);
    assert.match(network.facts().notes.join(), /h1 and h2 are not both ready for wireguard/);
    network.setGrid(trusting);
    await settled();
    assert.deepEqual(network.facts().notes, []);
    await network.stop();
  });

  it('says what is wrong and tries again; once it was up it stays usable', async () => {
    const { network, overlay, clock, changed, runtime } = start();
    network.setNodes(peers);
    network.setGrid(trusting);
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

  it('puts back what somebody else took away, and does nothing for a heartbeat', async () => {
    const { network, overlay, clock, changed, settled, up } = start();
    network.setNodes(peers);
    network.setGrid(trusting);
    const ready = changed();
    network.setRange('10.80.1.0/24');
    await ready;
    network.setNodes(peers.map((one) => ({ ...one, status: { ...one.status, conditions: [] } })));
    await settled();
    assert.equal(up.length, 1);
    overlay.drift();
    await clock.advance(5_000);
    await settled();
    assert.equal(up.length, 2);
    await network.stop();
  });
});
