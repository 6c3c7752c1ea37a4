import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Pod } from '../../resources/kinds.ts';
import { isActive } from '../pod-facts.ts';
import { podName } from '../pod-name.ts';
import { sampleNowMs, samplePod, sampleReplicaSet } from '../sample-objects.ts';
import { burst, maxUnplaced, planReplicaSet, type ReplicaSetObservation } from './plan.ts';

const owned = { ownerUid: 'rs-1' };

function observe(
  replicas: number,
  pods: readonly Pod[],
  more: Partial<ReplicaSetObservation> = {},
): ReplicaSetObservation {
  return {
    replicaSet: sampleReplicaSet(replicas),
    owned: pods,
    orphans: [],
    matches: (pod) => pod.metadata.labels?.app === 'web',
    isBeingDeleted: (pod) => pod.metadata.deletionTimestamp !== undefined,
    isRouted: () => true,
    isInDoubt: () => false,
    nextOrdinal: 0,
    nowMs: sampleNowMs,
    ...more,
  };
}

const types = (observed: ReplicaSetObservation) => planReplicaSet(observed).steps.map((step) => step.type);

describe('replica set plan', () => {
  const cases: [string, number, Pod[], string[]][] = [
    ['nothing there: creates all', 2, [], ['createPod', 'createPod']],
    ['as wanted: nothing', 1, [samplePod({ name: 'a', ...owned, isReady: true })], []],
    ['a terminating pod is replaced', 1, [samplePod({ name: 'a', ...owned, isTerminating: true })], ['createPod']],
    [
      'a pod on a lost node is replaced and kept',
      1,
      [samplePod({ name: 'a', ...owned, isReady: true, isLost: true })],
      ['createPod'],
    ],
    ['a succeeded pod is replaced', 1, [samplePod({ name: 'a', ...owned, phase: 'Succeeded' })], ['createPod']],
    ['scaled to 0 also ends lost pods', 0, [samplePod({ name: 'a', ...owned, isLost: true })], ['deletePod']],
    [
      'a relabelled pod is let go and replaced',
      1,
      [samplePod({ name: 'a', ...owned, labels: { app: 'debug' } })],
      ['releasePod', 'createPod'],
    ],
  ];
  for (const [name, replicas, pods, expected] of cases) {
    it(name, () => assert.deepEqual(types(observe(replicas, pods)), expected));
  }

  it('takes in a matching pod that belongs to nobody', () => {
    const orphans = [samplePod({ name: 'mine', isReady: true })];
    assert.deepEqual(types(observe(1, [], { orphans })), ['adoptPod']);
  });

  it('makes no more pods than may wait for a node, however many are asked for', () => {
    const unplaced = (count: number) =>
      Array.from({ length: count }, (_, at) => samplePod({ name: `u${at}`, ...owned, isUnschedulable: at === 0 }));
    const placed = samplePod({ name: 'p', ...owned, nodeName: 'h1', isReady: true });
    const plan = (pods: readonly Pod[]) => planReplicaSet(observe(2_147_483_647, [...pods, placed]));
    assert.equal(plan([]).steps.length, burst);
    assert.equal(plan(unplaced(maxUnplaced - 3)).steps.length, 3);
    assert.equal(plan(unplaced(maxUnplaced - 3)).held, undefined);
    assert.deepEqual(plan(unplaced(maxUnplaced)).steps, []);
    assert.match(plan(unplaced(maxUnplaced)).held ?? '', /^500 of its pods wait for a node; no more are made until/);
    assert.equal(planReplicaSet(observe(maxUnplaced, unplaced(maxUnplaced))).held, undefined, 'nothing is missing');
    const notTried = unplaced(maxUnplaced).slice(1);
    assert.equal(plan([...notTried, samplePod({ name: 'last', ...owned })]).held, undefined, 'its turn will come');
  });

  it('names pods after its uid and their ordinal', () => {
    const { steps } = planReplicaSet(observe(2, [], { nextOrdinal: 4 }));
    assert.deepEqual(
      steps.map((step) => step.type === 'createPod' && step.name),
      [podName('web', 'rs-1', 4), podName('web', 'rs-1', 5)],
    );
  });

  it('says why it makes pods for those of a lost node, and why it ends others when those are back', () => {
    const lost = ['a', 'b'].map((name) => samplePod({ name, ...owned, nodeName: 'h1', isReady: true, isLost: true }));
    const [made] = planReplicaSet(observe(2, lost)).steps;
    assert.ok(made?.type === 'createPod');
    assert.equal(made.why, '2 of its pods are on nodes that are lost: h1');
    const back = samplePod({ name: 'a', ...owned, nodeName: 'h1', isReady: true, isReturned: true });
    const standIn = samplePod({ name: 'c', ...owned, nodeName: 'h2', isReady: true, ageSeconds: 60 });
    const [ended] = planReplicaSet(observe(1, [back, standIn])).steps;
    assert.ok(ended?.type === 'deletePod');
    assert.deepEqual([ended.pod.metadata.name, ended.why], ['c', 'surplus, since pods of a lost node are back']);
  });

  it('waits longer and longer after pods that failed', () => {
    const failed = [1, 2, 3].map((at) => samplePod({ name: `f${at}`, ...owned, phase: 'Failed', ageSeconds: at }));
    const plan = planReplicaSet(observe(1, failed));
    assert.deepEqual(plan.steps, []);
    assert.equal(plan.againAfterMs, 3000);
  });

  it('a pod is available after minReadySeconds', () => {
    const replicaSet = sampleReplicaSet(1, { minReadySeconds: 10 });
    const pod = samplePod({ name: 'a', ...owned, isReady: true, ageSeconds: 4 });
    const plan = planReplicaSet(observe(1, [pod], { replicaSet }));
    assert.equal(plan.status.readyReplicas, 1);
    assert.equal(plan.status.availableReplicas, 0);
    assert.equal(plan.againAfterMs, 6000);
  });

  it('a pod is available when every node follows', () => {
    const pod = samplePod({ name: 'a', ...owned, isReady: true, ageSeconds: 3 });
    const { status, againAfterMs } = planReplicaSet(observe(1, [pod], { isRouted: () => false }));
    assert.deepEqual([status.readyReplicas, status.availableReplicas, againAfterMs], [1, 0, 12_000]);
    const old = samplePod({ name: 'a', ...owned, isReady: true, ageSeconds: 15 });
    const waited = planReplicaSet(observe(1, [old], { isRouted: () => false }));
    assert.equal(waited.status.availableReplicas, 1, 'nobody says so: it does not wait for ever');
  });
});

const anyPods = fc
  .array(
    fc.record({
      isReady: fc.boolean(),
      isLost: fc.boolean(),
      isTerminating: fc.boolean(),
      phase: fc.constantFrom('Pending', 'Running', 'Succeeded'),
      nodeName: fc.constantFrom('h1', 'h2', 'h3', ''),
      ageSeconds: fc.integer({ min: 0, max: 10_000 }),
    }),
    { maxLength: 12 },
  )
  .map((list) => list.map((one, at) => samplePod({ ...one, name: `p${at}`, ...owned })));

describe('replica set plan, any observation', () => {
  it('converges', () => {
    fc.assert(
      fc.property(anyPods, fc.integer({ min: 0, max: 8 }), (pods, replicas) => {
        let now = pods;
        for (let round = 0; round < 5; round += 1) {
          const { steps } = planReplicaSet(observe(replicas, now, { nextOrdinal: round * 100 }));
          if (steps.length === 0) {
            assert.equal(now.filter(isActive).length, replicas);
            return;
          }
          const gone = new Set(steps.flatMap((step) => (step.type === 'deletePod' ? [step.pod.metadata.name] : [])));
          const made = steps.flatMap((step) =>
            step.type === 'createPod' ? [samplePod({ name: step.name, ...owned })] : [],
          );
          now = [...now.filter((pod) => !gone.has(pod.metadata.name)), ...made];
        }
        assert.fail('does not come to rest');
      }),
      { numRuns: 200 },
    );
  });

  it('never ends a ready pod while an unready one would do, and never more than the surplus', () => {
    fc.assert(
      fc.property(anyPods, fc.integer({ min: 1, max: 8 }), (pods, replicas) => {
        const { steps } = planReplicaSet(observe(replicas, pods));
        const ended = steps.flatMap((step) => (step.type === 'deletePod' && isActive(step.pod) ? [step.pod] : []));
        const active = pods.filter(isActive);
        assert.ok(ended.length <= Math.max(0, active.length - replicas));
        const isReady = (pod: Pod) => pod.status?.conditions?.[0]?.status === 'True' && pod.spec.nodeName !== undefined;
        const spared = active.filter((pod) => !ended.includes(pod));
        if (ended.some(isReady)) assert.ok(spared.every(isReady));
      }),
      { numRuns: 200 },
    );
  });
});
