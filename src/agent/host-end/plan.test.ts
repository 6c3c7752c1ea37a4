import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../resources/kinds.ts';
import { hostEndTimes, planEvictions } from './plan.ts';

const pod = (
  name: string,
  more: Partial<Pod['spec']> = {},
  isMade = true,
  metadata: Partial<Pod['metadata']> = {},
): Pod => ({
  ...{ apiVersion: 'v1', kind: 'Pod' },
  metadata: {
    ...{ name, uid: name, ...metadata },
    ...(isMade
      ? { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'r', controller: true }] }
      : {}),
  },
  spec: { containers: [], ...more },
  status: { phase: 'Running' },
});
const names = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.name);

test('what others can take over is asked to leave; what has its files here, or that nobody makes again, waits for the host', () => {
  const db = pod('db', { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] });
  const all = [
    pod('web'),
    db,
    pod('bare', {}, false),
    pod('going', {}, true, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
  ];
  assert.deepEqual(names(planEvictions(all, new Map(), 0, 10)), ['web']);
});

test('one whose replacement finds no node is given up after seconds, and all after a while: the host must go down', () => {
  const all = [pod('a'), pod('b')];
  const refused = new Map([['a', { unplacedSinceMs: 1_000 }]]);
  assert.deepEqual(names(planEvictions(all, refused, 0, 3_999)), ['a', 'b']);
  assert.deepEqual(names(planEvictions(all, refused, 0, 4_000)), ['b']);
  assert.deepEqual(names(planEvictions(all, new Map(), 0, hostEndTimes.replaceMs)), []);
});
