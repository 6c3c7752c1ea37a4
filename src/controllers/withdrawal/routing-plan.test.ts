import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice, Pod } from '../../resources/kinds.ts';
import { labels, podConditions } from '../../resources/names.ts';
import { newestRevision } from './following.ts';
import { planRouting, type RoutingObservation } from './routing-plan.ts';

const pod = (isReady: boolean, routed?: 'True' | 'False', more: Partial<Pod['metadata']> = {}): Pod => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web-1', namespace: 'shop', uid: 'u1', ...more } },
  spec: { containers: [], nodeName: 'h1' },
  status: {
    phase: 'Running',
    conditions: [
      { type: 'Ready', status: isReady ? 'True' : 'False' },
      ...(routed === undefined ? [] : [{ type: podConditions.routed, status: routed }]),
    ],
  },
});
const slice = (service: string, revision: number, ready: boolean): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: service, resourceVersion: String(revision), labels: { [labels.serviceName]: service } },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.80.0.2'], conditions: { ready }, targetRef: { uid: 'u1' } }],
});
const node = (name: string, revision: number) => ({ name, applied: { revision }, isBehind: false });
const plan = (given: Partial<RoutingObservation>) =>
  planRouting({
    ...{ pod: pod(true), services: ['web'], slices: [], nodes: [], first: undefined, nowMs: 1_000 },
    newestRevision: () => newestRevision(given.slices ?? []),
    ...given,
  });

test('a pod that is ready is routed when all nodes have applied the slices of all of its services', () => {
  const both = { services: ['web', 'admin'], nodes: [node('h1', 9), node('h2', 8)] };
  assert.equal(plan({ ...both, slices: [slice('web', 8, true)] }).type, 'none', 'one of them does not have it yet');
  assert.equal(plan({ ...both, slices: [slice('web', 8, true), slice('admin', 9, false)] }).type, 'none');
  const slices = [slice('web', 8, true), slice('admin', 9, true)];
  assert.deepEqual(plan({ ...both, slices }), {
    ...{ type: 'awaitNodes', revision: 9, lagging: ['h2'], untilMs: 6_000 },
  });
  assert.deepEqual(plan({ ...both, slices, nodes: [node('h1', 9)], first: { atMs: 960, revision: 9 } }), {
    ...{ type: 'followed', revision: 9, message: 'waited 40 ms for 1 node', waitedMs: 40, lagging: [] },
  });
});

test('later changes of its slices are not about it', () => {
  const step = plan({ slices: [slice('web', 20, true)], nodes: [node('h1', 8)], first: { atMs: 900, revision: 8 } });
  assert.equal(step.type, 'followed');
});

test('one that is not ready any more is out when all nodes follow, and is routed anew', () => {
  const out = { pod: pod(false, 'True'), nodes: [node('h1', 8), node('h2', 7)] };
  assert.equal(plan({ ...out, slices: [slice('web', 8, true)] }).type, 'none', 'they still send it connections');
  assert.deepEqual(plan({ ...out, slices: [slice('web', 8, false)] }), {
    ...{ type: 'awaitNodes', revision: 8, lagging: ['h2'], untilMs: 6_000 },
  });
  assert.equal(plan({ ...out, slices: [slice('web', 7, false)] }).type, 'followed');
  assert.equal(plan({ ...out, slices: [] }).type, 'followed', 'no slice has it');
  assert.equal(plan({ ...out, slices: [], newestRevision: () => 8 }).type, 'awaitNodes', 'one had it until now');
  assert.equal(plan({ pod: pod(false, 'False') }).type, 'none');
  assert.equal(plan({ pod: pod(true, 'False'), slices: [slice('web', 8, true)] }).type, 'followed');
});

test('there is nothing to say of one that is routed, has no service or goes', () => {
  const slices = [slice('web', 8, true)];
  assert.equal(plan({ pod: pod(true, 'True'), slices }).type, 'none');
  assert.equal(plan({ services: [] }).type, 'none');
  const going = pod(false, 'True', { deletionTimestamp: '2026-11-21T10:00:00Z' });
  assert.equal(plan({ pod: going, slices }).type, 'none');
});
