import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container } from 'kubernetes-types/core/v1.js';
import { formatMicroTime, formatTime, removeCondition, setCondition } from './conditions.ts';
import type { Pod } from './kinds.ts';
import { isPodFinished, isPodLost, isPodReady, podPhase, podRequests, qosClassOf } from './pod-facts.ts';
import { scaleOf, withScale } from './scale.ts';

const nowMs = Date.UTC(2026, 0, 1);

test('a condition keeps the time of its last change', () => {
  const first = setCondition(undefined, { type: 'Ready', status: 'False', reason: 'Starting' }, nowMs);
  assert.deepEqual(first, [
    { type: 'Ready', status: 'False', reason: 'Starting', lastTransitionTime: '2026-01-01T00:00:00Z' },
  ]);
  const again = setCondition(first, { type: 'Ready', status: 'False', reason: 'Starting' }, nowMs + 5000);
  assert.equal(again, first, 'nothing changed: nothing to write');
  const reason = setCondition(first, { type: 'Ready', status: 'False', message: 'm' }, nowMs + 5000);
  assert.deepEqual(reason, [
    { type: 'Ready', status: 'False', message: 'm', lastTransitionTime: '2026-01-01T00:00:00Z' },
  ]);
  const status = setCondition(reason, { type: 'Ready', status: 'True' }, nowMs + 5000);
  assert.deepEqual(status, [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:05Z' }]);
  const two = setCondition(status, { type: 'Other', status: 'True' }, nowMs);
  assert.deepEqual(
    two.map((one) => one.type),
    ['Ready', 'Other'],
  );
  assert.deepEqual(
    removeCondition(two, 'Ready').map((one) => one.type),
    ['Other'],
  );
  assert.equal(removeCondition(two, 'None'), two);
});

test('times', () => {
  assert.equal(formatTime(nowMs + 999), '2026-01-01T00:00:00Z');
  assert.equal(formatMicroTime(nowMs + 1), '2026-01-01T00:00:00.001000Z');
});

function pod(spec: Partial<Pod['spec']>, status?: Pod['status']): Pod {
  const meta = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } };
  return { ...meta, spec: { containers: [], ...spec }, ...(status ? { status } : {}) };
}

test('phase, readiness, loss', () => {
  assert.equal(podPhase(pod({})), 'Pending');
  assert.equal(isPodFinished(pod({}, { phase: 'Failed' })), true);
  assert.equal(isPodReady(pod({}, { conditions: [{ type: 'Ready', status: 'True' }] })), true);
  assert.equal(isPodReady(pod({}, { conditions: [{ type: 'Ready', status: 'Unknown' }] })), false);
  assert.equal(isPodLost(pod({}, { conditions: [{ type: 'flotilla.dev/NodeLost', status: 'True' }] })), true);
});

const withResources = (resources: object) => pod({ containers: [{ name: 'c', resources }] });

test('requests are summed; without them the limits count', () => {
  const resources = { limits: { cpu: '2', memory: '64Mi' }, requests: { cpu: '500m' } };
  assert.deepEqual(podRequests(withResources(resources)), { cpuMillis: 500, memoryBytes: 67_108_864 });
  assert.deepEqual(podRequests(pod({ containers: [{ name: 'a' }, { name: 'b' }] })), { cpuMillis: 0, memoryBytes: 0 });
});

test('a pod asks for the most that it needs at any time', () => {
  const of = (name: string, cpu: string, restartPolicy?: string) => ({
    ...{ name, resources: { requests: { cpu } } },
    ...(restartPolicy ? { restartPolicy } : {}),
  });
  const cpuOf = (initContainers: Container[]) =>
    podRequests(pod({ initContainers, containers: [of('a', '200m'), of('b', '300m')] })).cpuMillis;
  assert.equal(cpuOf([]), 500);
  assert.equal(cpuOf([of('i', '400m')]), 500, 'init containers run before the others');
  assert.equal(cpuOf([of('i', '400m'), of('j', '900m')]), 900, 'and one after the other');
  assert.equal(cpuOf([of('s', '100m', 'Always')]), 600, 'sidecars run beside them');
  assert.equal(cpuOf([of('s', '100m', 'Always'), of('i', '600m')]), 700, 'and beside what comes after them');
  assert.equal(cpuOf([of('i', '650m'), of('s', '100m', 'Always')]), 650);
});

test('the class of a pod', () => {
  assert.equal(qosClassOf(withResources({})), 'BestEffort');
  assert.equal(qosClassOf({}), 'BestEffort', 'a pod that is about to be refused');
  assert.equal(qosClassOf(withResources({ requests: { cpu: '1' } })), 'Burstable');
  assert.equal(qosClassOf(withResources({ limits: { cpu: '1', memory: '1Gi' } })), 'Guaranteed');
});

test('the scale of a deployment', () => {
  const spec = { replicas: 3, selector: { matchLabels: { a: 'b' } }, template: {} };
  const metadata = { name: 'web', namespace: 'd', resourceVersion: '7', labels: { x: 'y' } };
  const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec, status: { replicas: 2 } };
  assert.deepEqual(scaleOf(deployment), {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name: 'web', namespace: 'd', resourceVersion: '7' },
    spec: { replicas: 3 },
    status: { replicas: 2, selector: 'a=b' },
  });
  assert.equal(withScale(deployment, { spec: {} }).spec.replicas, 0);
  assert.equal(withScale(deployment, { spec: { replicas: 5 } }).spec.replicas, 5);
  assert.equal(deployment.spec.replicas, 3);
});
