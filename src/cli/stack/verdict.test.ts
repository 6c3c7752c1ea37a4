import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stack } from '../../resources/kinds.ts';
import { deployVerdict, progressLine } from './verdict.ts';

function stack(
  progress: { status: string; reason: string; message: string } | undefined,
  available = 'False',
  observedGeneration = 2,
): Stack {
  const at = '2026-01-01T00:00:00Z';
  const condition = (type: string, status: string, reason: string, message: string) => ({
    type,
    status,
    reason,
    message,
    lastTransitionTime: at,
  });
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: { name: 'shop', namespace: 'shop', generation: 2 },
    spec: { services: {} },
    ...(progress
      ? {
          status: {
            observedGeneration,
            conditions: [
              condition('Available', available, 'x', ''),
              condition('Progressing', progress.status, progress.reason, progress.message),
            ],
            services: { web: { instances: 3, updated: 3, ready: 1 }, db: { instances: 1, updated: 1, ready: 1 } },
          },
        }
      : {}),
  };
}

const verdict = (one: Stack, troubleMs = 0) => deployVerdict({ stack: one, generation: 2, troubleMs });

test('a status of an earlier generation says nothing', () => {
  assert.equal(verdict(stack(undefined)).type, 'running');
  const old = stack({ status: 'True', reason: 'Complete', message: '' }, 'True', 1);
  assert.equal(verdict(old).type, 'running');
});

test('done needs every service ready and nothing of the earlier version left', () => {
  assert.equal(verdict(stack({ status: 'True', reason: 'Complete', message: '' }, 'True')).type, 'done');
  assert.equal(
    verdict(
      stack(
        { status: 'True', reason: 'Deploying', message: 'web: 1 instance of the earlier version is still there' },
        'True',
      ),
    ).type,
    'running',
  );
  assert.equal(verdict(stack({ status: 'True', reason: 'Complete', message: '' }, 'False')).type, 'running');
});

test('trouble is given time, refusals are not', () => {
  const crash = stack({ status: 'False', reason: 'CrashLoop', message: 'web: instance web-1 ended with exit code 1' });
  assert.equal(verdict(crash, 1_000).type, 'running');
  assert.deepEqual(verdict(crash, 8_000), {
    type: 'failed',
    message: 'web: instance web-1 ended with exit code 1',
    isFinal: false,
    reason: 'CrashLoop',
  });
  const refused = stack({ status: 'False', reason: 'Refused', message: 'Deployment web was refused' });
  const message = 'Deployment web was refused';
  assert.deepEqual(verdict(refused), { type: 'failed', message, isFinal: true, reason: 'Refused' });
  const unknown = stack({ status: 'False', reason: 'SomethingNew', message: 'm' });
  assert.equal(verdict(unknown, 14_999).type, 'running');
  assert.equal(verdict(unknown, 15_000).type, 'failed');
});

test('what will be taken back is waited for; what was is a failure, but not of scaling', () => {
  const crash = stack({ status: 'False', reason: 'CrashLoop', message: 'web: instance web-1 ended with exit code 1' });
  const update = { autoRollback: true };
  crash.spec.services.web = { image: 'web:2', instances: 3, update };
  assert.equal(verdict(crash, 60_000).type, 'failed', 'of a first version there is nothing to go back to');
  assert.ok(crash.status);
  crash.status.version = 2;
  assert.equal(verdict(crash, 60_000).type, 'running');
  crash.spec.services.web = { image: 'web:2', instances: 3 };
  assert.equal(verdict(crash, 60_000).type, 'failed');
  const back = stack({ status: 'False', reason: 'RolledBack', message: 'web: revision 2 …' }, 'True');
  assert.deepEqual(verdict(back), {
    type: 'failed',
    message: 'web: revision 2 …',
    isFinal: true,
    reason: 'RolledBack',
  });
  const tolerated = ['RolledBack'];
  assert.equal(deployVerdict({ stack: back, generation: 2, troubleMs: 0, tolerated }).type, 'done');
});

test('what waits for a time of day is no failure, and is not waited for', () => {
  const held = { status: 'True', reason: 'OutsideWindow', message: 'web: waits for its window' };
  assert.deepEqual(verdict(stack(held, 'True')), { type: 'held', message: 'web: waits for its window' });
  assert.equal(verdict(stack(held, 'False')).type, 'running');
});

test('progress in one line', () => {
  assert.equal(progressLine(stack({ status: 'True', reason: 'Deploying', message: '' })), 'web 1/3  db 1/1');
});
