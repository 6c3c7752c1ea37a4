import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import { sampleDeployment, sampleNowMs, samplePod } from '../sample-objects.ts';
import { type DeploymentStep, planDeployment } from './plan.ts';
import { replicaSetFor } from './replica-set-for.ts';
import { rollingBounds } from './rolling.ts';

function plan(
  deployment: Deployment,
  owned: readonly ReplicaSet[],
  podsOf: () => ReturnType<typeof samplePod>[] = () => [],
) {
  return planDeployment({ deployment, owned, podsOf, nowMs: sampleNowMs });
}

/** A set as it is once the replica set controller has caught up, `available` of its pods being so. */
function setOf(deployment: Deployment, replicas: number, available: number, revision: number): ReplicaSet {
  const made = replicaSetFor(deployment, replicas, revision);
  return withStatus(
    {
      ...made,
      metadata: { ...made.metadata, uid: made.metadata.name, creationTimestamp: `2026-01-01T0${revision}:00:00Z` },
    },
    available,
  );
}

function withStatus(set: ReplicaSet, available: number): ReplicaSet {
  return {
    ...set,
    status: { replicas: set.spec.replicas ?? 0, readyReplicas: available, availableReplicas: available },
  };
}

const brief = (steps: readonly DeploymentStep[]) =>
  steps.flatMap((step) => {
    if (step.type === 'createReplicaSet') return [`create ${step.replicaSet.spec.replicas}`];
    if (step.type === 'scaleReplicaSet')
      return [`${step.replicaSet.spec.template?.spec?.containers[0]?.image} → ${step.replicas}`];
    return step.type === 'deleteReplicaSet' ? ['delete'] : [];
  });

describe('deployment plan', () => {
  const v1 = sampleDeployment({}, 'web:1');
  const v2 = sampleDeployment({}, 'web:2');

  it('makes the first set at full size', () => assert.deepEqual(brief(plan(v1, []).steps), ['create 3']));
  it('is at rest when all is there', () => {
    const steps = plan(
      { ...v1, metadata: { ...v1.metadata, annotations: { 'deployment.kubernetes.io/revision': '1' } } },
      [setOf(v1, 3, 3, 1)],
    ).steps;
    assert.deepEqual(steps, []);
  });
  it('starts a new template with the surge', () =>
    assert.deepEqual(brief(plan(v2, [setOf(v1, 3, 3, 1)]).steps), ['create 1']));
  it('takes an old pod away for each new one that is available', () => {
    assert.deepEqual(brief(plan(v2, [setOf(v1, 3, 3, 1), setOf(v2, 1, 0, 2)]).steps), []);
    assert.deepEqual(brief(plan(v2, [setOf(v1, 3, 3, 1), setOf(v2, 1, 1, 2)]).steps), ['web:1 → 2']);
  });
  it('takes away old pods that serve nobody, whatever the new ones do', () => {
    assert.deepEqual(brief(plan(v2, [setOf(v1, 3, 0, 1), setOf(v2, 1, 0, 2)]).steps), []);
    const loose = sampleDeployment({ strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } }, 'web:2');
    assert.deepEqual(brief(plan(loose, [setOf(v1, 3, 2, 1), setOf(v2, 1, 0, 2)]).steps), ['web:1 → 2']);
  });
  it('goes back to an earlier set', () => {
    const steps = plan(v1, [setOf(v1, 0, 0, 1), setOf(v2, 3, 3, 2)]).steps;
    assert.deepEqual(brief(steps), ['web:1 → 1']);
    assert.ok(steps.some((step) => step.type === 'annotateDeployment' && step.revision === 3));
  });
  it('scales', () => {
    assert.deepEqual(brief(plan(sampleDeployment({ replicas: 5 }, 'web:1'), [setOf(v1, 3, 3, 1)]).steps), [
      'web:1 → 5',
    ]);
    assert.deepEqual(brief(plan(sampleDeployment({ replicas: 0 }, 'web:1'), [setOf(v1, 3, 3, 1)]).steps), [
      'web:1 → 0',
    ]);
  });
  it('does not roll while paused, and still scales', () => {
    const paused = sampleDeployment({ paused: true, replicas: 4 }, 'web:2');
    assert.deepEqual(brief(plan(paused, [setOf(v1, 3, 3, 1)]).steps), ['web:1 → 4']);
  });
  it('forgets sets beyond revisionHistoryLimit', () => {
    const deployment = sampleDeployment({ revisionHistoryLimit: 1 }, 'web:9');
    const old = [1, 2, 3].map((at) => setOf(sampleDeployment({}, `web:${at}`), 0, 0, at));
    const steps = plan(deployment, [...old, setOf(deployment, 3, 3, 4)]).steps;
    assert.deepEqual(brief(steps), ['delete', 'delete']);
  });

  describe('Recreate', () => {
    const next = sampleDeployment({ strategy: { type: 'Recreate' } }, 'web:2');
    it('stops the old ones first', () =>
      assert.deepEqual(brief(plan(next, [setOf(v1, 3, 3, 1)]).steps), ['web:1 → 0']));
    it('waits until they are gone', () => {
      const pods = () => [samplePod({ name: 'old', isTerminating: true })];
      assert.deepEqual(brief(plan(next, [setOf(v1, 0, 0, 1)], pods).steps), []);
      assert.deepEqual(brief(plan(next, [setOf(v1, 0, 0, 1)]).steps), ['create 3']);
    });
    it('does not wait for pods of a lost node', () => {
      const pods = () => [samplePod({ name: 'old', isTerminating: true, isLost: true })];
      assert.deepEqual(brief(plan(next, [setOf(v1, 0, 0, 1)], pods).steps), ['create 3']);
    });
  });

  describe('status', () => {
    it('is complete as kubectl rollout status reads it', () => {
      const { status } = plan(v1, [setOf(v1, 3, 3, 1)]);
      assert.equal(status.updatedReplicas, 3);
      assert.equal(status.availableReplicas, 3);
      assert.equal(status.observedGeneration, 1);
      assert.equal(status.conditions?.find((one) => one.type === 'Progressing')?.reason, 'NewReplicaSetAvailable');
    });
    it('says when the deadline has passed, and recovers', () => {
      const set = setOf(v1, 3, 0, 1);
      const first = plan(v1, [set]).status;
      const late = (status: typeof first) =>
        planDeployment({ deployment: { ...v1, status }, owned: [set], podsOf: () => [], nowMs: sampleNowMs + 601_000 })
          .status;
      const progressing = (status: typeof first) => status.conditions?.find((one) => one.type === 'Progressing');
      assert.equal(progressing(late(first))?.reason, 'ProgressDeadlineExceeded');
      assert.deepEqual(late(late(first)), late(first));
      const better = planDeployment({
        deployment: { ...v1, status: late(first) },
        owned: [withStatus(set, 2)],
        podsOf: () => [],
        nowMs: sampleNowMs,
      });
      assert.equal(progressing(better.status)?.status, 'True');
    });
  });
});

interface Model {
  sets: ReplicaSet[];
}

const strategies = fc.record({
  replicas: fc.integer({ min: 0, max: 12 }),
  maxSurge: fc.integer({ min: 0, max: 4 }),
  maxUnavailable: fc.integer({ min: 0, max: 4 }),
});

/** Does the steps, then lets some pods become available: what `luck` says, as time would. */
function advance(model: Model, steps: readonly DeploymentStep[], luck: () => number): void {
  for (const step of steps) {
    if (step.type === 'createReplicaSet') {
      model.sets.push(
        withStatus(
          { ...step.replicaSet, metadata: { ...step.replicaSet.metadata, uid: step.replicaSet.metadata.name } },
          0,
        ),
      );
    } else if (step.type === 'scaleReplicaSet') {
      model.sets = model.sets.map((set) =>
        set === step.replicaSet ? { ...set, spec: { ...set.spec, replicas: step.replicas } } : set,
      );
    } else if (step.type === 'annotateReplicaSet') {
      model.sets = model.sets.map((set) =>
        set.metadata.name === step.replicaSet.metadata.name
          ? { ...set, metadata: { ...set.metadata, annotations: step.annotations } }
          : set,
      );
    }
  }
  model.sets = model.sets.map((set) => {
    const size = set.spec.replicas ?? 0;
    const before = Math.min(size, set.status?.availableReplicas ?? 0);
    return withStatus(set, Math.min(size, before + luck()));
  });
}

describe('deployment plan, any rollout', () => {
  it('converges, keeps enough available and makes no more than promised', () => {
    fc.assert(
      fc.property(
        strategies,
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 20 }),
        ({ replicas, ...rollingUpdate }, luck) => {
          const strategy = { type: 'RollingUpdate', rollingUpdate };
          const before = sampleDeployment({ replicas, strategy }, 'web:1');
          const deployment = sampleDeployment({ replicas, strategy }, 'web:2');
          const bounds = rollingBounds(deployment);
          const model: Model = { sets: [setOf(before, replicas, replicas, 1)] };
          for (let round = 0; round < 200; round += 1) {
            const { steps } = plan(deployment, model.sets);
            const gained = round < luck.length ? luck[round]! : 3;
            const sizes = brief(steps);
            advance(model, steps, () => gained);
            const total = model.sets.reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0);
            const available = model.sets.reduce((sum, set) => sum + (set.status?.availableReplicas ?? 0), 0);
            assert.ok(total <= replicas + bounds.maxSurge, `${total} pods`);
            assert.ok(available >= replicas - bounds.maxUnavailable, `${available} available`);
            const newest = model.sets.find((set) => set.spec.template?.spec?.containers[0]?.image === 'web:2');
            if (
              newest?.spec.replicas === replicas &&
              total === replicas &&
              newest.status?.availableReplicas === replicas &&
              sizes.length === 0
            )
              return;
          }
          assert.fail('does not come to an end');
        },
      ),
      { numRuns: 200 },
    );
  });
});
