// Instances that stay unhealthy are replaced, one at a time, with a reason.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Informer, startInformer } from '../../src/client/informer.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { type Deployment, deployments, events, type Pod, pods } from '../../src/resources/kinds.ts';
import { annotations } from '../../src/resources/names.ts';
import { isPodReady } from '../../src/resources/pod-facts.ts';
import { eventually, readyStatus, type SimulatedCluster, startSimulatedCluster } from './simulated-cluster.ts';

const labels = { app: 'web' };
const template = {
  metadata: { labels, annotations: { [annotations.replaceUnhealthyAfter]: '3s' } },
  spec: { containers: [{ name: 'web', image: 'web:1' }] },
};
const deployment: Deployment = {
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'default' } },
  spec: { replicas: 2, selector: { matchLabels: labels }, template },
};

describe('instances that stay unhealthy', () => {
  let cluster: SimulatedCluster;
  let watch: Informer<Pod>;
  /** Instances that are there, ready or not, after each change. */
  const counts: number[] = [];

  before(async () => {
    let made = 0;
    const outcomeOf = (): NonNullable<Pod['status']> => {
      const address = `10.80.0.${made + 2}`;
      if (made++ >= 2) return readyStatus(address);
      const since = `${new Date().toISOString().slice(0, 19)}Z`;
      return {
        phase: 'Running',
        podIP: address,
        conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: since }],
      };
    };
    cluster = await startSimulatedCluster({ outcomeOf });
    for (const name of ['h1', 'h2']) await cluster.addNode(name);
    watch = startInformer({
      ...{ client: cluster.client, kind: pods, log: silentLogger },
      onChange: () => {
        const there = [...watch.list()].filter(({ metadata }) => !metadata.deletionTimestamp);
        counts.push(there.length);
      },
    });
    await watch.synced;
    await cluster.client.create(deployments, deployment);
  });
  after(async () => {
    await watch.stop();
    await cluster.stop();
  });

  it('make room one after the other, and it is said why', async () => {
    await eventually(async () => assert.equal([...watch.list()].length, 2));
    const first = new Set([...watch.list()].map(({ metadata }) => metadata.name));
    counts.length = 0;
    await eventually(async () => {
      const now = [...watch.list()];
      assert.deepEqual([now.length, now.every(isPodReady)], [2, true]);
      assert.ok(now.every(({ metadata }) => !first.has(metadata.name)));
    }, 15_000);
    assert.equal(Math.min(...counts), 1, 'never both at once');
    const told = await eventually(async () => {
      const { items } = await cluster.client.list(events, {});
      const found = items.filter(
        ({ reason, involvedObject }) => reason === 'UnhealthyReplaced' && involvedObject.kind === 'Pod',
      );
      assert.equal(found.length, 2);
      return found;
    });
    assert.match(told[0]?.message ?? '', /^Replaced: not ready for \d+ s though its node h\d is fine$/);
  });
});
