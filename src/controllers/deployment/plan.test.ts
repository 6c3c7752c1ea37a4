import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import { sampleDeployment, sampleNowMs, samplePod } from '../sample-objects.ts';
import { type DeploymentStep, planDeployment, type ReplicaSetChange } from './plan.ts';
import { replicaSetFor } from './replica-set-for.ts';
import { rollingBounds, sizeAnnotations } from './rolling.ts';

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
    if (step.type === 'changeReplicaSet' && step.change.replicas !== undefined)
      return [`${step.replicaSet.spec.template?.spec?.containers[0]?.image} → ${step.change.replicas}`];
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
    assert.ok(steps.some((step) => step.type === 'annotateDeployment' && step.revision === 3n));
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
});

interface Model {
  sets: ReplicaSet[];
}

const strategies = fc.record({
  replicas: fc.integer({ min: 0, max: 12 }),
  maxSurge: fc.integer({ min: 0, max: 4 }),
  maxUnavailable: fc.integer({ min: 0, max: 4 }),
});

function changed(set: ReplicaSet, change: ReplicaSetChange): ReplicaSet {
  const annotations = { ...set.metadata.annotations, ...change.annotations };
  const replicas = change.replicas ?? set.spec.replicas ?? 0;
  return { ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, replicas } };
}

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
    } else if (step.type === 'changeReplicaSet') {
      model.sets = model.sets.map((set) => (set === step.replicaSet ? changed(set, step.change) : set));
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

describe('deployment plan, a size changed in the middle of a rollout', () => {
  const sized = (image: string, replicas: number, maxSurge = 3, maxUnavailable = 2) =>
    sampleDeployment(
      { replicas, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } },
      image,
    );

  it('is shared out in proportion, with what is left to the larger set', () => {
    const sets = [setOf(sized('web:1', 10), 8, 8, 1), setOf(sized('web:2', 10), 5, 0, 2)].map((set) => ({
      ...set,
      metadata: {
        ...set.metadata,
        annotations: { ...set.metadata.annotations, ...sizeAnnotations(sized('web:2', 10)) },
      },
    }));
    assert.deepEqual(brief(plan(sized('web:2', 30), sets).steps), ['web:2 → 13', 'web:1 → 20']);
    assert.deepEqual(brief(plan(sized('web:2', 5), sets).steps), ['web:2 → 3', 'web:1 → 5']);
  });
  it('is shared out while paused, too, and remembered on each set', () => {
    const sets = [setOf(sized('web:1', 10), 8, 8, 1), setOf(sized('web:2', 10), 5, 5, 2)];
    const paused = { ...sized('web:2', 20), spec: { ...sized('web:2', 20).spec, paused: true } };
    const { steps } = plan(paused, sets);
    assert.deepEqual(brief(steps), ['web:2 → 9', 'web:1 → 14']);
    const written = steps.flatMap((step) => (step.type === 'changeReplicaSet' ? [step.change.annotations] : []));
    const key = 'deployment.kubernetes.io/desired-replicas';
    assert.deepEqual(
      written.map((one) => one?.[key]),
      ['20', '20'],
    );
    const model: Model = { sets };
    advance(model, steps, () => 30);
    assert.deepEqual(brief(plan(paused, model.sets).steps), [], 'and then rests');
  });
  it('goes to the newest alone when all of its pods are there', () => {
    const sets = [setOf(sized('web:1', 4), 2, 2, 1), setOf(sized('web:2', 4), 6, 6, 2)];
    assert.deepEqual(brief(plan(sized('web:2', 6), sets).steps), ['web:1 → 0']);
  });

  it('never takes away more available pods than promised, nor makes more than allowed', () => {
    const pods = fc.integer({ min: 0, max: 12 });
    fc.assert(
      fc.property(strategies, pods, pods, pods, pods, ({ replicas, ...bound }, ofOld, ofNew, oldServe, newServe) => {
        const { maxSurge, maxUnavailable } = bound;
        const was = sized('web:2', Math.max(1, ofOld + ofNew - maxSurge), maxSurge, maxUnavailable);
        const before = { ...sized('web:1', 1), spec: { ...was.spec, template: sized('web:1', 1).spec.template } };
        const sets = [
          setOf(before, ofOld, Math.min(ofOld, oldServe), 1),
          setOf(was, ofNew, Math.min(ofNew, newServe), 2),
        ];
        const deployment = sized('web:2', replicas, maxSurge, maxUnavailable);
        const bounds = rollingBounds(deployment);
        const served = available(sets);
        const model: Model = { sets };
        for (let round = 0; round < 60; round += 1) {
          const { steps } = plan(deployment, model.sets);
          advance(model, steps, () => 0);
          const promised = Math.min(served, replicas - bounds.maxUnavailable);
          assert.ok(available(model.sets) >= promised, `${available(model.sets)} available, ${promised} promised`);
          const total = model.sets.reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0);
          const most = Math.max(ofOld + ofNew, replicas + bounds.maxSurge);
          assert.ok(total <= most, `${total} pods, at most ${most}`);
        }
        for (let round = 0; round < 60; round += 1) advance(model, plan(deployment, model.sets).steps, () => 3);
        assert.deepEqual(
          model.sets.map((set) => set.spec.replicas),
          [0, replicas],
        );
      }),
      { numRuns: 500 },
    );
  });
});

function available(sets: readonly ReplicaSet[]): number {
  return sets.reduce((sum, set) => sum + Math.min(set.spec.replicas ?? 0, set.status?.availableReplicas ?? 0), 0);
}
