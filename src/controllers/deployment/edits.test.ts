import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import { isSame } from '../same.ts';
import { sampleDeployment, sampleNowMs } from '../sample-objects.ts';
import { type DeploymentStep, planDeployment } from './plan.ts';
import { sum } from './rolling.ts';

/** What a user may do at any moment. */
const edit = fc.record({
  image: fc.constantFrom('web:1', 'web:2', 'web:3'),
  replicas: fc.integer({ min: 0, max: 8 }),
  paused: fc.boolean(),
  strategy: fc.constantFrom(
    { type: 'Recreate' },
    { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 2 } },
    { type: 'RollingUpdate', rollingUpdate: { maxSurge: '50%', maxUnavailable: '25%' } },
  ),
  revisionHistoryLimit: fc.integer({ min: 0, max: 3 }),
  /** Rounds before the next edit, and how many pods become available, or stop being so, in each. */
  rounds: fc.array(fc.integer({ min: -2, max: 3 }), { maxLength: 6 }),
});

class Model {
  sets: ReplicaSet[] = [];
  deployment: Deployment;
  #made = 0;

  constructor(deployment: Deployment) {
    this.deployment = deployment;
  }

  get status(): Deployment['status'] {
    return this.deployment.status;
  }

  /** One reconcile, then what the replica set controller and the nodes make of it. */
  round(gained: number): readonly DeploymentStep[] {
    const { steps, status } = planDeployment({
      deployment: this.deployment,
      owned: this.sets,
      podsOf: () => [],
      nowMs: sampleNowMs,
    });
    this.deployment = { ...this.deployment, status };
    for (const step of steps) this.#apply(step);
    this.sets = this.sets.map((set) => {
      const size = set.spec.replicas ?? 0;
      const available = Math.max(0, Math.min(size, (set.status?.availableReplicas ?? 0) + gained));
      return { ...set, status: { replicas: size, readyReplicas: available, availableReplicas: available } };
    });
    return steps;
  }

  #apply(step: DeploymentStep): void {
    if (step.type === 'createReplicaSet') {
      const { metadata } = step.replicaSet;
      assert.ok(!this.sets.some((one) => one.metadata.name === metadata.name), `${metadata.name} is made twice`);
      const creationTimestamp = new Date(sampleNowMs + this.#made++ * 1000).toISOString();
      this.sets.push({ ...step.replicaSet, metadata: { ...metadata, uid: metadata.name, creationTimestamp } });
    } else if (step.type === 'deleteReplicaSet') {
      assert.equal(step.replicaSet.spec.replicas, 0, 'only empty sets are deleted');
      this.sets = this.sets.filter((one) => one.metadata.name !== step.replicaSet.metadata.name);
    } else if (step.type === 'changeReplicaSet') {
      const { replicas, annotations } = step.change;
      this.sets = this.sets.map((one) => {
        if (one.metadata.name !== step.replicaSet.metadata.name) return one;
        const metadata = { ...one.metadata, annotations: { ...one.metadata.annotations, ...annotations } };
        return { ...one, metadata, spec: { ...one.spec, ...(replicas === undefined ? {} : { replicas }) } };
      });
    } else if (step.type === 'annotateDeployment') {
      const annotations = { 'deployment.kubernetes.io/revision': String(step.revision) };
      this.deployment = { ...this.deployment, metadata: { ...this.deployment.metadata, annotations } };
    }
  }
}

const imageOf = (set: ReplicaSet) => set.spec.template?.spec?.containers[0]?.image;

it('whatever was edited and failed on the way, in the end all pods are of the newest template, and it rests', () => {
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
      const model = new Model(sampleDeployment());
      for (const { image, rounds, ...spec } of edits) {
        model.deployment = { ...model.deployment, spec: sampleDeployment(spec, image).spec };
        for (const gained of rounds) model.round(gained);
      }
      model.deployment = { ...model.deployment, spec: { ...model.deployment.spec, paused: false } };
      for (let left = 100, isResting = false; !isResting; left -= 1) {
        assert.ok(left > 0, 'does not come to rest');
        const { status, sets } = model;
        isResting = model.round(8).length === 0 && isSame(model.status, status) && isSame(model.sets, sets);
      }
      const { spec, status, metadata } = model.deployment;
      const wanted = spec.replicas ?? 0;
      const image = spec.template.spec?.containers[0]?.image;
      const newest = model.sets.find((one) => imageOf(one) === image);
      assert.equal(newest?.spec.replicas, wanted);
      assert.equal(
        sum(model.sets, (one) => one.spec.replicas ?? 0),
        wanted,
      );
      assert.ok(model.sets.length <= 1 + (spec.revisionHistoryLimit ?? 10), `${model.sets.length} sets are kept`);
      const revisions = model.sets.map((one) =>
        Number(one.metadata.annotations?.['deployment.kubernetes.io/revision']),
      );
      assert.equal(new Set(revisions).size, revisions.length, 'each has a revision of its own');
      assert.equal(metadata.annotations?.['deployment.kubernetes.io/revision'], String(Math.max(...revisions)));
      const progressing = status?.conditions?.find((one) => one.type === 'Progressing');
      assert.equal(progressing?.reason, 'NewReplicaSetAvailable');
    }),
    { numRuns: 300 },
  );
});
