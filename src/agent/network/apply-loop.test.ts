import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import type { Applied } from '../../resources/applied.ts';
import { startApplyLoop } from './apply-loop.ts';

function setUp() {
  const clock = new ManualClock();
  const told: Applied[] = [];
  const calls: PromiseWithResolvers<void>[] = [];
  const state = { revision: 0 };
  const loop = startApplyLoop({
    what: 'names',
    apply: () => {
      const call = Promise.withResolvers<void>();
      calls.push(call);
      return call.promise;
    },
    revision: () => state.revision,
    onApplied: (applied) => told.push(applied),
    clock,
    log: silentLogger,
  });
  /** What has just been resolved plans its next step before time goes on. */
  const advance = async (ms: number) => {
    await clock.advance(0);
    await new Promise(setImmediate);
    await clock.advance(ms);
  };
  return { advance, told, calls, state, loop };
}

test('changes that come together, and those that come during one, share an apply', async () => {
  const { advance, told, calls, state, loop } = setUp();
  for (state.revision = 1; state.revision <= 5; state.revision++) loop.changed();
  await advance(10);
  assert.equal(calls.length, 1);
  state.revision = 9;
  loop.changed();
  loop.changed();
  await advance(1_000);
  assert.equal(calls.length, 1, 'one at a time');
  calls[0]?.resolve();
  await advance(10);
  assert.deepEqual(told, [{ revision: 6 }], 'what it knew when it began, not what came meanwhile');
  assert.equal(calls.length, 2);
  calls[1]?.resolve();
  await advance(10);
  assert.deepEqual(told, [{ revision: 6 }, { revision: 9 }]);
  await advance(60_000);
  assert.equal(calls.length, 2);
});

test('a failure is told with the revision that holds, and tried again until it works', async () => {
  const { advance, told, calls, state, loop } = setUp();
  state.revision = 3;
  loop.changed();
  await advance(10);
  calls[0]?.resolve();
  await advance(10);
  state.revision = 4;
  loop.changed();
  await advance(10);
  calls[1]?.reject(new Error('nft: no space'));
  await advance(300);
  calls[2]?.reject(new Error('nft: no space'));
  await advance(1_000);
  calls[3]?.resolve();
  await advance(10);
  assert.deepEqual(told, [
    { revision: 3 },
    { revision: 3, problem: 'nft: no space' },
    { revision: 3, problem: 'nft: no space' },
    { revision: 4 },
  ]);
});

test('a stop waits for what runs, and nothing follows', async () => {
  const { advance, calls, told, loop } = setUp();
  loop.changed();
  await advance(10);
  loop.changed();
  let isStopped = false;
  const stopping = loop.stop().then(() => {
    isStopped = true;
  });
  await advance(10);
  assert.equal(isStopped, false);
  calls[0]?.resolve();
  await stopping;
  await advance(1_000);
  assert.equal(calls.length, 1);
  assert.equal(told.length, 1);
});
