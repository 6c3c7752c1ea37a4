import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice, Pod } from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import { type NodeWatermark, newestRevision } from './following.ts';
import { planWithdrawal, type WithdrawalObservation } from './plan.ts';

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web-1', namespace: 'shop', uid: 'u1', deletionTimestamp: '2026-11-21T10:00:00Z' },
  spec: { containers: [], nodeName: 'h1' },
  status: { podIPs: [{ ip: '10.80.0.2' }] },
};
const slice = (revision: number, conditions: { ready: boolean; terminating?: boolean }, uid = 'u1'): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `web-${revision}`, namespace: 'shop', resourceVersion: String(revision) },
  addressType: 'IPv4',
  endpoints: [
    { addresses: ['10.80.0.9'], conditions: { ready: true }, targetRef: { uid: 'other' } },
    { addresses: ['10.80.0.2'], conditions, targetRef: { uid } },
  ],
});
const gone = (revision: number) => slice(revision, { ready: false, terminating: true });
const node = (name: string, revision: number, more: { problem?: string; isBehind?: boolean } = {}): NodeWatermark => ({
  name,
  applied: { revision, ...(more.problem === undefined ? {} : { problem: more.problem }) },
  isBehind: more.isBehind ?? false,
});
const plan = (given: Partial<WithdrawalObservation>) =>
  planWithdrawal({
    ...{ pod, isSelected: true, slices: [], nodes: [], first: undefined, nowMs: 1_000 },
    newestRevision: () => newestRevision(given.slices ?? []),
    ...given,
  });

test('a pod that no service has goes at once', () => {
  assert.deepEqual(plan({ isSelected: false }), {
    ...{ type: 'followed', revision: 0, message: 'no service has it', waitedMs: 0, lagging: [] },
  });
  const young = { ...pod, status: {} };
  assert.equal(plan({ pod: young }).type, 'followed', 'selected, but nobody could be told an address');
});

test('one that left its services a moment ago goes when all nodes know, and one that was never routed at once', () => {
  const conditions = [{ type: podConditions.routed, status: 'True' }];
  const left = { isSelected: false, newestRevision: () => 7, nodes: [node('h1', 6)] };
  const routed = { ...pod, status: { ...pod.status, conditions } };
  assert.deepEqual(plan({ ...left, pod: routed }), {
    ...{ type: 'awaitNodes', revision: 7, lagging: ['h1'], untilMs: 6_000 },
  });
  assert.equal(plan({ ...left, pod: routed, nodes: [node('h1', 7)] }).type, 'followed');
  assert.equal(plan(left).type, 'followed');
  const other = { ...left, pod: routed, slices: [gone(5)], nodes: [node('h1', 5)] };
  assert.equal(plan(other).type, 'awaitNodes', 'it left one of its two services');
});

test('the slices come first: missing, or still sending connections', () => {
  assert.deepEqual(plan({}), { type: 'awaitSlices' });
  assert.deepEqual(plan({ slices: [gone(5), slice(6, { ready: true })] }), { type: 'awaitSlices' });
});

test('then every node that was told, up to the newest of its slices', () => {
  const slices = [gone(5), gone(8)];
  assert.deepEqual(plan({ slices, nodes: [node('h1', 8), node('h2', 7), node('h3', 0)] }), {
    ...{ type: 'awaitNodes', revision: 8, lagging: ['h2', 'h3'], untilMs: 6_000 },
  });
  assert.deepEqual(plan({ slices, nodes: [node('h1', 8), node('h2', 9)], first: { atMs: 960, revision: 8 } }), {
    ...{ type: 'followed', revision: 8, message: 'waited 40 ms for 2 nodes', waitedMs: 40, lagging: [] },
  });
});

test('a node that does not follow costs five seconds, once', () => {
  const slices = [gone(8)];
  const nodes = [node('h1', 8), node('h2', 3)];
  assert.equal(plan({ slices, nodes, first: { atMs: 0, revision: 8 }, nowMs: 4_999 }).type, 'awaitNodes');
  assert.deepEqual(plan({ slices, nodes, first: { atMs: 0, revision: 8 }, nowMs: 5_000 }), {
    ...{ type: 'followed', revision: 8, message: 'waited 5000 ms for 2 nodes, in vain for h2' },
    waitedMs: 5_000,
    lagging: ['h2'],
  });
  const next = plan({
    slices,
    nodes: [node('h1', 8), node('h2', 3, { isBehind: true })],
    first: { atMs: 1_000, revision: 8 },
  });
  assert.deepEqual(next, {
    ...{ type: 'followed', revision: 8, waitedMs: 0, lagging: [] },
    message: 'waited 0 ms for 1 node, not for 1 that cannot follow',
  });
});

test('it says how many proxies were among them', () => {
  const ingress = { ingresses: 8, secrets: 8, certificates: 8 };
  const proxy = { name: 'h2', applied: { revision: 9, ingress }, isBehind: false };
  const step = plan({ slices: [gone(8)], nodes: [node('h1', 8), proxy], first: { atMs: 960, revision: 8 } });
  assert.equal(step.type === 'followed' && step.message, 'waited 40 ms for 2 nodes; 1 of them has a proxy');
});

test('an agent that has just been started is given its time from then on', () => {
  const slices = [gone(8)];
  const nodes = [node('h1', 8), { ...node('h2', 0), startedMs: 3_000 }];
  assert.deepEqual(plan({ slices, nodes, first: { atMs: 0, revision: 8 }, nowMs: 6_000 }), {
    ...{ type: 'awaitNodes', revision: 8, lagging: ['h2'], untilMs: 8_000 },
  });
  assert.equal(plan({ slices, nodes, first: { atMs: 0, revision: 8 }, nowMs: 8_000 }).type, 'followed');
  const long = [node('h1', 8), { ...node('h2', 0), startedMs: -60_000 }];
  assert.equal(plan({ slices, nodes: long, first: { atMs: 0, revision: 8 }, nowMs: 5_000 }).type, 'followed');
});

test('one that says it cannot is not waited for', () => {
  const nodes = [node('h1', 8), node('h2', 3, { problem: 'nft: no such file' })];
  assert.equal(plan({ slices: [gone(8)], nodes }).type, 'followed');
});

test('later changes of its slice are not about it', () => {
  const nodes = [node('h1', 8)];
  assert.equal(plan({ slices: [gone(12)], nodes, first: { atMs: 900, revision: 8 } }).type, 'followed');
  assert.equal(plan({ slices: [gone(12)], nodes }).type, 'awaitNodes');
});
