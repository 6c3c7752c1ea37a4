import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../lib/clock.ts';
import { storeContract } from './contract.ts';
import { createMemoryStore } from './memory.ts';
import { type Change, StoreCompacted } from './port.ts';
import { revisionOf } from './watchers.ts';

storeContract('memory', async () => {
  const clock = new ManualClock();
  return { store: createMemoryStore({ clock }), pass: (seconds) => clock.advance(seconds * 1000) };
});

describe('memory store', () => {
  it('keeps a bounded history by itself', async () => {
    const store = createMemoryStore({ historyRevisions: 100 });
    for (let i = 0; i < 200; i++) await store.commit([], [{ type: 'put', key: '/o/a', value: Buffer.from(`${i}`) }]);
    await assert.rejects(store.list('/o/', { atRevision: 50 }), StoreCompacted);
    await store.list('/o/', { atRevision: (await store.head()) - 100 });
  });

  it('delivers a commit made inside onChanges after the change that caused it, to everybody', async () => {
    const store = createMemoryStore();
    const seen: Change[][] = [[], []];
    const { signal } = new AbortController();
    for (const one of seen) {
      store.watch('/o/', {
        afterRevision: 1,
        signal,
        onEnd: assert.fail,
        onChanges: (changes) => {
          one.push(...changes);
          if (one === seen[0] && one.length === 1) {
            void store.commit([], [{ type: 'put', key: '/o/b', value: new Uint8Array() }]);
          }
        },
      });
    }
    await Promise.resolve();
    await store.commit([], [{ type: 'put', key: '/o/a', value: new Uint8Array() }]);
    assert.deepEqual(
      seen.map((one) => one.map(revisionOf)),
      [
        [2, 3],
        [2, 3],
      ],
    );
  });
});
