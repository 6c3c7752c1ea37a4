import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Node, Pod, PodDisruptionBudget } from '../../resources/kinds.ts';
import { annotations, labels, nodeConditions } from '../../resources/names.ts';
import { sampleNowMs as nowMs, type SamplePod, samplePod } from '../sample-objects.ts';
import { planUnhealthy, type UnhealthyObservation } from './plan.ts';

const node = (conditions: Record<string, string> = { Ready: 'True' }): Node => ({
  ...{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'h1' }, spec: {} },
  status: { conditions: Object.entries(conditions).map(([type, status]) => ({ type, status })) },
});
/** An instance of a stack, not ready for so long. */
const sick = (name: string, seconds: number, given: Partial<SamplePod> = {}): Pod => {
  const inStack = { app: 'web', [labels.stack]: 'shop' };
  const pod = samplePod({ name, nodeName: 'h1', isReady: false, phase: 'Running', labels: inStack, ...given });
  const conditions = (pod.status?.conditions ?? []).map((one) =>
    one.type === 'Ready' ? { ...one, lastTransitionTime: new Date(nowMs - seconds * 1_000).toISOString() } : one,
  );
  return { ...pod, status: { ...pod.status, conditions } };
};
const well = (name: string) => samplePod({ name, nodeName: 'h1', isReady: true, labels: { [labels.stack]: 'shop' } });
const plan = (pods: readonly Pod[], more: Partial<UnhealthyObservation> = {}) =>
  planUnhealthy({ pods, wanted: pods.length, nodeOf: () => node(), budgets: [], nowMs, ...more });
const replaced = (pods: readonly Pod[], more: Partial<UnhealthyObservation> = {}) =>
  plan(pods, more).replaced?.pod.metadata.name;

describe('instances that stay unhealthy', () => {
  it('are replaced after five minutes, and it is said why', () => {
    assert.deepEqual(plan([sick('a', 299), well('b')]), { againAfterMs: 1_000 });
    const { replaced: found } = plan([sick('a', 300), well('b')]);
    assert.equal(found?.pod.metadata.name, 'a');
    assert.equal(found?.why, 'not ready for 5 min though its node h1 is fine');
    const loops = sick('a', 300);
    const state = { waiting: { reason: 'CrashLoopBackOff' } };
    const status = { name: 'web', image: 'web', imageID: '', ready: false, restartCount: 9, state };
    const looping = { ...loops, status: { ...loops.status, containerStatuses: [status] } };
    assert.match(plan([looping]).replaced?.why ?? '', /\(CrashLoopBackOff, 9 restarts did not help\)$/);
  });

  it('may say when, or never; those of no stack are only restarted', () => {
    const says = (text: string): Pod => {
      const pod = sick('a', 60);
      return { ...pod, metadata: { ...pod.metadata, annotations: { [annotations.replaceUnhealthyAfter]: text } } };
    };
    assert.equal(replaced([says('1m')]), 'a');
    assert.deepEqual(plan([says('never')]), {});
    assert.deepEqual(plan([sick('a', 9_999, { labels: { app: 'web' } })]), {});
  });

  const table: [string, Pod[], Partial<UnhealthyObservation>][] = [
    ['that have not run yet', [sick('a', 400, { phase: 'Pending' })], {}],
    ['on a node that is not fine', [sick('a', 400)], { nodeOf: () => node({ Ready: 'False' }) }],
    [
      'on a node that is silent',
      [sick('a', 400)],
      { nodeOf: () => node({ Ready: 'True', [nodeConditions.suspect]: 'True' }) },
    ],
    ['that are asked to leave anyway', [sick('a', 400, { isLeaving: true })], {}],
    ['beside one that goes', [sick('a', 400), samplePod({ name: 'b', isTerminating: true })], { wanted: 1 }],
    ['beside one that is missing', [sick('a', 400)], { wanted: 2 }],
    ['beside one that was made a moment ago', [sick('a', 400), sick('b', 20, { ageSeconds: 21 })], {}],
  ];
  for (const [title, pods, more] of table) {
    it(`${title} stay`, () => assert.equal(replaced(pods, more), undefined));
  }

  it('go one at a time, the one that is unhealthy for longest first', () => {
    assert.equal(replaced([sick('a', 400), sick('b', 500), sick('c', 100)]), 'b');
  });

  it('stay while a budget lacks healthy pods', () => {
    const budget = (currentHealthy: number): PodDisruptionBudget => ({
      ...{ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'web', namespace: 'shop' } },
      spec: { selector: { matchLabels: { app: 'web' } }, minAvailable: 2 },
      status: { currentHealthy, desiredHealthy: 2, disruptionsAllowed: 0, expectedPods: 3 },
    });
    assert.equal(replaced([sick('a', 400)], { budgets: [budget(1)] }), undefined);
    assert.equal(replaced([sick('a', 400)], { budgets: [budget(2)] }), 'a');
  });

  it('never go all at once, however many there are and however long that goes on', () => {
    const drawn = fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(drawn, fc.integer({ min: 1, max: 300 }), (ages, stepSeconds) => {
        let pods = ages.map((seconds, at) => ({ name: `old-${at}`, sinceMs: nowMs - seconds * 1_000, isNew: false }));
        const goneMs: number[] = [];
        for (let atMs = nowMs; atMs < nowMs + 1_800_000; atMs += stepSeconds * 1_000) {
          const seen = pods.map(({ name, sinceMs, isNew }) => {
            const pod = sick(name, (nowMs - sinceMs) / 1_000);
            const creationTimestamp = new Date(isNew ? sinceMs : nowMs - 86_400_000).toISOString();
            return { ...pod, metadata: { ...pod.metadata, creationTimestamp } };
          });
          const name = replaced(seen, { nowMs: atMs });
          if (name === undefined) continue;
          goneMs.push(atMs);
          pods = pods.map((one) => (one.name === name ? { name: `new-${atMs}`, sinceMs: atMs, isNew: true } : one));
        }
        const pauses = goneMs.slice(1).map((at, index) => at - (goneMs[index] ?? 0));
        assert.ok(
          pauses.every((ms) => ms >= 300_000),
          `${pauses}`,
        );
      }),
      { numRuns: 50 },
    );
  });
});
