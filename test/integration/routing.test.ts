// A rollout takes an old instance away only when every node sends connections to the new one.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  type Deployment,
  deployments,
  type EndpointSlice,
  endpointSlices,
  type Pod,
  pods,
  services,
} from '../../src/resources/kinds.ts';
import { podConditions } from '../../src/resources/names.ts';
import { isPodReady, podCondition } from '../../src/resources/pod-facts.ts';
import { eventually, holds, type SimulatedCluster, startSimulatedCluster } from './simulated-cluster.ts';

const names = ['h1', 'h2', 'h3'];
const labels = { app: 'web' };
const deployment: Deployment = {
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'default' } },
  spec: {
    replicas: 1,
    selector: { matchLabels: labels },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
  },
};

describe('an instance that is new', () => {
  let cluster: SimulatedCluster;

  const found = async (image: string): Promise<Pod | undefined> =>
    (await cluster.client.list(pods, {})).items.find(({ spec }) => spec.containers[0]?.image === image);
  const slice = async (): Promise<EndpointSlice> => {
    const all = (await cluster.client.list(endpointSlices, {})).items;
    const only = all.find(({ metadata }) => metadata.name.startsWith('web-'));
    assert.ok(only);
    return only;
  };
  const routedOf = (pod: Pod | undefined) => (pod ? podCondition(pod, podConditions.routed) : undefined);
  const tellAll = (revision: number) => {
    for (const name of names) cluster.tellApplied(name, { revision });
  };
  /** The newest slice has it. */
  const listed = (image: string) =>
    eventually(async () => {
      const pod = await found(image);
      const { endpoints = [], metadata } = await slice();
      assert.ok(endpoints.some((one) => one.targetRef?.uid === pod?.metadata.uid && one.conditions?.ready));
      return Number(metadata.resourceVersion);
    });

  beforeEach(async () => {
    cluster = await startSimulatedCluster();
    for (const name of names) await cluster.addNode(name);
    await cluster.client.create(services, {
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' } },
      spec: { selector: labels, ports: [{ port: 80 }] },
    });
    await cluster.client.create(deployments, deployment);
    tellAll(await listed('web:1'));
    await eventually(async () => assert.equal(routedOf(await found('web:1'))?.status, 'True'));
  });
  afterEach(() => cluster.stop());

  const update = async () => {
    const body = { spec: { template: { spec: { containers: [{ name: 'web', image: 'web:2' }] } } } };
    const ref = { namespace: 'default', name: 'web' };
    await cluster.client.patch(deployments, ref, { type: 'strategic', body });
    return listed('web:2');
  };

  it('replaces the old one when the last node sends it connections, not when it is ready', async () => {
    const revision = await update();
    for (const name of ['h1', 'h2']) cluster.tellApplied(name, { revision });
    await holds(async () => {
      const [old, fresh] = [await found('web:1'), await found('web:2')];
      assert.ok(fresh && isPodReady(fresh));
      assert.equal(routedOf(fresh)?.status, undefined);
      assert.equal(old?.metadata.deletionTimestamp, undefined);
    }, 30);
    cluster.tellApplied('h3', { revision });
    const routed = await eventually(async () => {
      const one = routedOf(await found('web:2'));
      assert.equal(one?.status, 'True');
      assert.ok((await found('web:1'))?.metadata.deletionTimestamp);
      return one;
    });
    assert.match(routed?.message ?? '', /^waited \d+ ms for 3 nodes$/);
    assert.match(cluster.metrics.render(), /flotilla_pod_routed_seconds_count [1-9]/);
  });

  it('does not wait for a node that cannot follow, and is routed anew after it was not ready', async () => {
    cluster.tellApplied('h3', { revision: 1, problem: 'nft: No space left on device' });
    const revision = await update();
    for (const name of ['h1', 'h2']) cluster.tellApplied(name, { revision });
    const fresh = await eventually(async () => {
      const one = await found('web:2');
      assert.match(routedOf(one)?.message ?? '', /for 2 nodes, not for 1 that cannot follow$/);
      assert.ok(one);
      return one;
    });
    const ready = (status: string) =>
      cluster.client.patch(pods, fresh.metadata, {
        ...{ type: 'strategic', subresource: 'status' },
        body: { status: { conditions: [{ type: 'Ready', status }] } },
      });
    await ready('False');
    const { metadata } = await eventually(async () => {
      const now = await slice();
      assert.ok(
        now.endpoints?.every(
          ({ targetRef, conditions }) => targetRef?.uid !== fresh.metadata.uid || !conditions?.ready,
        ),
      );
      return now;
    });
    assert.equal(routedOf(await found('web:2'))?.status, 'True', 'h1 and h2 have yet to hear of it');
    for (const name of ['h1', 'h2']) cluster.tellApplied(name, { revision: Number(metadata.resourceVersion) });
    await eventually(async () => assert.equal(routedOf(await found('web:2'))?.status, 'False'));
    await ready('True');
    tellAll(revision + 1_000);
    await eventually(async () => assert.equal(routedOf(await found('web:2'))?.status, 'True'));
  });
});
