import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Pod, ReplicaSet } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { isActive, isServing } from '../pod-facts.ts';
import { sampleNowMs, samplePod, sampleReplicaSet } from '../sample-objects.ts';
import { planReplicaSet } from './plan.ts';

const owned = { ownerUid: 'rs-1' };

function withSurge(replicas: number, surge: number): ReplicaSet {
  const set = sampleReplicaSet(replicas);
  const sized = {
    [annotations.deploymentDesiredReplicas]: String(replicas),
    [annotations.deploymentMaxReplicas]: String(replicas + surge),
  };
  return { ...set, metadata: { ...set.metadata, annotations: sized } };
}

const plan = (replicaSet: ReplicaSet, pods: readonly Pod[], nextOrdinal = 0) =>
  planReplicaSet({
    ...{ replicaSet, owned: pods, orphans: [], matches: () => true, isRouted: () => true, nextOrdinal },
    isBeingDeleted: () => false,
    isInDoubt: () => false,
    nowMs: sampleNowMs,
  });
const words = (replicaSet: ReplicaSet, pods: readonly Pod[]) =>
  plan(replicaSet, pods).steps.map((step) => `${step.type} ${'pod' in step ? step.pod.metadata.name : ''}`.trim());
const works = (name: string) => samplePod({ name, ...owned, nodeName: 'h2', isReady: true });
const begins = (name: string) => samplePod({ name, ...owned, nodeName: 'h2' });
const leaves = (name: string, isReady = true) =>
  samplePod({ name, ...owned, nodeName: 'h1', isReady, isLeaving: true });

describe('pods that were asked to leave', () => {
  const one = withSurge(1, 1);
  const table: [string, ReplicaSet, Pod[], string[]][] = [
    ['one of one: another is made first', one, [leaves('a')], ['createPod']],
    ['… which is waited for', one, [leaves('a'), begins('b')], []],
    ['… and then it goes', one, [leaves('a'), works('b')], ['deletePod a']],
    ['one that serves nobody does not keep its place', one, [leaves('a', false), works('b')], ['deletePod a']],
    ['three of three, one more at a time', withSurge(3, 1), ['a', 'b', 'c'].map((n) => leaves(n)), ['createPod']],
    [
      '… each that works lets one go',
      withSurge(3, 1),
      [leaves('a'), leaves('b'), leaves('c'), works('d')],
      ['deletePod a'],
    ],
    [
      'as many more as the strategy allows',
      withSurge(3, 2),
      ['a', 'b', 'c'].map((n) => leaves(n)),
      ['createPod', 'createPod'],
    ],
    [
      'scaled to 0: they go like all others',
      withSurge(0, 0),
      [leaves('a'), works('b')],
      ['deletePod a', 'deletePod b'],
    ],
    ['scaled down: they are those who go', withSurge(1, 1), [leaves('a'), works('b')], ['deletePod a']],
    ['taken back: nothing happens', one, [works('a')], []],
  ];
  for (const [title, replicaSet, pods, expected] of table) {
    it(title, () => assert.deepEqual(words(replicaSet, pods), expected));
  }

  it('says why it makes one more', () => {
    const [made] = plan(one, [leaves('a')]).steps;
    assert.ok(made?.type === 'createPod');
    assert.equal(made.why, '1 of its pods is to leave: h1');
  });

  it('are all replaced in the end, and no step leaves fewer at work than wanted', () => {
    const drawn = fc.record({
      wanted: fc.integer({ min: 1, max: 8 }),
      surge: fc.integer({ min: 1, max: 3 }),
      leaving: fc.integer({ min: 0, max: 8 }),
      /** In which order those that begin become ready: index into them. */
      turns: fc.array(fc.nat(7), { minLength: 60, maxLength: 60 }),
    });
    fc.assert(
      fc.property(drawn, ({ wanted, surge, leaving, turns }) => {
        const set = withSurge(wanted, surge);
        let pods = Array.from({ length: wanted }, (_, at) => (at < leaving ? leaves(`old-${at}`) : works(`old-${at}`)));
        for (const [round, turn] of turns.entries()) {
          const { steps } = plan(set, pods, round * 100);
          const gone = new Set(steps.flatMap((step) => (step.type === 'deletePod' ? [step.pod] : [])));
          const made = steps.flatMap((step) => (step.type === 'createPod' ? [begins(step.name)] : []));
          pods = [...pods.filter((pod) => !gone.has(pod)), ...made];
          assert.ok(pods.filter(isServing).length >= wanted, 'fewer at work than wanted');
          assert.ok(pods.filter(isActive).length <= wanted + surge, 'more than the strategy allows');
          const idle = pods.filter((pod) => !isServing(pod));
          const next = idle[turn % Math.max(1, idle.length)];
          pods = pods.map((pod) => (pod === next ? works(pod.metadata.name) : pod));
          if (steps.length === 0 && idle.length === 0) break;
        }
        assert.deepEqual(plan(set, pods, 9_900).steps, []);
        assert.equal(pods.length, wanted);
        assert.ok(pods.every(({ spec }) => spec.nodeName === 'h2'));
      }),
      { numRuns: 200 },
    );
  });
});
