// Whoever ends a pod on purpose, and however: it is withdrawn everywhere before it stops.
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
  services,
} from '../../src/resources/kinds.ts';
import { podConditions } from '../../src/resources/names.ts';
import { podCondition } from '../../src/resources/pod-facts.ts';
import { type ServedKube, serveKube } from './serve-kube.ts';
import { eventually, holds, type SimulatedCluster, startSimulatedCluster } from './simulated-cluster.ts';

const names = ['h1', 'h2'];
const labels = { app: 'web' };
const web = { namespace: 'default', name: 'web' };
const deployment: Deployment = {
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'default' } },
  spec: {
    replicas: 1,
    selector: { matchLabels: labels },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
  },
};

interface World {
  readonly cluster: SimulatedCluster;
  readonly pod: Pod;
  readonly call: (method: string, path: string, body?: object) => Promise<void>;
  /** All nodes have applied the slice in which so many endpoints are ready. */
  readonly follow: (ready: number) => Promise<void>;
}

const ways: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
  'a scale-down': ({ cluster }) =>
    cluster.client.patch(deployments, web, { type: 'merge', body: { spec: { replicas: 0 } } }),
  'a rolling update': async ({ cluster, follow }) => {
    const containers = [{ name: 'web', image: 'web:2' }];
    const body = { spec: { template: { spec: { containers } } } };
    await cluster.client.patch(deployments, web, { type: 'strategic', body });
    await follow(2);
  },
  'a deletion': ({ cluster, pod }) => cluster.client.delete(pods, pod.metadata),
  'a deletion of many': ({ call }) => call('DELETE', '/api/v1/namespaces/default/pods?labelSelector=app=web'),
  'an eviction': ({ call, pod: { metadata } }) =>
    call('POST', `/api/v1/namespaces/default/pods/${metadata.name}/eviction`, {
      ...{ apiVersion: 'policy/v1', kind: 'Eviction' },
      metadata: { name: metadata.name, annotations: { 'flotilla.dev/evict': 'stop-first' } },
    }),
  'a taint NoExecute': ({ cluster, pod }) =>
    cluster.client.patch(
      nodes,
      { name: pod.spec.nodeName ?? '' },
      { type: 'merge', body: { spec: { taints: [{ key: 'away', effect: 'NoExecute' }] } } },
    ),
  'the end of its Deployment': ({ cluster }) => cluster.client.delete(deployments, web),
};

describe('a pod that is ended on purpose is withdrawn first', () => {
  let cluster: SimulatedCluster;
  let served: ServedKube;
  let pod: Pod;

  const slice = async (): Promise<EndpointSlice> => {
    const only = (await cluster.client.list(endpointSlices, {})).items.find(({ metadata }) =>
      metadata.name.startsWith('web-'),
    );
    assert.ok(only);
    return only;
  };
  const tell = (revision: number) => {
    for (const name of names) cluster.tellApplied(name, { revision });
  };
  const found = () => cluster.client.get(pods, pod.metadata);

  beforeEach(async () => {
    cluster = await startSimulatedCluster();
    for (const name of names) await cluster.addNode(name);
    served = await serveKube(cluster.kube);
    await cluster.client.create(services, {
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' } },
      spec: { selector: labels, ports: [{ port: 80 }] },
    });
    await cluster.client.create(deployments, deployment);
    pod = await eventually(async () => {
      const { endpoints = [], metadata } = await slice();
      assert.ok(endpoints.some(({ conditions }) => conditions?.ready));
      tell(Number(metadata.resourceVersion));
      const [only] = (await cluster.client.list(pods, {})).items;
      assert.ok(only && podCondition(only, podConditions.routed)?.status === 'True');
      return only;
    });
  });
  afterEach(async () => {
    served.stop();
    await cluster.stop();
  });

  for (const [way, act] of Object.entries(ways)) {
    it(way, async () => {
      const call = async (method: string, path: string, body?: object): Promise<void> => {
        const headers = { 'content-type': 'application/json' };
        const more = body === undefined ? {} : { body: JSON.stringify(body), headers };
        const answer = await fetch(`${served.url}${path}`, { method, ...more });
        assert.ok(answer.ok, await answer.text());
      };
      const follow = (ready: number) =>
        eventually(async () => {
          const { endpoints = [], metadata } = await slice();
          assert.equal(endpoints.filter(({ conditions }) => conditions?.ready).length, ready);
          tell(Number(metadata.resourceVersion));
        });
      await act({ cluster, pod, call, follow });
      const revision = await eventually(async () => {
        assert.ok((await found()).metadata.deletionTimestamp);
        const { endpoints = [], metadata } = await slice();
        const own = endpoints.find(({ targetRef }) => targetRef?.uid === pod.metadata.uid);
        assert.deepEqual([own?.conditions?.ready, own?.conditions?.terminating], [false, true]);
        return Number(metadata.resourceVersion);
      });
      await holds(async () => assert.equal(podCondition(await found(), podConditions.withdrawn), undefined), 10);
      tell(revision + 1_000);
      await eventually(async () => assert.rejects(found(), /not found/));
    });
  }
});
