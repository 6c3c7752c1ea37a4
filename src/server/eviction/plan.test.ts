import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PodDisruptionBudgetSpec, PodDisruptionBudgetStatus } from 'kubernetes-types/policy/v1.js';
import { planDisruption } from '../../controllers/disruption/plan.ts';
import type { Pod, PodDisruptionBudget } from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import { planEviction } from './plan.ts';
import { describeReplacement } from './replacement.ts';

const nowMs = Date.parse('2026-01-01T00:00:00Z');

function pod(name: string, given: { isReady?: boolean; phase?: string; isGoing?: boolean } = {}): Pod {
  const { isReady = true, phase = 'Running', isGoing = false } = given;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      labels: { app: 'web' },
      ...(isGoing ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: { containers: [{ name: 'c', image: 'i' }] },
    status: { phase, conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] },
  };
}

function budget(
  status: Partial<PodDisruptionBudgetStatus> | undefined,
  spec: PodDisruptionBudgetSpec = {},
  name = 'web',
): PodDisruptionBudget {
  const counts = {
    currentHealthy: 3,
    desiredHealthy: 2,
    disruptionsAllowed: 1,
    expectedPods: 3,
    observedGeneration: 1,
  };
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name, namespace: 'shop', generation: 1 },
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
    ...(status ? { status: { ...counts, ...status } } : {}),
  };
}

const cases: readonly (readonly [string, Pod, readonly PodDisruptionBudget[], object])[] = [
  ['no budget', pod('a'), [], { type: 'delete', isUnchanged: false }],
  ['a budget of others', pod('a'), [budget({}, { selector: { matchLabels: { app: 'db' } } })], { type: 'delete' }],
  ['a budget of nobody', pod('a'), [{ ...budget({}), spec: {} }], { type: 'delete' }],
  [
    'one that has not started',
    pod('a', { phase: 'Pending', isReady: false }),
    [budget({ disruptionsAllowed: 0 })],
    { type: 'delete', isUnchanged: true },
  ],
  [
    'one that has ended',
    pod('a', { phase: 'Failed' }),
    [budget({ disruptionsAllowed: 0 })],
    { type: 'delete', isUnchanged: false },
  ],
  ['one that goes already', pod('a', { isGoing: true }), [budget({ disruptionsAllowed: 0 })], { type: 'delete' }],
  [
    'one that is not ready, while enough are',
    pod('a', { isReady: false }),
    [budget({ disruptionsAllowed: 0 })],
    { type: 'delete', isUnchanged: true },
  ],
  [
    'one that is not ready, while too few are',
    pod('a', { isReady: false }),
    [budget({ disruptionsAllowed: 0, currentHealthy: 1 })],
    { type: 'wait', retryAfterSeconds: 0 },
  ],
  [
    'the same, if the budget says always',
    pod('a', { isReady: false }),
    [budget({ disruptionsAllowed: 0, currentHealthy: 1 }, { unhealthyPodEvictionPolicy: 'AlwaysAllow' })],
    { type: 'delete' },
  ],
  [
    'nothing left',
    pod('a'),
    [budget({ disruptionsAllowed: 0, currentHealthy: 2 })],
    { type: 'wait', cause: 'The disruption budget web needs 2 healthy pods and has 2 currently' },
  ],
  [
    'a budget changed a moment ago',
    pod('a'),
    [budget({ observedGeneration: 0 })],
    { type: 'wait', retryAfterSeconds: 10, cause: 'The disruption budget web is still being processed by the server.' },
  ],
  ['a budget made a moment ago', pod('a'), [budget(undefined)], { type: 'wait', retryAfterSeconds: 10 }],
  ['two budgets', pod('a'), [budget({}), budget({}, {}, 'too')], { type: 'refuse', code: 500 }],
  ['nonsense in the status', pod('a'), [budget({ disruptionsAllowed: -1 })], { type: 'refuse', code: 403 }],
];
for (const [what, one, budgets, expected] of cases) {
  test(`eviction: ${what}`, () => {
    const step = planEviction({ pod: one, budgets, replacement: undefined, nowMs }) as unknown as Record<
      string,
      unknown
    >;
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(step[key], value, key);
  });
}

test('one that others can replace is asked to leave, and asked again before that is forgotten', () => {
  const leaving = (said: string): Pod => {
    const condition = { type: podConditions.leaving, status: 'True', lastTransitionTime: '2025-12-31T23:00:00Z' };
    const conditions = [...(pod('a').status?.conditions ?? []), { ...condition, lastProbeTime: said }];
    return { ...pod('a'), status: { phase: 'Running', conditions } };
  };
  const plan = (one: Pod) =>
    planEviction({
      pod: one,
      budgets: [budget({ disruptionsAllowed: 0 })],
      replacement: { waitsFor: 'b is not ready yet', isUnplaced: false },
      nowMs,
    });
  const cause = 'another instance does its work first: b is not ready yet';
  assert.deepEqual(plan(pod('a')), { type: 'ask', since: '2026-01-01T00:00:00Z', cause, isUnplaced: false });
  assert.deepEqual(plan(leaving('2025-12-31T23:59:50Z')), {
    ...{ type: 'wait', why: 'replacement', cause, retryAfterSeconds: 1 },
  });
  assert.deepEqual(plan(leaving('2025-12-31T23:59:00Z')), {
    type: 'ask',
    since: '2025-12-31T23:00:00Z',
    cause,
    isUnplaced: false,
  });
  assert.equal(plan(pod('a', { isGoing: true })).type, 'delete');
});

test('who is replaced first spends nothing of a budget, and stays while it lacks healthy pods', () => {
  const replacement = { waitsFor: 'b is not ready yet', isUnplaced: false };
  const step = (currentHealthy: number, desiredHealthy: number) =>
    planEviction({
      pod: pod('a'),
      budgets: [budget({ currentHealthy, desiredHealthy, disruptionsAllowed: 0 })],
      replacement,
      nowMs,
    });
  assert.equal(step(3, 3).type, 'ask');
  assert.deepEqual(step(3, 4), {
    ...{ type: 'wait', why: 'budget', retryAfterSeconds: 0 },
    cause: 'The disruption budget web needs 4 healthy pods and has 3 currently',
  });
});

test('it says what the replacement waits for', () => {
  const other = (status: NonNullable<Pod['status']>): Pod => ({ ...pod('b'), status });
  const unplaced = { type: 'PodScheduled', status: 'False', message: '0 of 2 nodes: 1 takes no pods, 1 lacks memory' };
  const waiting = { reason: 'ErrImagePull', message: 'image "web:2" not found' };
  const container = { name: 'c', image: 'web:2', imageID: '', ready: false, restartCount: 0 };
  const told: [Pod[], RegExp][] = [
    [[pod('a')], /about to be made/],
    [[other({ phase: 'Pending', conditions: [unplaced] })], /^b waits for a node: 0 of 2 nodes/],
    [
      [other({ containerStatuses: [{ ...container, state: { waiting } }] })],
      /^b does not run yet: ErrImagePull, image/,
    ],
    [[other({ phase: 'Running' })], /^b is not ready yet$/],
  ];
  for (const [others, words] of told) assert.match(describeReplacement(others, nowMs)?.waitsFor ?? '', words);
  const since = (lastTransitionTime: string) => [other({ conditions: [{ ...unplaced, lastTransitionTime }] })];
  assert.equal(describeReplacement(since('2025-12-31T23:55:01Z'), nowMs)?.isUnplaced, true);
  assert.equal(describeReplacement(since('2025-12-31T23:55:00Z'), nowMs), undefined, 'it has waited long enough');
});

test('what is spent is written down with the pod that goes', () => {
  const step = planEviction({ pod: pod('a'), budgets: [budget({})], replacement: undefined, nowMs });
  assert.ok(step.type === 'spend');
  const { disruptionsAllowed, disruptedPods, conditions } = step.budget.status ?? {};
  assert.deepEqual([disruptionsAllowed, disruptedPods], [0, { a: '2026-01-01T00:00:00Z' }]);
  assert.equal(conditions?.[0]?.reason, 'InsufficientPods');
});

/**
 * What may happen, in any order: evictions by several at once, the controller with pods as it saw them a while ago. Its
 * view may lag, but never goes back.
 */
type Move = { readonly type: 'evict'; readonly at: number } | { readonly type: 'look'; readonly further: number };

test('however evictions and the controller interleave, what must stay stays', () => {
  const move: fc.Arbitrary<Move> = fc.oneof(
    fc.record({ type: fc.constant('evict' as const), at: fc.nat(7) }),
    fc.record({ type: fc.constant('look' as const), further: fc.nat(3) }),
  );
  let evicted = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 3, max: 8 }),
      fc.nat(6),
      fc.array(move, { minLength: 12, maxLength: 40 }),
      (count, min, moves) => {
        let pods = Array.from({ length: count }, (_, index) => pod(`web-${index}`));
        const history: Pod[][] = [pods];
        let seenUntil = 0;
        let current = { ...budget(undefined), spec: { ...budget(undefined).spec, minAvailable: min } };
        for (const one of moves) {
          if (one.type === 'look') {
            seenUntil = Math.min(seenUntil + one.further, history.length - 1);
            const { status } = planDisruption({ budget: current, pods: history[seenUntil] ?? [], scale: count, nowMs });
            current = { ...current, status };
          } else {
            const victim = pods[one.at % pods.length];
            if (!victim || victim.metadata.deletionTimestamp) continue;
            const step = planEviction({ pod: victim, budgets: [current], replacement: undefined, nowMs });
            if (step.type === 'spend') current = { ...step.budget, spec: current.spec };
            else if (step.type !== 'delete') continue;
            pods = pods.map((other) => (other === victim ? pod(victim.metadata.name, { isGoing: true }) : other));
            evicted++;
          }
          history.push(pods);
          const well = pods.filter((other) => !other.metadata.deletionTimestamp).length;
          assert.ok(well >= Math.min(min, count), `${well} of ${count} left, ${min} must stay`);
        }
      },
    ),
    { numRuns: 1_000 },
  );
  assert.ok(evicted > 500, `only ${evicted} evictions: the property says little`);
});
