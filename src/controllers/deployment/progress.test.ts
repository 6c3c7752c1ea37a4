import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import { sampleDeployment, sampleNowMs } from '../sample-objects.ts';
import { planDeployment } from './plan.ts';
import { replicaSetFor } from './replica-set-for.ts';

type Status = NonNullable<Deployment['status']>;

const v1 = sampleDeployment({}, 'web:1');
const name = replicaSetFor(v1, 3, 1).metadata.name;

function setOf(deployment: Deployment, replicas: number, available: number, more: Partial<ReplicaSet['status']> = {}) {
  const made = replicaSetFor(deployment, 3, 1);
  return { ...made, status: { replicas, readyReplicas: available, availableReplicas: available, ...more } };
}

const statusOf = (deployment: Deployment, owned: readonly ReplicaSet[], status: Status | undefined, afterSeconds = 0) =>
  planDeployment({
    deployment: { ...deployment, ...(status ? { status } : {}) },
    owned,
    podsOf: () => [],
    nowMs: sampleNowMs + afterSeconds * 1000,
  });

const condition = (status: Status | undefined, type = 'Progressing') =>
  status?.conditions?.find((one) => one.type === type);
const brief = (status: Status) => [condition(status)?.status, condition(status)?.reason, condition(status)?.message];

describe('the condition Progressing', () => {
  const created = statusOf(v1, [], undefined).status;
  const moving = statusOf(v1, [setOf(v1, 3, 1)], created, 10).status;
  const done = statusOf(v1, [setOf(v1, 3, 3)], moving, 20).status;

  it('tells of the set that is made, of each step, and of the end', () => {
    assert.deepEqual(brief(created), ['True', 'NewReplicaSetCreated', `Created new replica set "${name}"`]);
    assert.deepEqual(brief(moving), ['True', 'ReplicaSetUpdated', `ReplicaSet "${name}" is progressing.`]);
    assert.deepEqual(brief(done), [
      'True',
      'NewReplicaSetAvailable',
      `ReplicaSet "${name}" has successfully progressed.`,
    ]);
    assert.equal(condition(done)?.lastTransitionTime, condition(created)?.lastTransitionTime);
    assert.notEqual(condition(done)?.lastUpdateTime, condition(moving)?.lastUpdateTime);
  });
  it('tells of a set that was found', () => {
    const { status } = statusOf(v1, [setOf(v1, 0, 0)], { observedGeneration: 1 });
    assert.deepEqual(brief(status), ['True', 'FoundNewReplicaSet', `Found new replica set "${name}"`]);
  });
  it('stays as it is while nothing moves, and says so when the deadline has passed', () => {
    const set = [setOf(v1, 3, 1)];
    const waiting = statusOf(v1, set, moving, 609);
    assert.deepEqual(waiting.status, moving);
    assert.equal(waiting.againAfterMs, 2000, 'asks again a second after the deadline');
    const late = statusOf(v1, set, moving, 611);
    assert.deepEqual(brief(late.status), [
      'False',
      'ProgressDeadlineExceeded',
      `ReplicaSet "${name}" has timed out progressing.`,
    ]);
    assert.equal(late.againAfterMs, undefined);
    assert.deepEqual(statusOf(v1, set, late.status, 9_999).status, late.status);
    assert.equal(condition(statusOf(v1, [setOf(v1, 3, 2)], late.status, 700).status)?.reason, 'ReplicaSetUpdated');
    assert.equal(condition(statusOf(v1, [setOf(v1, 3, 3)], late.status, 700).status)?.reason, 'NewReplicaSetAvailable');
  });
  it('has no clock running once it is through: a pod that fails later is no stuck rollout', () => {
    const { status, againAfterMs } = statusOf(v1, [setOf(v1, 3, 1)], done, 5000);
    assert.deepEqual(condition(status), condition(done));
    assert.equal(againAfterMs, undefined);
    assert.equal(condition(status, 'Available')?.status, 'False');
  });
  it('begins anew with a new template', () => {
    const v2 = sampleDeployment({}, 'web:2');
    assert.equal(condition(statusOf(v2, [setOf(v1, 3, 3)], done, 900).status)?.reason, 'NewReplicaSetCreated');
  });
  it('is not there without a deadline', () => {
    const endless = sampleDeployment({ progressDeadlineSeconds: 2_147_483_647 }, 'web:1');
    assert.equal(condition(statusOf(endless, [setOf(endless, 3, 1)], moving).status), undefined);
  });
  it('is Unknown while paused, and for a moment after', () => {
    const paused = sampleDeployment({ paused: true }, 'web:1');
    const still = statusOf(paused, [setOf(v1, 3, 1)], moving, 30).status;
    assert.deepEqual(brief(still), ['Unknown', 'DeploymentPaused', 'Deployment is paused']);
    assert.deepEqual(statusOf(paused, [setOf(v1, 3, 1)], still, 9_999).status, still, 'no deadline while paused');
    const resumed = statusOf(v1, [setOf(v1, 3, 1)], still, 9_999);
    assert.deepEqual(brief(resumed.status), ['Unknown', 'DeploymentResumed', 'Deployment is resumed']);
    assert.equal(resumed.againAfterMs, 601_000, 'with the whole deadline before it');
  });
});

describe('status of a deployment', () => {
  it('counts', () => {
    const v2 = sampleDeployment({}, 'web:2');
    const { status } = statusOf(v2, [setOf(v1, 3, 2), setOf(v2, 1, 1)], undefined);
    const { conditions: _conditions, ...counts } = status;
    assert.deepEqual(counts, {
      observedGeneration: 1,
      replicas: 4,
      updatedReplicas: 1,
      readyReplicas: 3,
      availableReplicas: 3,
      unavailableReplicas: 3,
    });
  });
  it('is available with as many pods as the strategy promises', () => {
    const of = (available: number, spec = {}) =>
      condition(
        statusOf(sampleDeployment({ replicas: 4, ...spec }), [setOf(v1, 4, available)], undefined).status,
        'Available',
      )?.reason;
    assert.equal(of(3), 'MinimumReplicasAvailable');
    assert.equal(of(2), 'MinimumReplicasUnavailable');
    assert.equal(of(3, { strategy: { type: 'Recreate' } }), 'MinimumReplicasUnavailable');
  });
  it('repeats why pods cannot be created, as long as they cannot', () => {
    const failure = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'forbidden' };
    const { status } = statusOf(v1, [setOf(v1, 0, 0, { conditions: [failure] })], undefined);
    assert.equal(condition(status, 'ReplicaFailure')?.message, 'forbidden');
    assert.equal(condition(statusOf(v1, [setOf(v1, 3, 3)], status).status, 'ReplicaFailure'), undefined);
  });
});
