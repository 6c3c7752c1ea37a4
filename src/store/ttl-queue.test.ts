import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../lib/clock.ts';
import { TtlQueue } from './ttl-queue.ts';

describe('TtlQueue', () => {
  it('expires in order, never early, newest put counts', async () => {
    const clock = new ManualClock();
    const expired: [string, number][] = [];
    const queue = new TtlQueue({ clock, expire: (key, modRevision) => expired.push([key, modRevision]) });
    queue.set('/late', 1, 10);
    queue.set('/soon', 2, 1);
    queue.set('/renewed', 3, 1);
    queue.set('/gone', 4, 1);
    queue.forget('/gone');
    await clock.advance(999);
    assert.deepEqual(expired, []);
    queue.set('/renewed', 5, 5);
    await clock.advance(251);
    assert.deepEqual(expired, [['/soon', 2]]);
    await clock.advance(5000);
    assert.deepEqual(expired.slice(1), [['/renewed', 5]]);
    await clock.advance(5000);
    assert.deepEqual(expired.slice(2), [['/late', 1]]);
    assert.equal(queue.size, 0);
  });

  it('does nothing after stop', async () => {
    const clock = new ManualClock();
    const queue = new TtlQueue({ clock, expire: () => assert.fail('expired') });
    queue.set('/a', 1, 1);
    queue.stop();
    await clock.advance(5000);
  });
});
