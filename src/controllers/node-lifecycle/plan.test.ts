import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isPodLost } from '../../resources/pod-facts.ts';
import { sampleNode, samplePod } from '../sample-objects.ts';
import { type NodeObservation, planNode } from './plan.ts';

const observe = (given: Partial<NodeObservation>): NodeObservation => ({
  node: sampleNode('h1', { ready: 'True' }),
  pods: [samplePod({ name: 'a', nodeName: 'h1', isReady: true })],
  lastHeardMs: 0,
  listeningSinceMs: 0,
  nowMs: 0,
  failoverAfterMs: 10_000,
  ...given,
});
const lost = samplePod({ name: 'a', nodeName: 'h1', isReady: true, isLost: true });
const notReady = sampleNode('h1', { ready: 'False' });
const unknown = sampleNode('h1', { ready: 'Unknown' });

describe('node lifecycle plan', () => {
  const cases: [string, Partial<NodeObservation>, string[], number][] = [
    ['heard just now', { nowMs: 100 }, [], 2_900],
    ['silent for a while: noted', { nowMs: 4_000 }, ['noteSuspect'], 6_000],
    ['silent for 9.9 s: not lost', { nowMs: 9_900 }, ['noteSuspect'], 100],
    ['silent for failover.after: lost', { nowMs: 10_000 }, ['markUnknown', 'markLost'], 10_000],
    ['lost already', { nowMs: 20_000, node: unknown, pods: [lost] }, [], 10_000],
    ['timed anew after this server slept', { nowMs: 50_000, listeningSinceMs: 45_000 }, [], 5_000],
    ['never heard: timed from the start of listening', { lastHeardMs: undefined, nowMs: 9_000 }, [], 1_000],
    ['never heard and too long', { lastHeardMs: undefined, nowMs: 10_000 }, ['markUnknown', 'markLost'], 10_000],
    [
      'heard again, its agent has not spoken',
      { nowMs: 30_100, lastHeardMs: 30_000, node: unknown, pods: [lost] },
      [],
      2_900,
    ],
    ['heard again, not ready', { nowMs: 30_100, lastHeardMs: 30_000, node: notReady, pods: [lost] }, [], 2_900],
    ['heard again and ready', { nowMs: 30_100, lastHeardMs: 30_000, pods: [lost] }, ['unmarkLost'], 2_900],
    [
      'a finished pod is not lost',
      { nowMs: 10_000, pods: [samplePod({ name: 'a', phase: 'Succeeded' })] },
      ['markUnknown'],
      10_000,
    ],
  ];
  for (const [name, given, expected, againAfterMs] of cases) {
    it(name, () => {
      const plan = planNode(observe(given));
      assert.deepEqual(
        plan.steps.map((step) => step.type),
        expected,
      );
      assert.equal(plan.againAfterMs, againAfterMs);
    });
  }
});

describe('node lifecycle plan, any history', () => {
  const times = fc.record({
    heard: fc.option(fc.integer({ min: 0, max: 60_000 }), { nil: undefined }),
    listening: fc.integer({ min: 0, max: 60_000 }),
    now: fc.integer({ min: 60_000, max: 90_000 }),
    isLost: fc.boolean(),
    ready: fc.constantFrom('True', 'False', 'Unknown'),
  });

  it('comes to rest', () => {
    fc.assert(
      fc.property(times, ({ heard, listening, now, isLost, ready }) => {
        const given = { lastHeardMs: heard, listeningSinceMs: listening, nowMs: now };
        const first = planNode(
          observe({ ...given, node: sampleNode('h1', { ready }), pods: [isLost ? lost : samplePod({ name: 'a' })] }),
        );
        const has = (type: string) => first.steps.some((step) => step.type === type);
        const node = sampleNode('h1', { ready: has('markUnknown') ? 'Unknown' : ready });
        const pods = [(isLost || has('markLost')) && !has('unmarkLost') ? lost : samplePod({ name: 'a' })];
        const second = planNode(observe({ ...given, node, pods })).steps.filter((step) => step.type !== 'noteSuspect');
        assert.deepEqual(second, []);
      }),
    );
  });

  it('never calls a pod lost before its node was silent, to ears that listened, for failover.after', () => {
    fc.assert(
      fc.property(times, ({ heard, listening, now }) => {
        const { steps } = planNode(observe({ lastHeardMs: heard, listeningSinceMs: listening, nowMs: now }));
        const isMarked = steps.some((step) => step.type === 'markLost' && !isPodLost(step.pod));
        assert.equal(isMarked, now - Math.max(heard ?? 0, listening) >= 10_000);
      }),
    );
  });
});
