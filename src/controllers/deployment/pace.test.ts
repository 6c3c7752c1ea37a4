import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { sampleDeployment } from '../sample-objects.ts';
import { rollingBounds } from './rolling.ts';
import { Rollout } from './test-rollout.ts';

const allLuck = () => 10;
const rolling = (maxSurge: number, maxUnavailable: number) => ({
  type: 'RollingUpdate',
  rollingUpdate: { maxSurge, maxUnavailable },
});

function rolledOut(given: Parameters<typeof sampleDeployment>[0], own: Record<string, string>): Rollout {
  const rollout = new Rollout(sampleDeployment({ progressDeadlineSeconds: 30, ...given }, 'web:1'));
  rollout.annotate(own);
  for (let at = 0; at < 4; at += 1) rollout.round(allLuck);
  assert.equal(rollout.available, rollout.total, 'the first deploy waits for nothing');
  return rollout;
}

describe('pace of a rollout', () => {
  it('waits for its window, says until when, and is not late for that', () => {
    // It is 12:00 UTC.
    const rollout = rolledOut({}, { 'flotilla.dev/update-window': '13:00-13:30' });
    rollout.deploy('web:2');
    const { againAfterMs } = rollout.round(allLuck);
    assert.equal(againAfterMs, Date.UTC(2026, 0, 1, 13) - (rollout.nowMs - 1_000));
    const held = rollout.condition('flotilla.dev/UpdateHeld');
    assert.equal(held?.message, 'waits for its window 13:00-13:30 UTC, which opens at 2026-01-01T13:00:00Z');
    for (let at = 0; at < 50; at += 1) rollout.round(allLuck, 60_000);
    assert.equal(rollout.sizeOf('web:1'), 3);
    assert.notEqual(rollout.condition('Progressing')?.reason, 'ProgressDeadlineExceeded');
    for (let at = 0; at < 25; at += 1) rollout.round(allLuck, 60_000);
    assert.deepEqual([rollout.sizeOf('web:2'), rollout.total], [3, 3]);
    assert.equal(rollout.condition('flotilla.dev/UpdateHeld'), undefined);
  });

  it('a window that closes half-way keeps what is done, and all that is promised, until the next', () => {
    const rollout = rolledOut({ replicas: 6 }, { 'flotilla.dev/update-window': '12:00-12:03' });
    rollout.deploy('web:2');
    for (let at = 0; at < 12; at += 1) rollout.round(allLuck, 60_000);
    const done = rollout.sizeOf('web:2');
    assert.ok(done > 0 && done < 6, String(done));
    assert.deepEqual([rollout.total, rollout.available], [6, 6]);
    assert.equal(rollout.condition('flotilla.dev/UpdateHeld')?.reason, 'OutsideWindow');
    for (let at = 0; at < 1_460; at += 1) rollout.round(allLuck, 60_000);
    assert.ok(rollout.sizeOf('web:2') > done);
  });

  it('pauses after each batch of as many as may change at once', () => {
    const rollout = rolledOut({ replicas: 5, strategy: rolling(2, 0) }, { 'flotilla.dev/update-pause': '1m' });
    rollout.deploy('web:2');
    const sizes: number[] = [];
    for (let at = 0; at < 200; at += 1) {
      rollout.round(allLuck);
      sizes.push(rollout.sizeOf('web:2'));
    }
    assert.deepEqual([...new Set(sizes)], [2, 4, 5]);
    for (const size of [2, 4]) {
      const seconds = sizes.filter((one) => one === size).length;
      assert.ok(seconds >= 60 && seconds <= 70, `${seconds} s with ${size}`);
    }
  });

  it('with the old ones going first, each is replaced at once, and the pause comes after that', () => {
    const rollout = rolledOut({ replicas: 4, strategy: rolling(0, 1) }, { 'flotilla.dev/update-pause': '1m' });
    rollout.deploy('web:2');
    let missing = 0;
    let rounds = 0;
    while (rollout.sizeOf('web:2') < 4 || rollout.available < 4) {
      rollout.round(allLuck);
      rounds += 1;
      if (rollout.available < 4) missing += 1;
      assert.ok(rounds < 230, `${rollout.sizeOf('web:2')} after ${rounds} s`);
    }
    assert.ok(missing <= 4 * 3, `an instance was missing for ${missing} s`);
    assert.ok(rounds >= 180, `three pauses within ${rounds} s`);
  });

  it('what was begun has its deadline when the window has closed, and going back waits for nothing', () => {
    const own = {
      'flotilla.dev/auto-rollback': 'true',
      'flotilla.dev/update-window': '12:00-12:01',
      'flotilla.dev/update-pause': '5m',
    };
    const rollout = rolledOut({ strategy: rolling(0, 1), progressDeadlineSeconds: 480 }, own);
    rollout.deploy('bad:2');
    const luck = (image: string) => (image === 'bad:2' ? 0 : 10);
    for (let at = 0; at < 30; at += 1) rollout.round(luck, 30_000);
    assert.deepEqual(rollout.rollbacks, ['bad:2 → web:1']);
    assert.deepEqual([rollout.sizeOf('web:1'), rollout.available], [3, 3]);
  });

  it('an old instance that went just before the window closed is replaced', () => {
    const rollout = rolledOut({ strategy: rolling(0, 1) }, { 'flotilla.dev/update-window': '12:00-12:01' });
    rollout.deploy('web:2');
    rollout.round(allLuck, 20_000);
    rollout.round(allLuck, 60_000);
    assert.equal(rollout.total, 2);
    for (let at = 0; at < 5; at += 1) rollout.round(allLuck, 60_000);
    assert.deepEqual([rollout.sizeOf('web:2'), rollout.available], [1, 3]);
    assert.equal(rollout.condition('flotilla.dev/UpdateHeld')?.reason, 'OutsideWindow');
  });

  it('Recreate stops nothing outside its window', () => {
    const rollout = rolledOut({ strategy: { type: 'Recreate' } }, { 'flotilla.dev/update-window': '13:00-14:00' });
    rollout.deploy('web:2');
    rollout.round(allLuck);
    rollout.round(allLuck);
    assert.equal(rollout.available, 3);
    for (let at = 0; at < 70; at += 1) rollout.round(allLuck, 60_000);
    assert.equal(rollout.sizeOf('web:2'), 3);
  });

  it('with any strategy and pause it ends, keeps enough available, makes no more than promised, and keeps to its batches', () => {
    const given = fc.record({
      replicas: fc.integer({ min: 1, max: 12 }),
      maxSurge: fc.nat(4),
      maxUnavailable: fc.nat(4),
      pauseSeconds: fc.integer({ min: 1, max: 90 }),
      luck: fc.array(fc.nat(2), { minLength: 1, maxLength: 30 }),
    });
    fc.assert(
      fc.property(given, ({ replicas, maxSurge, maxUnavailable, pauseSeconds, luck }) => {
        const strategy = rolling(maxSurge, maxUnavailable);
        const own = { 'flotilla.dev/update-pause': `${pauseSeconds}s` };
        const rollout = rolledOut({ replicas, strategy, progressDeadlineSeconds: 600 }, own);
        const bounds = rollingBounds(rollout.deployment);
        const atOnce = Math.max(1, bounds.maxSurge || bounds.maxUnavailable);
        rollout.deploy('web:2');
        let grewAtMs: number | undefined;
        let before = 0;
        let missingRounds = 0;
        for (let at = 0; at < 1_600; at += 1) {
          const atMs = rollout.nowMs;
          rollout.round(() => luck[at] ?? 3);
          const size = rollout.sizeOf('web:2');
          assert.ok(rollout.total <= replicas + bounds.maxSurge, `${rollout.total} pods`);
          assert.ok(rollout.available >= replicas - bounds.maxUnavailable, `${rollout.available} available`);
          const isNewBatch = Math.ceil(size / atOnce) > Math.ceil(before / atOnce);
          const isBetween = size === before && rollout.available < replicas && rollout.total < replicas;
          missingRounds = isBetween ? missingRounds + 1 : 0;
          assert.ok(missingRounds <= 10 + luck.length, `${missingRounds} s with ${rollout.total} of ${replicas}`);
          if (isNewBatch && grewAtMs !== undefined) {
            assert.ok(atMs - grewAtMs >= pauseSeconds * 1_000, `${(atMs - grewAtMs) / 1_000} s after the batch before`);
          }
          if (size > before) grewAtMs = atMs;
          before = size;
          if (size === replicas && rollout.total === replicas && rollout.steps.length === 0) return;
        }
        assert.fail('does not come to an end');
      }),
      { numRuns: 120 },
    );
  });
});
