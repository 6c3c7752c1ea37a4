import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hasCode } from '../lib/errors.ts';
import { createMemoryStore } from '../store/memory.ts';
import type { Change, Store } from '../store/port.ts';
import { storeOfTerm, storeThatTakes, termKey } from './term.ts';

const leaseKey = '/o/system/lease';
const put = (key: string, text: string) => ({ type: 'put', key, value: Buffer.from(text) }) as const;

/** A server that takes the lease and then writes as the leader it believes to be. */
class Candidate {
  readonly name: string;
  readonly #store: Store;
  #leading: Store | undefined;
  isOver = false;

  constructor(name: string, store: Store) {
    this.name = name;
    this.#store = store;
  }

  /** What it read before it stood still may be old: then it does not get the lease. */
  async take(seen: number): Promise<void> {
    const taking = storeThatTakes(this.#store, this.name);
    const result = await taking.commit([{ key: leaseKey, modRevision: seen }], [put(leaseKey, this.name)]);
    if (!result.committed) return;
    this.isOver = false;
    this.#leading = storeOfTerm(this.#store, result.revision, () => {
      this.isOver = true;
    });
  }

  async bind(pod: string): Promise<boolean> {
    if (!this.#leading) return false;
    const key = `/o/main/core/pods/default/${pod}`;
    try {
      return (await this.#leading.commit([{ key, modRevision: 0 }], [put(key, this.name)])).committed;
    } catch (error) {
      assert.ok(hasCode(error, 'Canceled'));
      return false;
    }
  }
}

/** Every change of the store in order. */
async function historyOf(store: Store): Promise<Change[]> {
  const changes: Change[] = [];
  const head = await store.head();
  const stop = new AbortController();
  await new Promise<void>((resolve, reject) => {
    store.watch('/', {
      afterRevision: 1,
      signal: stop.signal,
      onEnd: reject,
      onChanges: (more) => {
        changes.push(...more);
        const last = more.at(-1);
        if (last?.type === 'put' && last.entry.modRevision >= head) resolve();
      },
    });
    if (head === 1) resolve(); // nothing was ever written
  });
  stop.abort();
  return changes;
}

describe('terms of leaders', () => {
  it('ends with the first commit of the next, and says so to who still believes to lead', async () => {
    const store = createMemoryStore();
    const [a, b] = [new Candidate('a', store), new Candidate('b', store)];
    await a.take(0);
    assert.equal(await a.bind('one'), true);
    await b.take((await store.get(leaseKey))?.modRevision ?? 0);
    assert.equal(await a.bind('two'), false);
    assert.equal(a.isOver, true);
    assert.equal(await b.bind('two'), true);
    // A conflict of its own is no end of the term.
    assert.equal(await b.bind('two'), false);
    assert.equal(b.isOver, false);
  });

  it('writes the lease and the term in one commit, or neither', async () => {
    const store = createMemoryStore();
    const taking = storeThatTakes(store, 'a');
    const lost = await taking.commit([{ key: leaseKey, modRevision: 7 }], [put(leaseKey, 'a')]);
    assert.equal(lost.committed, false);
    assert.equal(await store.get(termKey), undefined);
    const won = await taking.commit([{ key: leaseKey, modRevision: 0 }], [put(leaseKey, 'a')]);
    assert.equal((await store.get(termKey))?.modRevision, won.revision);
  });

  it('never shows a write of one server in the term of another, however they stand still and go on', async () => {
    const step = fc.record({
      who: fc.nat(2),
      does: fc.constantFrom('take', 'take with what it saw long ago', 'bind', 'bind', 'bind'),
    });
    let bound = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        const store = createMemoryStore();
        const servers = ['a', 'b', 'c'].map((name) => new Candidate(name, store));
        const running: Promise<unknown>[] = [];
        let pods = 0;
        for (const { who, does } of steps) {
          const server = servers[who]!;
          const seen = (await store.get(leaseKey))?.modRevision ?? 0;
          // Not awaited: a bind that was decided goes on beside whatever follows.
          if (does === 'bind') running.push(server.bind(`p${pods++ % 20}`));
          else running.push(server.take(does === 'take' ? seen : Math.max(0, seen - 2)));
        }
        await Promise.all(running);
        let holder = '';
        for (const change of await historyOf(store)) {
          assert.ok(change.type === 'put');
          const text = Buffer.from(change.entry.value).toString();
          if (change.entry.key === termKey) holder = (JSON.parse(text) as { holder: string }).holder;
          if (!change.entry.key.includes('/pods/')) continue;
          assert.equal(text, holder, `${change.entry.key} was bound by ${text} in the term of ${holder}`);
          assert.equal(change.previous, undefined);
          bound += 1;
        }
      }),
      { numRuns: 100 },
    );
    assert.ok(bound > 100, `${bound} pods were bound in all`);
  });
});
