import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ManualClock } from '../lib/clock.ts';
import { watchStandstill } from './standstill.ts';

it('nobody waits while time passes as it should', async () => {
  const clock = new ManualClock();
  const standstill = watchStandstill(clock);
  for (let beats = 0; beats < 20; beats++) {
    await clock.advance(250);
    assert.equal(standstill.settled(), undefined);
  }
  standstill.stop();
});

it('after a standstill what comes first waits a moment, and what comes later does not', async () => {
  const clock = new ManualClock();
  const real = clock.monotonicMs.bind(clock);
  let stoodMs = 0;
  clock.monotonicMs = () => real() + stoodMs;
  const standstill = watchStandstill(clock);
  await clock.advance(250);
  stoodMs = 5_000; // no timer has run yet
  const first = standstill.settled();
  assert.ok(first);
  assert.equal(standstill.settled(), first);
  await clock.advance(250);
  await first;
  assert.equal(standstill.settled(), undefined);
  standstill.stop();
});
