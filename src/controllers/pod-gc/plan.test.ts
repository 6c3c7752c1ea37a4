import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Pod } from '../../resources/kinds.ts';
import { isPodFinished } from '../../resources/pod-facts.ts';
import { samplePod } from '../sample-objects.ts';
import { planPodGc } from './plan.ts';

const plan = (pods: readonly Pod[], finishedKept = 2) =>
  planPodGc({ pods, hasNode: (name) => name === 'h1', finishedKept });

describe('pod garbage plan', () => {
  const cases: [string, Pod, string[]][] = [
    ['runs on a node that exists', samplePod({ name: 'a', nodeName: 'h1', isReady: true }), []],
    ['its node is gone', samplePod({ name: 'a', nodeName: 'h9', isReady: true }), ['its node h9 no longer exists']],
    [
      'deleted before it was placed',
      samplePod({ name: 'a', isTerminating: true }),
      ['it was deleted before it had a node'],
    ],
    ['waits for a node', samplePod({ name: 'a' }), []],
    ['being ended by its agent', samplePod({ name: 'a', nodeName: 'h1', isTerminating: true }), []],
  ];
  for (const [name, pod, expected] of cases) {
    it(name, () =>
      assert.deepEqual(
        plan([pod]).map((step) => step.why),
        expected,
      ),
    );
  }

  it('removes the oldest of too many finished pods', () => {
    const pods = [1, 2, 3, 4].map((age) =>
      samplePod({ name: `p${age}`, nodeName: 'h1', phase: 'Succeeded', ageSeconds: age }),
    );
    assert.deepEqual(
      plan(pods).map((step) => step.pod.metadata.name),
      ['p3', 'p4'],
    );
  });
});

const anyPods = fc
  .array(
    fc.record({
      nodeName: fc.constantFrom('h1', 'h9', ''),
      phase: fc.constantFrom('Running', 'Failed', 'Succeeded'),
      isTerminating: fc.boolean(),
    }),
    { maxLength: 20 },
  )
  .map((list) => list.map((one, at) => samplePod({ ...one, name: `p${at}`, ageSeconds: at })));

describe('pod garbage plan, any pods', () => {
  it('comes to rest after one round', () => {
    fc.assert(
      fc.property(anyPods, (pods) => {
        const gone = new Set(plan(pods).map((step) => step.pod));
        assert.deepEqual(plan(pods.filter((pod) => !gone.has(pod))), []);
      }),
    );
  });
  it('never removes a pod that may still run on its node', () => {
    fc.assert(
      fc.property(anyPods, (pods) => {
        for (const { pod } of plan(pods)) assert.ok(pod.spec.nodeName !== 'h1' || isPodFinished(pod));
      }),
    );
  });
});
