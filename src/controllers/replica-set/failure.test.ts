import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ApiError } from '../../client/api-error.ts';
import { refusalOf, withRefusal } from './failure.ts';

const nowMs = Date.UTC(2026, 0, 1);

it('tells what the server said when it refuses pods, and only then', () => {
  assert.equal(
    refusalOf(new ApiError({ code: 403, reason: 'Forbidden', message: 'pods is forbidden: no' })),
    'pods is forbidden: no',
  );
  assert.equal(
    refusalOf(new ApiError({ code: 422, reason: 'Invalid', message: 'Pod "x" is invalid' })),
    'Pod "x" is invalid',
  );
  assert.equal(refusalOf(new ApiError({ code: 409, reason: 'Conflict', message: 'later' })), undefined);
  assert.equal(refusalOf(new Error('bug')), undefined);
});

it('sets the condition once, and takes it away when pods can be made again', () => {
  const failed = withRefusal({ replicas: 0 }, 'no', nowMs);
  assert.deepEqual(failed.conditions, [
    {
      type: 'ReplicaFailure',
      status: 'True',
      reason: 'FailedCreate',
      message: 'no',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    },
  ]);
  assert.deepEqual(withRefusal(failed, 'no', nowMs + 5_000), failed);
  assert.deepEqual(withRefusal(failed, undefined, nowMs), { replicas: 0 });
});
