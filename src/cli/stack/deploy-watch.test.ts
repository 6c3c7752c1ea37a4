import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stack } from '../../resources/kinds.ts';
import { DeployWatch } from './deploy-watch.ts';

const at = '2026-01-01T00:00:00Z';

function stack(reason: string, isProbed = false): Stack {
  const isFine = reason === 'Complete';
  const healthcheck = { exec: ['true'], intervalSeconds: 1, timeoutSeconds: 1, retries: 1, startPeriodSeconds: 0 };
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: { name: 's', namespace: 's' },
    spec: { services: { web: { image: 'i', instances: 1, ...(isProbed ? { healthcheck } : {}) } } },
    status: {
      observedGeneration: 1,
      conditions: [
        { type: 'Available', status: isFine ? 'True' : 'False', reason: 'x', message: '', lastTransitionTime: at },
        {
          type: 'Progressing',
          status: isFine || reason === 'Deploying' ? 'True' : 'False',
          reason,
          message: reason,
          lastTransitionTime: at,
        },
      ],
    },
  };
}

test('what has a health check is done at once, the rest must stay for a while', () => {
  assert.equal(new DeployWatch(1).look(stack('Complete', true), 0).type, 'done');
  const watch = new DeployWatch(1);
  assert.equal(watch.look(stack('Complete'), 100).type, 'running');
  assert.equal(watch.runningSinceMs, 100);
  assert.equal(watch.look(stack('Complete'), 1_599).type, 'running');
  assert.equal(watch.look(stack('Complete'), 1_600).type, 'done');
});

test('a container that crashes again and again is found out, though it looks well in between', () => {
  const watch = new DeployWatch(1);
  const seen: [number, string][] = [
    [0, 'Complete'],
    [200, 'CrashLoop'],
    [1_200, 'Complete'],
    [1_400, 'CrashLoop'],
    [3_400, 'Complete'],
    [3_600, 'CrashLoop'],
    [5_600, 'CrashLoop'],
    [7_500, 'CrashLoop'],
    [7_600, 'Complete'],
    [7_700, 'CrashLoop'],
  ];
  for (const [ms, reason] of seen) assert.equal(watch.look(stack(reason), ms).type, 'running', `${ms}`);
  assert.equal(watch.look(stack('CrashLoop'), 8_200).type, 'failed');
});

test('trouble that went away for good does not count later', () => {
  const watch = new DeployWatch(1);
  watch.look(stack('Unschedulable'), 0);
  watch.look(stack('Deploying'), 1_000);
  watch.look(stack('Deploying'), 14_000);
  assert.equal(watch.look(stack('Unschedulable'), 16_000).type, 'running');
  assert.equal(watch.look(stack('Unschedulable'), 31_000).type, 'failed');
});

test('what is tolerated is no trouble that one would have to wait out', () => {
  const back = stack('RolledBack', true);
  const [available, ...others] = back.status?.conditions ?? [];
  assert.ok(available);
  const conditions = [{ ...available, status: 'True' as const }, ...others];
  const seen = { ...back, status: { ...back.status, conditions } };
  assert.equal(new DeployWatch(1, ['RolledBack']).look(seen, 0).type, 'done');
  assert.equal(new DeployWatch(1).look(seen, 0).type, 'failed');
});
