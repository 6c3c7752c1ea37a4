import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { hasCode } from '../lib/errors.ts';
import { type Change, type Condition, type Operation, type Store, StoreCompacted, storeLimits } from './port.ts';
import { keyOf, revisionOf } from './watchers.ts';

export interface OpenedStore {
  readonly store: Store;
  /** Lets so much time pass for TTLs: the real clock's or a manual one's. */
  readonly pass: (seconds: number) => Promise<void>;
  /** Undoes what opening made; the store is closed already. */
  readonly cleanup?: () => Promise<void>;
}

/** What each implementation of `Store` must do. `open` gives a store nobody else writes to under `/o/` and `/meta/`. */
export function storeContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`store contract: ${name}`, () => {
    let opened: OpenedStore;
    let store: Store;
    let run = 0;
    /** Keys of one test: never those of another. */
    let root = '';
    const fresh = () => {
      root = `/o/contract/${run++}/`;
      return root;
    };
    const put = (key: string, text: string, ttlSeconds?: number): Operation => ({
      type: 'put',
      key,
      value: Buffer.from(text),
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    });
    const write = async (key: string, text: string, conditions: readonly Condition[] = []) => {
      const result = await store.commit(conditions, [put(key, text)]);
      assert.equal(result.committed, true);
      return result.revision;
    };
    const remove = async (key: string) => (await store.commit([], [{ type: 'delete', key }])).revision;
    const keysOf = (entries: readonly { key: string }[]) => entries.map((entry) => entry.key.slice(root.length));

    before(async () => {
      opened = await open();
      store = opened.store;
    });
    after(async () => {
      await store.close();
      await opened.cleanup?.();
    });

    it('gives back what was put, with the revisions of its puts', async () => {
      const key = `${fresh()}a`;
      assert.equal(await store.get(key), undefined);
      const first = await write(key, 'one');
      const second = await write(key, 'two');
      assert.ok(second > first && first > 1);
      const entry = await store.get(key);
      assert.equal(text(entry?.value), 'two');
      assert.equal(entry?.createRevision, first);
      assert.equal(entry?.modRevision, second);
      await remove(key);
      assert.equal(await store.get(key), undefined);
      const third = await write(key, 'three');
      assert.equal((await store.get(key))?.createRevision, third);
    });

    it('keeps every byte of a value, and an empty value', async () => {
      fresh();
      const value = Uint8Array.from({ length: 300 }, (_, index) => index % 256);
      await store.commit([], [{ type: 'put', key: `${root}bytes`, value }]);
      await store.commit([], [{ type: 'put', key: `${root}empty`, value: new Uint8Array() }]);
      assert.deepEqual(Uint8Array.from((await store.get(`${root}bytes`))?.value ?? []), value);
      assert.equal((await store.get(`${root}empty`))?.value.byteLength, 0);
    });

    it('commits only when every condition holds', async () => {
      const key = `${fresh()}a`;
      const revision = await write(key, 'one', [{ key, modRevision: 0 }]);
      const taken = await store.commit([{ key, modRevision: 0 }], [put(key, 'x')]);
      assert.equal(taken.committed, false);
      const other = { key: `${root}b`, modRevision: 7 };
      const half = await store.commit([{ key, modRevision: revision }, other], [put(key, 'x')]);
      assert.equal(half.committed, false);
      assert.equal(text((await store.get(key))?.value), 'one');
      assert.equal(await store.head(), revision);
      await write(key, 'two', [{ key, modRevision: revision }]);
      const stale = await store.commit([{ key, modRevision: revision }], [{ type: 'delete', key }]);
      assert.equal(stale.committed, false);
    });

    it('takes no revision for a commit that changes nothing', async () => {
      const revision = await write(`${fresh()}a`, 'one');
      assert.deepEqual(await store.commit([], [{ type: 'delete', key: `${root}missing` }]), {
        committed: true,
        revision,
      });
      assert.deepEqual(await store.commit([{ key: `${root}a`, modRevision: revision }], []), {
        committed: true,
        revision,
      });
      assert.equal(await store.head(), revision);
    });

    it('writes several keys under one revision, or none of them', async () => {
      fresh();
      const keys = [`${root}object`, `/meta/contract/${run}/a`, `/meta/contract/${run}/b`];
      const both = await store.commit(
        [],
        keys.map((key) => put(key, key)),
      );
      for (const key of keys) assert.equal((await store.get(key))?.modRevision, both.revision);
      const none = await store.commit(
        [{ key: keys[0]!, modRevision: 1 }],
        keys.map((key) => put(key, 'x')),
      );
      assert.equal(none.committed, false);
      for (const key of keys) assert.equal(text((await store.get(key))?.value), key);
    });

    it('refuses what breaks the limits or the rules of a commit', async () => {
      fresh();
      const many = Array.from({ length: storeLimits.operationsPerCommit + 1 }, (_, i) => put(`/meta/${i}`, 'x'));
      await assert.rejects(store.commit([], many), (error) => hasCode(error, 'StoreLimit'));
      const big = { type: 'put', key: `${root}big`, value: new Uint8Array(storeLimits.commitBytes) } as const;
      await assert.rejects(store.commit([], [big]), (error) => hasCode(error, 'StoreLimit'));
      const long = put(`${root}${'x'.repeat(storeLimits.keyBytes)}`, 'x');
      await assert.rejects(store.commit([], [long]), (error) => hasCode(error, 'StoreLimit'));
      await assert.rejects(store.commit([], [put(`${root}a`, 'x'), { type: 'delete', key: `${root}a` }]), /twice/);
      await assert.rejects(store.commit([], [put(`${root}a`, 'x'), put(`${root}b`, 'x')]), /watched objects/);
      for (const key of ['', 'a', '/ü']) await assert.rejects(store.commit([], [put(key, 'x')]), /illegal key/);
      assert.equal((await store.list(root)).entries.length, 0);
    });

    it('accepts a commit just below the limits', async () => {
      fresh();
      const value = new Uint8Array(storeLimits.commitBytes - 4096);
      const { revision } = await store.commit([], [{ type: 'put', key: `${root}big`, value }]);
      assert.equal((await store.get(`${root}big`))?.value.byteLength, value.byteLength);
      const many = Array.from({ length: storeLimits.operationsPerCommit }, (_, i) => put(`/meta/many/${i}`, 'x'));
      assert.ok((await store.commit([], many)).revision > revision);
    });

    it('lists a prefix in key order, in pages', async () => {
      fresh();
      for (const key of ['b', 'a', 'a/x', 'c', 'a-']) await write(`${root}${key}`, key);
      await write(`${root.slice(0, -1)}0`, 'just after the prefix');
      const all = await store.list(root);
      assert.deepEqual(keysOf(all.entries), ['a', 'a-', 'a/x', 'b', 'c']);
      assert.equal(all.more, false);
      assert.equal(all.revision, await store.head());
      const first = await store.list(root, { limit: 2 });
      assert.deepEqual([keysOf(first.entries), first.more], [['a', 'a-'], true]);
      const startAfter = first.entries[1]?.key ?? '';
      const second = await store.list(root, { limit: 3, startAfter, atRevision: first.revision });
      assert.deepEqual([keysOf(second.entries), second.more], [['a/x', 'b', 'c'], false]);
      assert.deepEqual((await store.list(`${root}nothing/`)).entries, []);
    });

    it('lists as it was at a revision', async () => {
      fresh();
      await write(`${root}changed`, 'old');
      const created = await write(`${root}deleted`, 'gone');
      const at = await write(`${root}kept`, 'same');
      await write(`${root}changed`, 'new');
      await write(`${root}changed`, 'newer');
      await remove(`${root}deleted`);
      await write(`${root}deleted`, 'again');
      await write(`${root}added`, 'late');
      await write(`${root}added-and-gone`, 'late');
      await remove(`${root}added-and-gone`);
      const then = await store.list(root, { atRevision: at });
      assert.equal(then.revision, at);
      assert.deepEqual(keysOf(then.entries), ['changed', 'deleted', 'kept']);
      assert.deepEqual(
        then.entries.map((entry) => text(entry.value)),
        ['old', 'gone', 'same'],
      );
      assert.equal(then.entries[1]?.createRevision, created);
      const page = await store.list(root, { atRevision: at, limit: 1, startAfter: `${root}changed` });
      assert.deepEqual([keysOf(page.entries), page.more], [['deleted'], true]);
      await assert.rejects(store.list(root, { atRevision: (await store.head()) + 1000 }), /future/);
    });

    it('watches in order, with previous values, from now on', async () => {
      fresh();
      const created = await write(`${root}a`, 'one');
      const watch = collect(store, root, created);
      const second = await write(`${root}a`, 'two');
      await write(`/meta/contract/${run}`, 'elsewhere');
      const third = await remove(`${root}a`);
      const changes = await watch.until(2);
      assert.equal(changes.length, 2);
      const [changed, deleted] = changes;
      assert.ok(changed?.type === 'put' && deleted?.type === 'delete');
      assert.deepEqual([changed.entry.modRevision, changed.entry.createRevision], [second, created]);
      assert.deepEqual([text(changed.entry.value), text(changed.previous?.value)], ['two', 'one']);
      assert.equal(changed.previous?.modRevision, created);
      assert.deepEqual([deleted.revision, deleted.key, text(deleted.previous.value)], [third, `${root}a`, 'two']);
      watch.stop();
      await write(`${root}a`, 'unseen');
      await store.head();
      assert.equal(watch.changes.length, 2);
      assert.deepEqual(watch.ends, []);
    });

    it('resumes a watch from any revision of the history', async () => {
      fresh();
      const start = await write(`${root}a`, '0');
      const revisions: number[] = [];
      for (let i = 1; i <= 5; i++) revisions.push(await write(`${root}a`, `${i}`));
      revisions.push(await remove(`${root}a`), await write(`${root}a`, 'new'));
      for (const [index, afterRevision] of [start, ...revisions.slice(0, -1)].entries()) {
        const watch = collect(store, root, afterRevision);
        const changes = await watch.until(revisions.length - index);
        assert.deepEqual(changes.map(revisionOf), revisions.slice(index));
        const first = changes[0];
        if (first?.type === 'put' && first.previous) assert.equal(first.previous.modRevision, afterRevision);
        watch.stop();
      }
    });

    it('brings the changes of one revision in one call', async () => {
      fresh();
      const before = await store.head();
      const meta = `/meta/contract/torn/${run}/`;
      const calls: number[] = [];
      const stop = new AbortController();
      const done = new Promise<void>((resolve) => {
        store.watch(meta, {
          afterRevision: before,
          signal: stop.signal,
          onEnd: assert.fail,
          onChanges: (changes) => {
            for (const change of changes)
              assert.ok(changes.filter((c) => revisionOf(c) === revisionOf(change)).length === 3);
            calls.push(...changes.map(revisionOf));
            if (calls.length === 60) resolve();
          },
        });
      });
      for (let i = 0; i < 20; i++) {
        await store.commit(
          [],
          ['a', 'b', 'c'].map((key) => put(`${meta}${key}`, `${i}`)),
        );
      }
      await done;
      stop.abort();
    });

    it('loses, repeats and reorders nothing under concurrent commits', async () => {
      fresh();
      const start = await store.head();
      const early = collect(store, root, start);
      const late: ReturnType<typeof collect>[] = [];
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        const written: number[] = [];
        for (let i = 0; i < 40; i++) {
          const key = `${root}${(writer * 7 + i) % 11}`;
          written.push(i % 5 === 4 ? await remove(key) : await write(key, `${writer}-${i}`));
          if (i % 13 === 6) late.push(collect(store, root, written[0] ?? start));
        }
        return written;
      });
      const written = (await Promise.all(writers)).flat();
      const last = await write(`${root}end`, 'end');
      const seen = (await early.untilRevision(last)).map(revisionOf);
      assert.deepEqual(
        seen,
        [...new Set(seen)].sort((a, b) => a - b),
      );
      const touched = new Set(written);
      assert.ok(seen.every((revision) => touched.has(revision) || revision === last));
      for (const revision of touched) assert.ok(seen.includes(revision) || revision <= start, `revision ${revision}`);
      for (const watch of late) {
        const changes = (await watch.untilRevision(last)).map(revisionOf);
        assert.deepEqual(
          changes,
          seen.filter((revision) => revision > watch.afterRevision),
        );
        watch.stop();
      }
      // What the watch told is what the list shows.
      const model = new Map<string, string>();
      for (const change of early.changes) {
        if (change.type === 'put') model.set(change.entry.key, text(change.entry.value));
        else model.delete(change.key);
        assert.ok(keyOf(change).startsWith(root));
      }
      const listed = (await store.list(root)).entries.map((entry) => [entry.key, text(entry.value)] as const);
      assert.deepEqual(new Map(listed), model);
      early.stop();
    });

    it('lets one of many writers with the same condition win', async () => {
      const key = `${fresh()}a`;
      const revision = await write(key, 'start');
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => store.commit([{ key, modRevision: revision }], [put(key, `${i}`)])),
      );
      assert.equal(results.filter((result) => result.committed).length, 1);
    });

    it('shows in head() what was acknowledged', async () => {
      fresh();
      for (let i = 0; i < 5; i++) {
        const revision = await write(`${root}a`, `${i}`);
        assert.ok((await store.head()) >= revision);
      }
    });

    it('deletes a key when its TTL has passed, and tells watches', { timeout: 60_000 }, async () => {
      fresh();
      const start = await store.head();
      const watch = collect(store, root, start);
      await store.commit([], [put(`${root}short`, 'short', 3)]);
      await store.commit([], [put(`${root}renewed`, 'once', 3)]);
      await store.commit([], [put(`${root}kept`, 'once', 3)]);
      await write(`${root}kept`, 'for ever');
      await opened.pass(2);
      await store.commit([], [put(`${root}renewed`, 'twice', 60)]);
      assert.equal(text((await store.get(`${root}short`))?.value), 'short');
      await opened.pass(4);
      const changes = await watch.until(6);
      const gone = changes.find((change) => change.type === 'delete');
      assert.ok(gone?.type === 'delete');
      assert.deepEqual([gone.key, text(gone.previous.value)], [`${root}short`, 'short']);
      assert.deepEqual(keysOf((await store.list(root)).entries), ['kept', 'renewed']);
      watch.stop();
    });

    it('forgets compacted history, and says so', async () => {
      fresh();
      const first = await write(`${root}a`, 'one');
      const second = await write(`${root}a`, 'two');
      await write(`${root}gone`, 'x');
      const deleted = await remove(`${root}gone`);
      const third = await write(`${root}a`, 'three');
      await store.compact(deleted);
      for (const revision of [first, second]) {
        await assert.rejects(store.list(root, { atRevision: revision }), StoreCompacted);
        const watch = collect(store, root, revision);
        assert.ok((await watch.end) instanceof StoreCompacted);
        assert.equal(watch.changes.length, 0);
      }
      const then = await store.list(root, { atRevision: deleted });
      assert.deepEqual(
        then.entries.map((entry) => text(entry.value)),
        ['two'],
      );
      const watch = collect(store, root, deleted);
      const [change] = await watch.until(1);
      assert.ok(change?.type === 'put');
      assert.deepEqual([change.entry.modRevision, text(change.previous?.value)], [third, 'two']);
      watch.stop();
      assert.equal(text((await store.get(`${root}a`))?.value), 'three');
      await store.compact(first); // again, and further back: nothing happens
    });

    it('ends by signal without onEnd, also when it is aborted already', async () => {
      fresh();
      const watch = collect(store, root, await store.head(), AbortSignal.abort());
      await write(`${root}a`, 'x');
      await store.head();
      assert.deepEqual([watch.changes.length, watch.ends.length], [0, 0]);
    });

    it('after close: ends watches once, refuses calls', async () => {
      const watch = collect(store, fresh(), await store.head());
      await store.close();
      assert.ok(hasCode(await watch.end, 'StoreUnavailable'));
      assert.equal(watch.ends.length, 1);
      for (const call of [store.get('/o/a'), store.list('/o/'), store.head(), store.commit([], [])]) {
        await assert.rejects(call, (error) => hasCode(error, 'StoreUnavailable'));
      }
      const late = collect(store, root, 1);
      assert.ok(hasCode(await late.end, 'StoreUnavailable'));
      await store.close();
    });
  });
}

function text(value: Uint8Array | undefined): string {
  return value === undefined ? '<no value>' : Buffer.from(value).toString('utf8');
}

/** A watch that remembers what it was told. */
function collect(store: Store, prefix: string, afterRevision: number, signal?: AbortSignal) {
  const stop = new AbortController();
  const changes: Change[] = [];
  const ends: Error[] = [];
  const end = Promise.withResolvers<Error>();
  let wake = () => {};
  store.watch(prefix, {
    afterRevision,
    signal: signal ?? stop.signal,
    onChanges: (more) => {
      changes.push(...more);
      wake();
    },
    onEnd: (reason) => {
      ends.push(reason);
      end.resolve(reason);
    },
  });
  const when = async (enough: () => boolean) => {
    while (!enough()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return changes;
  };
  return {
    afterRevision,
    changes,
    ends,
    end: end.promise,
    stop: () => stop.abort(),
    until: (count: number) => when(() => changes.length >= count),
    untilRevision: (revision: number) => when(() => revisionOf(changes.at(-1) ?? nothing) >= revision),
  };
}

const nothing: Change = {
  type: 'delete',
  key: '/',
  revision: 0,
  previous: { key: '/', value: new Uint8Array(), modRevision: 0, createRevision: 0 },
};
