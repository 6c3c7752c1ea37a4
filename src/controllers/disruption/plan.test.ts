import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { PodDisruptionBudgetSpec, PodDisruptionBudgetStatus } from 'kubernetes-types/policy/v1.js';
import { formatTime } from '../../resources/conditions.ts';
import type { PodDisruptionBudget } from '../../resources/kinds.ts';
import { sampleNowMs as nowMs, type SamplePod, samplePod } from '../sample-objects.ts';
import { planDisruption } from './plan.ts';

function budget(spec: PodDisruptionBudgetSpec, status?: PodDisruptionBudgetStatus): PodDisruptionBudget {
  const metadata = { name: 'web', namespace: 'shop', generation: 2 };
  return { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata, spec, ...(status ? { status } : {}) };
}
const ready = (count: number): SamplePod[] =>
  Array.from({ length: count }, (_, index) => ({ name: `web-${index}`, isReady: true }));
const empty = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 };

interface Counts {
  readonly currentHealthy: number;
  readonly desiredHealthy: number;
  readonly disruptionsAllowed: number;
  readonly expectedPods: number;
}

describe('disruption plan', () => {
  const cases: [string, PodDisruptionBudgetSpec, SamplePod[], number, Counts][] = [
    ['a count that stays', { minAvailable: 2 }, ready(3), 3, counts(3, 2, 1, 3)],
    ['a count without a controller', { minAvailable: 2 }, ready(3), 0, counts(3, 2, 1, 3)],
    ['a share, rounded up', { minAvailable: '50%' }, ready(5), 5, counts(5, 3, 2, 5)],
    ['a share of what is wanted, not of what there is', { minAvailable: '50%' }, ready(3), 6, counts(3, 3, 0, 6)],
    ['some may be missing', { maxUnavailable: 1 }, ready(3), 3, counts(3, 2, 1, 3)],
    ['some are missing already', { maxUnavailable: 1 }, ready(2), 3, counts(2, 2, 0, 3)],
    ['a share may be missing, rounded up', { maxUnavailable: '30%' }, ready(4), 4, counts(4, 2, 2, 4)],
    ['more may be missing than there are', { maxUnavailable: 9 }, ready(2), 2, counts(2, 0, 2, 2)],
    ['nothing is said: nothing is allowed', {}, ready(3), 3, counts(3, 0, 0, 0)],
    ['no pods', { minAvailable: 1 }, [], 0, { ...empty, desiredHealthy: 1 }],
    [
      'only what is well counts',
      { minAvailable: 1 },
      [
        ...ready(2),
        { name: 'starts', isReady: false },
        { name: 'goes', isReady: true, isTerminating: true },
        { name: 'lost', isReady: true, isLost: true },
        { name: 'ended', isReady: false, phase: 'Succeeded' },
      ],
      5,
      counts(2, 1, 1, 5),
    ],
  ];
  for (const [what, spec, pods, scale, expected] of cases) {
    it(what, () => {
      const { status } = planDisruption({ budget: budget(spec), pods: pods.map(samplePod), scale, nowMs });
      const { currentHealthy = 0, desiredHealthy = 0, disruptionsAllowed = 0, expectedPods = 0 } = status;
      assert.deepEqual({ currentHealthy, desiredHealthy, disruptionsAllowed, expectedPods }, expected);
      assert.equal(status.observedGeneration, 2);
      assert.equal(status.conditions?.[0]?.status, expected.disruptionsAllowed > 0 ? 'True' : 'False');
    });
  }

  it('a granted eviction counts as done until its pod goes, or two minutes have passed', () => {
    const grant = (secondsAgo: number) => {
      const disruptedPods = { 'web-0': formatTime(nowMs - secondsAgo * 1000), gone: formatTime(nowMs) };
      const one = budget({ minAvailable: 2 }, { ...empty, disruptedPods });
      return planDisruption({ budget: one, pods: ready(3).map(samplePod), scale: 3, nowMs });
    };
    assert.deepEqual(grant(30).status.disruptedPods, { 'web-0': formatTime(nowMs - 30_000) });
    assert.equal(grant(30).status.disruptionsAllowed, 0);
    assert.equal(grant(30).againAfterMs, 90_000);
    assert.equal(grant(121).status.disruptedPods, undefined);
    assert.equal(grant(121).status.disruptionsAllowed, 1);
  });

  it('comes to rest: what it wrote it would write again', () => {
    const pod = fc.record({
      isReady: fc.boolean(),
      isTerminating: fc.boolean(),
      isLost: fc.boolean(),
      wasGranted: fc.boolean(),
    });
    const limit = fc.oneof(fc.nat(6), fc.constantFrom('0%', '33%', '100%'));
    fc.assert(
      fc.property(fc.array(pod, { maxLength: 8 }), fc.boolean(), limit, fc.nat(8), (list, isMin, value, scale) => {
        const pods = list.map(({ wasGranted: _, ...one }, index) => samplePod({ name: `web-${index}`, ...one }));
        const granted = list.flatMap((one, index) => (one.wasGranted ? [[`web-${index}`, formatTime(nowMs)]] : []));
        const spec = isMin ? { minAvailable: value } : { maxUnavailable: value };
        const before = budget(spec, { ...empty, disruptedPods: Object.fromEntries(granted) });
        const first = planDisruption({ budget: before, pods, scale, nowMs }).status;
        const second = planDisruption({ budget: { ...before, status: first }, pods, scale, nowMs }).status;
        assert.deepEqual(second, first);
        const { disruptionsAllowed = 0, currentHealthy = 0, desiredHealthy = 0 } = first;
        assert.ok(disruptionsAllowed === 0 || currentHealthy - disruptionsAllowed >= desiredHealthy);
      }),
    );
  });
});

function counts(
  currentHealthy: number,
  desiredHealthy: number,
  disruptionsAllowed: number,
  expectedPods: number,
): Counts {
  return { currentHealthy, desiredHealthy, disruptionsAllowed, expectedPods };
}
