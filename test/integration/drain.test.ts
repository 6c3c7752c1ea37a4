// An eviction lets another pod do the work first, also where there is one instance and two nodes.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isPodLeaving } from '../../src/resources/eviction-surge.ts';
import {
  type Deployment,
  deployments,
  nodes,
  type Pod,
  podDisruptionBudgets,
  pods,
} from '../../src/resources/kinds.ts';
import { podConditions } from '../../src/resources/names.ts';
import { isPodReady, podCondition } from '../../src/resources/pod-facts.ts';
import { createKubectl } from './kubectl.ts';
import { type ServedKube, serveKube } from './serve-kube.ts';
import { eventually, readyStatus, type SimulatedCluster, startSimulatedCluster } from './simulated-cluster.ts';

const labels = { app: 'web' };
const deployment = (replicas: number, strategy: Deployment['spec']['strategy'] = {}): Deployment => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'default' } },
  spec: {
    ...{ replicas, strategy, selector: { matchLabels: labels } },
    template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
  },
});

describe('an eviction', () => {
  let cluster: SimulatedCluster;
  let served: ServedKube;
  /** Pods that have begun and are to become ready when the test says so. */
  let isHeld: boolean;

  beforeEach(async () => {
    isHeld = false;
    const outcomeOf = (): NonNullable<Pod['status']> =>
      isHeld
        ? { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] }
        : readyStatus(`10.80.0.${Math.floor(Math.random() * 200) + 2}`);
    cluster = await startSimulatedCluster({ outcomeOf });
    for (const name of ['h1', 'h2']) await cluster.addNode(name);
    served = await serveKube(cluster.kube);
  });
  afterEach(async () => {
    served.stop();
    await cluster.stop();
  });

  const all = async () => (await cluster.client.list(pods, {})).items;
  const present = async () => (await all()).filter(({ metadata }) => !metadata.deletionTimestamp);
  const ready = async () => (await present()).filter(isPodReady);
  const cordon = (name: string, unschedulable: boolean) =>
    cluster.client.patch(nodes, { name }, { type: 'merge', body: { spec: { unschedulable } } });
  const evict = async (name: string, more: object = {}) => {
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, ...more } };
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const answer = await fetch(`${served.url}/api/v1/namespaces/default/pods/${name}/eviction`, init);
    const { message, details } = (await answer.json()) as {
      message: string;
      details?: { causes?: { message: string }[] };
    };
    return {
      code: answer.status,
      message,
      cause: details?.causes?.[0]?.message,
      retry: answer.headers.get('retry-after'),
    };
  };
  const begin = async (replicas: number, strategy?: Deployment['spec']['strategy']): Promise<Pod> => {
    await cluster.client.create(deployments, deployment(replicas, strategy));
    const found = await eventually(async () => {
      const some = await ready();
      assert.equal(some.length, replicas);
      return some;
    });
    const first = found[0];
    assert.ok(first?.spec.nodeName);
    return first;
  };
  const makeReady = (pod: Pod) =>
    cluster.client.patch(pods, pod.metadata, {
      ...{ type: 'strategic', subresource: 'status', body: { status: readyStatus('10.80.0.250') } },
    });

  it('of the only instance waits, says for what, and is done by itself when the other one works', async () => {
    const old = await begin(1);
    await cordon(old.spec.nodeName ?? '', true);
    isHeld = true;
    const first = await evict(old.metadata.name);
    assert.deepEqual([first.code, first.retry], [429, '1']);
    assert.equal(first.message, 'Cannot evict pod yet: another one is started first.');
    const fresh = await eventually(async () => {
      const other = (await present()).find(({ metadata }) => metadata.uid !== old.metadata.uid);
      assert.ok(other?.spec.nodeName);
      assert.notEqual(other.spec.nodeName, old.spec.nodeName);
      return other;
    });
    await eventually(async () => {
      const again = await evict(old.metadata.name);
      assert.deepEqual(
        [again.code, again.cause],
        [429, `another instance does its work first: ${fresh.metadata.name} is not ready yet`],
      );
    });
    assert.equal((await ready()).length, 1);
    await makeReady(fresh);
    await eventually(async () =>
      assert.deepEqual(
        (await present()).map(({ metadata }) => metadata.uid),
        [fresh.metadata.uid],
      ),
    );
    await eventually(async () => assert.equal((await evict(old.metadata.name)).code, 404));
  });

  it('is taken back with the drain: the pod stays, the other one goes', async () => {
    const old = await begin(1);
    await cordon(old.spec.nodeName ?? '', true);
    isHeld = true;
    assert.equal((await evict(old.metadata.name)).code, 429);
    await eventually(async () => assert.equal((await present()).length, 2));
    await cordon(old.spec.nodeName ?? '', false);
    await eventually(async () => {
      const left = await present();
      assert.deepEqual(
        [left.map(({ metadata }) => metadata.uid), left.some(isPodLeaving)],
        [[old.metadata.uid], false],
      );
    });
    const said = podCondition((await present())[0] ?? old, podConditions.leaving);
    assert.match(said?.message ?? '', /^its node h\d takes pods again$/);
  });

  it('of all at once: never fewer at work than wanted, and no more made than the strategy allows', async () => {
    const first = await begin(3, { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } });
    for (const pod of await present()) await cordon(pod.spec.nodeName ?? '', true);
    await cluster.addNode('h3');
    const old = new Set((await present()).map(({ metadata }) => metadata.name));
    assert.ok(old.has(first.metadata.name));
    let [least, most] = [9, 0];
    await eventually(async () => {
      await Promise.all([...old].map((name) => evict(name)));
      const [now, atWork] = [await present(), await ready()];
      [least, most] = [Math.min(least, atWork.length), Math.max(most, now.length)];
      assert.deepEqual(
        now.map(({ spec }) => spec.nodeName),
        ['h3', 'h3', 'h3'],
      );
    }, 10_000);
    assert.ok(least >= 3 && most <= 4, `${least} to ${most}`);
  });

  it('by kubectl drain waits for the other one, and comes to its end by itself', async () => {
    const old = await begin(1);
    isHeld = true;
    const kubectl = await createKubectl('35', [`--server=${served.url}`]);
    try {
      const drain = kubectl.run(['drain', old.spec.nodeName ?? '', '--timeout=30s']);
      const fresh = await eventually(async () => {
        const other = (await present()).find(({ metadata }) => metadata.uid !== old.metadata.uid);
        assert.ok(other?.status?.phase === 'Running');
        return other;
      });
      assert.deepEqual(
        (await ready()).map(({ metadata }) => metadata.uid),
        [old.metadata.uid],
      );
      await makeReady(fresh);
      const ended = await drain;
      assert.equal(ended.code, 0, ended.stderr);
      assert.match(ended.stdout, /^node\/h\d drained$/m);
      assert.deepEqual(
        (await ready()).map(({ metadata }) => metadata.uid),
        [fresh.metadata.uid],
      );
    } finally {
      await kubectl.remove();
    }
  });

  it('goes by the budget where the strategy stops first, and where that is asked for', async () => {
    const spec = { selector: { matchLabels: labels }, minAvailable: 1 };
    await cluster.client.create(podDisruptionBudgets, {
      ...{
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'web', namespace: 'default' },
        spec,
      },
    });
    const old = await begin(1, { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } });
    const stopFirst = { annotations: { 'flotilla.dev/evict': 'stop-first' } };
    await eventually(async () => {
      const refused = await evict(old.metadata.name, stopFirst);
      assert.deepEqual(
        [refused.code, refused.cause],
        [429, 'The disruption budget web needs 1 healthy pods and has 1 currently'],
      );
    });
    await cluster.client.delete(podDisruptionBudgets, { namespace: 'default', name: 'web' });
    await eventually(async () => assert.equal((await evict(old.metadata.name, stopFirst)).code, 201));
  });
});
