import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leavingMs } from '../../resources/eviction-surge.ts';
import type { Node, Pod } from '../../resources/kinds.ts';
import { annotations, podConditions } from '../../resources/names.ts';
import { sampleNowMs as nowMs, samplePod, sampleReplicaSet } from '../sample-objects.ts';
import { type LeavingObservation, planLeft } from './leaving-plan.ts';

const set = sampleReplicaSet(1);
const sizes = { [annotations.deploymentDesiredReplicas]: '1', [annotations.deploymentMaxReplicas]: '2' };
const replicaSet = { ...set, metadata: { ...set.metadata, annotations: sizes } };
const node = (unschedulable: boolean): Node => ({
  ...{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'h1' }, spec: unschedulable ? { unschedulable } : {} },
});
const leaving = (reason: string, agoMs: number, given: Partial<Parameters<typeof samplePod>[0]> = {}): Pod => {
  const pod = samplePod({ name: 'a', ownerUid: 'rs-1', nodeName: 'h1', isReady: true, ...given });
  const lastProbeTime = new Date(nowMs - agoMs).toISOString();
  const condition = { type: podConditions.leaving, status: 'True', reason, lastProbeTime };
  return { ...pod, status: { ...pod.status, conditions: [...(pod.status?.conditions ?? []), condition] } };
};
const plan = (pod: Pod, more: Partial<LeavingObservation> = {}) =>
  planLeft({ pod, node: node(true), replicaSet, nowMs, ...more });

test('it is to leave as long as somebody asks', () => {
  assert.deepEqual(plan(leaving('Evicted', 20_000)), { type: 'wait', againAfterMs: leavingMs - 20_000 });
  const step = plan(leaving('Evicted', leavingMs));
  assert.equal(step.type === 'takeBack' && step.message, 'nobody has asked for 120 s');
});

test('a drain that is taken back lets it stay at once; another eviction does not end with it', () => {
  const step = plan(leaving('NodeDrained', 0), { node: node(false) });
  assert.equal(step.type === 'takeBack' && step.message, 'its node h1 takes pods again');
  assert.equal(plan(leaving('Evicted', 0), { node: node(false) }).type, 'wait');
});

test('it stays when nothing replaces it any more: its next eviction goes by the budget', () => {
  assert.equal(plan(leaving('Evicted', 0), { replicaSet: set }).type, 'takeBack');
  assert.equal(plan(leaving('Evicted', 0), { replicaSet: undefined }).type, 'takeBack');
});

test('of one that goes there is nothing to say', () => {
  assert.deepEqual(plan(leaving('Evicted', leavingMs, { isTerminating: true })), { type: 'none' });
  assert.deepEqual(plan(samplePod({ name: 'a', isReady: true })), { type: 'none' });
});
