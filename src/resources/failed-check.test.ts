import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newestFailedCheck, withFailedCheck } from './failed-check.ts';
import type { Event } from './kinds.ts';

const event = (lastTimestamp: string, message: string): Event => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: lastTimestamp },
  involvedObject: { kind: 'Pod', name: 'web-1' },
  lastTimestamp,
  message,
});

test('the newest check stands in place of what says less', () => {
  const events = [event('2026-01-01T00:00:02Z', 'late'), event('2026-01-01T00:00:03Z', 'last\n'), event('', 'first')];
  assert.equal(newestFailedCheck(events), 'last');
  assert.equal(newestFailedCheck([]), undefined);
  const sentence = 'instance web-1 runs and is not ready: containers with unready status: [web]';
  assert.equal(withFailedCheck(sentence, undefined), sentence);
  assert.equal(withFailedCheck(sentence, 'it said 500'), 'instance web-1 runs and is not ready: it said 500');
  assert.equal(withFailedCheck('it ended: it said 500', 'it said 500'), 'it ended: it said 500');
});
