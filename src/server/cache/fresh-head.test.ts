import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../lib/clock.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { createMemoryStore } from '../../store/memory.ts';
import type { Store } from '../../store/port.ts';
import { FreshHead } from './fresh-head.ts';

/** A store whose head is answered by hand. */
function storeByHand() {
  const asked: { resolve: (revision: number) => void; reject: (error: Error) => void }[] = [];
  const store = createMemoryStore();
  const byHand: Store = {
    get: (key) => store.get(key),
    list: (prefix, options) => store.list(prefix, options),
    commit: (conditions, operations) => store.commit(conditions, operations),
    watch: (prefix, options) => store.watch(prefix, options),
    compact: (revision) => store.compact(revision),
    close: () => store.close(),
    head: () => {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      asked.push({ resolve, reject });
      return promise;
    },
  };
  return { store: byHand, asked };
}

const noQuorum = new FlotillaError('StoreUnavailable', 'the store has no quorum', { retryable: true });

describe('FreshHead', () => {
  it('asks once for all who wait, and never answers with what was asked before', async () => {
    const { store, asked } = storeByHand();
    const head = new FreshHead(store, new ManualClock());
    const first = head.ask();
    const [second, third] = [head.ask(), head.ask()];
    assert.equal(asked.length, 1);
    asked[0]!.resolve(5);
    assert.equal(await first, 5);
    await new Promise(setImmediate);
    assert.equal(asked.length, 2);
    asked[1]!.resolve(7);
    assert.deepEqual(await Promise.all([second, third]), [7, 7]);
  });

  it('says for how long the store has been silent, and fails early until it answers again', async () => {
    const clock = new ManualClock();
    const { store, asked } = storeByHand();
    const head = new FreshHead(store, clock);
    const first = head.ask();
    asked[0]!.resolve(5);
    await first;
    assert.equal(head.silentMs, undefined);
    await clock.advance(10_000);
    const failing = head.ask();
    asked[1]!.reject(noQuorum);
    await assert.rejects(failing, noQuorum);
    await clock.advance(2_000);
    assert.equal(head.silentMs, 12_000);
    // The next question may take long; who waits does not.
    const impatient = assert.rejects(head.ask(), noQuorum);
    await clock.advance(1_000);
    await impatient;
    asked[2]!.resolve(6);
    await new Promise(setImmediate);
    assert.equal(head.silentMs, undefined);
  });
});
