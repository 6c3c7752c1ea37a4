import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDeadline } from './deadline.ts';

const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });

test('what takes too long is aborted, and so is what somebody else stops', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const late = withDeadline(1_000, undefined, untilAborted);
  t.mock.timers.tick(1_000);
  await assert.rejects(late, { name: 'TimeoutError', message: 'not done within 1000 ms' });

  const stop = new AbortController();
  const stopped = withDeadline(1_000, stop.signal, untilAborted);
  stop.abort(new Error('the server stops'));
  await assert.rejects(stopped, { message: 'the server stops' });
  await assert.rejects(withDeadline(1_000, stop.signal, untilAborted), { message: 'the server stops' });
});

test('nothing happens to the signal of what is done', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const stop = new AbortController();
  let given: AbortSignal | undefined;
  const answer = await withDeadline(1_000, stop.signal, async (signal) => {
    given = signal;
    return 'done';
  });
  t.mock.timers.tick(5_000);
  stop.abort();
  assert.deepEqual([answer, given?.aborted], ['done', false]);
});
