import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import { sampleDeployment, sampleNowMs } from '../sample-objects.ts';
import { planDeployment } from './plan.ts';
import { replicaSetFor } from './replica-set-for.ts';

const key = 'deployment.kubernetes.io/revision';

/** Of a finished rollout unless a size is given. */
function setOf(deployment: Deployment, revision: number, replicas = 0, more: Record<string, string> = {}): ReplicaSet {
  const made = replicaSetFor(deployment, replicas, revision);
  const annotations = { ...made.metadata.annotations, ...more };
  const status = { replicas, readyReplicas: replicas, availableReplicas: replicas };
  return { ...made, metadata: { ...made.metadata, uid: made.metadata.name, annotations }, status };
}

const plan = (deployment: Deployment, owned: readonly ReplicaSet[]) =>
  planDeployment({ deployment, owned, podsOf: () => [], nowMs: sampleNowMs }).steps;

const withNotes = (deployment: Deployment, annotations: Record<string, string>): Deployment => ({
  ...deployment,
  metadata: { ...deployment.metadata, annotations },
});

describe('revisions', () => {
  const v1 = sampleDeployment({}, 'web:1');
  const v2 = sampleDeployment({}, 'web:2');
  const written = (deployment: Deployment, owned: readonly ReplicaSet[]) =>
    plan(deployment, owned).flatMap((step) =>
      step.type === 'changeReplicaSet' ? [step.change.annotations ?? {}] : [],
    );

  it('begin with 1, on the deployment and on its set', () => {
    const [first, second] = plan(v1, []);
    assert.deepEqual(first, { type: 'annotateDeployment', revision: 1n });
    assert.equal(second?.type === 'createReplicaSet' && second.replicaSet.metadata.annotations?.[key], '1');
  });
  it('of a template that comes back is the newest, and the former one is remembered', () => {
    const [annotations] = written(v1, [setOf(v1, 1), setOf(v2, 2, 3)]);
    assert.equal(annotations?.[key], '3');
    assert.equal(annotations?.[`${key}-history`], '1');
    const again = setOf(v1, 3, 0, { [`${key}-history`]: '1' });
    assert.equal(written(v1, [again, setOf(v2, 4, 3)])[0]?.[`${key}-history`], '1,3');
  });
  it('count beyond what a number can', () => {
    const large = setOf(v1, 0, 0, { [key]: '3546343826724305832' });
    assert.deepEqual(plan(v2, [large])[0], { type: 'annotateDeployment', revision: 3546343826724305833n });
  });
  it('keep no history beyond 2000 characters', () => {
    const long = Array.from({ length: 500 }, (_, at) => String(at + 100)).join(',');
    const [annotations] = written(v1, [setOf(v1, 700, 0, { [`${key}-history`]: long }), setOf(v2, 701, 3)]);
    const history = annotations?.[`${key}-history`] ?? '';
    assert.ok(history.length <= 2000 && history.endsWith(',700'), history);
  });
  it('bring the change cause along, not what concerns the deployment alone', () => {
    const noted = withNotes(v1, {
      [key]: '1',
      'kubernetes.io/change-cause': 'for the feast',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
      'flotilla.dev/applied-hash': 'x',
    });
    assert.deepEqual(written(noted, [setOf(v1, 1, 3)]), [{ 'kubernetes.io/change-cause': 'for the feast' }]);
  });
  it('change minReadySeconds without a new template', () => {
    const later = withNotes(sampleDeployment({ minReadySeconds: 7 }, 'web:1'), { [key]: '1' });
    const steps = plan(later, [setOf(v1, 1, 3)]);
    assert.deepEqual(
      steps.map((step) => step.type === 'changeReplicaSet' && step.change),
      [{ minReadySeconds: 7 }],
    );
  });
});

describe('revisionHistoryLimit', () => {
  const newest = sampleDeployment({}, 'web:9');
  const old = [1, 2, 3].map((at) => setOf(sampleDeployment({}, `web:${at}`), at));
  const deleted = (limit: number, sets: readonly ReplicaSet[]) =>
    plan({ ...newest, spec: { ...newest.spec, revisionHistoryLimit: limit } }, sets).flatMap((step) =>
      step.type === 'deleteReplicaSet' ? [step.replicaSet.metadata.annotations?.[key]] : [],
    );
  const cases: readonly (readonly [string, number, readonly ReplicaSet[], readonly string[]])[] = [
    ['forgets the lowest revisions', 1, [...old, setOf(newest, 4, 3)], ['1', '2']],
    ['0 forgets all', 0, [...old, setOf(newest, 4, 3)], ['1', '2', '3']],
    ['forgets nothing while a rollout is under way', 0, [...old, setOf(newest, 4, 2)], []],
    [
      'forgets nothing that has pods',
      1,
      [setOf(sampleDeployment({}, 'web:1'), 1, 0), ...old.slice(1), setOf(newest, 4, 3)].map((one) =>
        one.metadata.annotations?.[key] === '2' ? { ...one, status: { replicas: 1 } } : one,
      ),
      [],
    ],
    ['keeps as many as asked for', 3, [...old, setOf(newest, 4, 3)], []],
    ['has no limit with the largest number', 2_147_483_647, [...old, setOf(newest, 4, 3)], []],
  ];
  for (const [title, limit, sets, expected] of cases) it(title, () => assert.deepEqual(deleted(limit, sets), expected));
});
