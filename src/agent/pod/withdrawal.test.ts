import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import { mayStepAside, mayStop } from './withdrawal.ts';

const going = (more: Partial<Pod['metadata']> = {}, status: Pod['status'] = {}): Pod => ({
  ...{ apiVersion: 'v1', kind: 'Pod', spec: { containers: [] }, status },
  metadata: { name: 'web', deletionTimestamp: '2026-11-21T10:00:00Z', deletionGracePeriodSeconds: 30, ...more },
});
const connected = { isServerConnected: true, deletedMs: 1_000, disconnectedMs: 0 };
const alone = { isServerConnected: false, deletedMs: 1_000, disconnectedMs: 500 };

test('a pod that stays, is forced, or is withdrawn', () => {
  assert.equal(mayStop({ ...going(), metadata: { name: 'web' } }, connected, 1_000), true);
  assert.equal(mayStop(going({ deletionGracePeriodSeconds: 0 }), connected, 1_000), true);
  const conditions = [{ type: podConditions.withdrawn, status: 'True' }];
  assert.equal(mayStop(going({}, { conditions }), connected, 1_000), true);
});

test('a leader that says nothing is waited for, and not for ever', () => {
  assert.deepEqual(mayStop(going(), connected, 1_000), { untilMs: 13_000 });
  assert.equal(mayStop(going(), connected, 13_000), true);
});

test('with no server it goes after a second', () => {
  assert.deepEqual(mayStop(going(), alone, 1_500), { untilMs: 2_000 });
  assert.equal(mayStop(going(), alone, 2_000), true);
  assert.deepEqual(mayStop(going(), { ...alone, disconnectedMs: 4_000 }, 4_100), { untilMs: 5_000 });
});

test('a container that is started anew serves until its pod is out of routing, a broken one not for long', () => {
  const routed = (status: string): Pod => ({
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec: { containers: [] } },
    status: { conditions: [{ type: podConditions.routed, status }] },
  });
  const facts = { isServerConnected: true, disconnectedMs: 0, sinceMs: 1_000, isBroken: false };
  assert.equal(mayStepAside(routed('False'), facts, 1_000), true);
  assert.equal(mayStepAside({ ...routed('True'), status: {} }, facts, 1_000), true, 'no service has it');
  assert.deepEqual(mayStepAside(routed('True'), facts, 1_000), { untilMs: 13_000 });
  assert.deepEqual(mayStepAside(routed('True'), { ...facts, isBroken: true }, 1_000), { untilMs: 3_000 });
  assert.deepEqual(mayStepAside(routed('True'), { ...facts, isServerConnected: false }, 1_000), { untilMs: 2_000 });
  assert.equal(mayStepAside(routed('True'), { ...facts, isBroken: true }, 3_000), true);
});
