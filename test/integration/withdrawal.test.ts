// A stop waits until every node has applied that the pod is gone from its services.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  type Deployment,
  deployments,
  type EndpointSlice,
  endpointSlices,
  nodes,
  type Pod,
  pods,
  type Service,
  services,
} from '../../src/resources/kinds.ts';
import { nodeConditions, podConditions } from '../../src/resources/names.ts';
import { behindReasons, proxyProblemText } from '../../src/resources/network-behind.ts';
import { podCondition } from '../../src/resources/pod-facts.ts';
import { eventually, holds, type SimulatedCluster, startSimulatedCluster } from './simulated-cluster.ts';

const names = ['h1', 'h2', 'h3'];
const labels = { app: 'web' };
const service: Service = {
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' } },
  spec: { selector: labels, ports: [{ port: 80 }] },
};
const deployment: Deployment = {
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'default' } },
  spec: {
    replicas: 2,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
  },
};

describe('a pod that is deleted', () => {
  let cluster: SimulatedCluster;
  let pod: Pod;

  const slice = async (): Promise<EndpointSlice> => {
    const [only] = (await cluster.client.list(endpointSlices, {})).items.filter((one) =>
      one.metadata.name.startsWith('web-'),
    );
    assert.ok(only);
    return only;
  };
  const found = async (): Promise<Pod> => cluster.client.get(pods, pod.metadata);
  const endpointOf = async (one: Pod) => {
    const { endpoints = [], metadata } = await slice();
    const endpoint = endpoints.find(({ targetRef }) => targetRef?.uid === one.metadata.uid);
    return { conditions: endpoint?.conditions, revision: Number(metadata.resourceVersion) };
  };
  /** Deletes it; gives the revision of its slice in which it is going. */
  const remove = async (): Promise<number> => {
    await cluster.client.delete(pods, pod.metadata);
    return eventually(async () => {
      const { conditions, revision } = await endpointOf(pod);
      assert.deepEqual([conditions?.ready, conditions?.terminating], [false, true]);
      return revision;
    });
  };
  const withdrawnOf = async () => podCondition(await found(), podConditions.withdrawn);

  beforeEach(async () => {
    cluster = await startSimulatedCluster();
    for (const name of names) {
      await cluster.addNode(name);
      cluster.tellApplied(name, { revision: 1 });
    }
    await cluster.client.create(services, service);
    await cluster.client.create(deployments, deployment);
    pod = await eventually(async () => {
      const { endpoints = [] } = await slice();
      assert.equal(endpoints.filter(({ conditions }) => conditions?.ready).length, 2);
      const [first] = (await cluster.client.list(pods, {})).items;
      assert.ok(first);
      return first;
    });
  });
  afterEach(() => cluster.stop());

  it('stops when the last of the nodes that hear has applied it, and says how long that took', async () => {
    const revision = await remove();
    cluster.tellApplied('h1', { revision });
    cluster.tellApplied('h2', { revision: revision + 5 });
    cluster.tellApplied('h3', { revision: revision - 1 });
    await holds(async () => assert.equal(await withdrawnOf(), undefined), 20);
    cluster.tellApplied('h3', { revision });
    await eventually(async () => assert.rejects(found(), /not found/));
  });

  it('does not wait for a node that is silent, or says that it cannot', async () => {
    const revision = await remove();
    cluster.tellApplied('h1', { revision });
    cluster.tellApplied('h2', { revision: 1, problem: 'nft: No space left on device' });
    cluster.cut('h3');
    await eventually(async () => assert.rejects(found(), /not found/), 8_000);
    await eventually(async () => {
      const { status } = await cluster.client.get(nodes, { name: 'h2' });
      const mark = status?.conditions?.find(({ type }) => type === nodeConditions.networkBehind);
      assert.equal(mark?.status, 'True');
      assert.match(mark?.message ?? '', /No space left/);
    });
    cluster.tellApplied('h2', { revision });
    await eventually(async () => {
      const { status } = await cluster.client.get(nodes, { name: 'h2' });
      assert.equal(status?.conditions?.find(({ type }) => type === nodeConditions.networkBehind)?.status, 'False');
    });
  });

  it('does not wait for a proxy that is sick for ever; what runs on its node is as good as before', async () => {
    const problem = 'port 80 is taken by nginx';
    const sick = (revision: number) => ({
      ...{ revision, problem: proxyProblemText(problem) },
      ingress: { ingresses: 1, secrets: 1, certificates: 1, problem },
    });
    for (const name of names) cluster.tellApplied(name, sick(1));
    const markOf = async (name: string) =>
      (await cluster.client.get(nodes, { name })).status?.conditions?.find(
        ({ type }) => type === nodeConditions.networkBehind,
      );
    await eventually(async () => assert.equal((await markOf('h3'))?.reason, behindReasons.proxy));
    assert.match((await markOf('h3'))?.message ?? '', /port 80 is taken by nginx/);
    for (let stops = 0; stops < 2; stops++) {
      const { endpoints = [] } = await slice();
      assert.equal(endpoints.filter(({ conditions }) => conditions?.ready).length, 2);
      await remove();
      await eventually(async () => assert.rejects(found(), /not found/), 3_000);
      pod = await eventually(async () => {
        const { endpoints: now = [] } = await slice();
        assert.equal(now.filter(({ conditions }) => conditions?.ready).length, 2);
        const [next] = (await cluster.client.list(pods, {})).items;
        assert.ok(next);
        return next;
      });
    }
    for (const name of names) cluster.tellApplied(name, { ...sick(1), problem: 'nft: no' });
    await eventually(async () => assert.equal((await markOf('h3'))?.reason, behindReasons.network));
  });

  it('waits five seconds for a node that does not follow, and the next one does not', async () => {
    const revision = await remove();
    for (const name of ['h1', 'h2']) cluster.tellApplied(name, { revision });
    const startMs = performance.now();
    await eventually(async () => assert.rejects(found(), /not found/), 10_000);
    assert.ok(performance.now() - startMs > 3_000);
    const [next] = (await cluster.client.list(pods, {})).items;
    assert.ok(next);
    pod = next;
    const second = await remove();
    for (const name of ['h1', 'h2']) cluster.tellApplied(name, { revision: second });
    const secondMs = performance.now();
    await eventually(async () => assert.rejects(found(), /not found/), 10_000);
    assert.ok(performance.now() - secondMs < 3_000);
  });

  it('goes at once when no service has it', async () => {
    await cluster.client.delete(services, service.metadata);
    await eventually(async () => assert.rejects(slice()));
    await cluster.client.delete(pods, pod.metadata);
    await eventually(async () => assert.rejects(found(), /not found/), 2_000);
  });

  it('waits for all nodes when it was taken out of its service by its labels just before, whoever leads', async () => {
    const tell = (revision: number) => {
      for (const name of names) cluster.tellApplied(name, { revision });
    };
    tell((await endpointOf(pod)).revision);
    await eventually(async () => {
      assert.equal(podCondition(await found(), podConditions.routed)?.status, 'True');
    });
    await cluster.client.patch(pods, pod.metadata, { type: 'merge', body: { metadata: { labels: { app: 'debug' } } } });
    await cluster.client.delete(pods, pod.metadata);
    const revision = await eventually(async () => {
      const left = await endpointOf(pod);
      assert.equal(left.conditions, undefined);
      return left.revision;
    });
    await cluster.changeLeader();
    await holds(async () => assert.equal(await withdrawnOf(), undefined), 20);
    tell(revision + 1_000);
    await eventually(async () => assert.rejects(found(), /not found/));
  });

  it('is let go by a leader that takes over', async () => {
    const revision = await remove();
    await cluster.changeLeader();
    for (const name of names) cluster.tellApplied(name, { revision });
    await eventually(async () => assert.rejects(found(), /not found/));
  });
});
