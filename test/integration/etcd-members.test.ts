// The store on a real etcd of three members while members die, stand still and come back.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '../../src/lib/errors.ts';
import { storeContract } from '../../src/store/contract.ts';
import { openEtcdStore } from '../../src/store/etcd.ts';
import type { Change, Store } from '../../src/store/port.ts';
import { type EtcdCluster, startEtcdCluster } from './etcd-cluster.ts';
import { until } from './until.ts';

const isMissing = spawnSync('etcd', ['--version']).error !== undefined;
if (isMissing && process.env.CI) throw new Error('etcd is missing: apt-get install etcd-server');

if (isMissing) it('etcd of three members', { skip: 'etcd is missing: apt-get install etcd-server' }, () => {});
else {
  let cluster: EtcdCluster;

  before(async () => {
    cluster = await startEtcdCluster();
  });
  after(() => cluster.stop());

  storeContract('etcd of three members', async () => ({
    store: await openEtcdStore({ endpoints: cluster.endpoints, prefix: '/contract' }),
    pass: (seconds) => delay(seconds * 1000),
  }));

  describe('an etcd that loses members', () => {
    const opened: Store[] = [];
    const open = async (timeoutMs?: number) => {
      const store = await openEtcdStore({ endpoints: cluster.endpoints, ...(timeoutMs ? { timeoutMs } : {}) });
      opened.push(store);
      return store;
    };
    afterEach(async () => {
      for (const member of [0, 1, 2]) cluster.thaw(member);
      for (const store of opened.splice(0)) await store.close();
    });

    it('each member killed in turn under writes: no write is lost, made twice, or called a conflict', {
      timeout: 90_000,
    }, async () => {
      const store = await open();
      const history = followForEver(store, '/o/kill/', await store.head());
      const writers = startWriters(store, '/o/kill/', 8);
      for (const member of [0, 1, 2]) {
        await delay(400);
        await cluster.kill(member);
        await delay(1_500);
        cluster.start(member);
        await cluster.ready();
        await delay(500);
      }
      const written = await writers.stop();
      await until('the watch to see the last write', () => history.revision() >= written.lastRevision);
      history.stop();
      // A write is found in the history as often as it was acknowledged, once, and at that revision.
      const seen = new Map<string, number[]>();
      for (const change of history.changes) {
        if (change.type !== 'put') continue;
        const text = Buffer.from(change.entry.value).toString();
        seen.set(text, [...(seen.get(text) ?? []), change.entry.modRevision]);
      }
      for (const [value, revision] of written.acknowledged) assert.deepEqual(seen.get(value), [revision], value);
      for (const [value, revisions] of seen) assert.equal(revisions.length, 1, `${value} was written twice`);
      assert.deepEqual(written.conflicts, [], 'each writer has keys of its own');
      assert.deepEqual(written.failures, [], 'two of three members were there all the time');
      assert.ok(written.acknowledged.size > 100, `${written.acknowledged.size} writes`);
      assert.ok(written.longestMs < 4_000, `a write took ${written.longestMs} ms`);
    });

    it('a member that stands still costs a call half a second once, and a watch nothing but a moment', {
      timeout: 60_000,
    }, async () => {
      const store = await open();
      const history = followForEver(store, '/o/frozen/', await store.head());
      const { revision } = await store.commit([], [put('/o/frozen/a', 'before')]);
      await until('the watch to see it', () => history.revision() >= revision);
      cluster.freeze(0);
      try {
        const head = await timed(() => store.head());
        assert.ok(head.ms < 3_000, `head took ${head.ms} ms`);
        const commit = await timed(() => store.commit([], [put('/o/frozen/a', 'while one stands still')]));
        assert.ok(commit.ms < 4_000, `commit took ${commit.ms} ms`);
        const again = await timed(() => store.head());
        assert.ok(again.ms < 450, `the member that stands still was asked again: ${again.ms} ms`);
        await until('the watch to see it', () => history.revision() >= commit.result.revision, 10_000);
      } finally {
        cluster.thaw(0);
      }
      history.stop();
      await cluster.ready();
    });

    it('a watch that ends takes no other with it', { timeout: 60_000 }, async () => {
      const store = await open();
      const ends: unknown[] = [];
      const first = new AbortController();
      const second = new AbortController();
      const afterRevision = await store.head();
      for (const { signal } of [first, second]) {
        store.watch('/o/two/', { afterRevision, signal, onChanges: () => {}, onEnd: (reason) => ends.push(reason) });
      }
      await delay(500);
      first.abort();
      await delay(11_000); // a connection that was closed under a stream ends at its next ping, every 10 s
      assert.deepEqual(ends, []);
      second.abort();
    });

    it('a write that came through only when its member stood up again is not made a second time', {
      timeout: 60_000,
    }, async () => {
      const store = await open();
      const start = await store.head();
      const history = followForEver(store, '/o/late/', start);
      for (let round = 0; round < 3; round++) {
        const key = `/o/late/${round}`;
        cluster.freeze(0);
        // Each is created, and removed by somebody else before the first member stands up with its copy of the request.
        const results = await Promise.all(
          Array.from({ length: 5 }, (_, i) =>
            store.commit([{ key: `${key}-${i}`, modRevision: 0 }], [put(`${key}-${i}`, 'made')]),
          ),
        );
        assert.ok(results.every((one) => one.committed));
        for (let i = 0; i < 5; i++) await store.commit([], [{ type: 'delete', key: `${key}-${i}` }]);
        cluster.thaw(0);
        await delay(1_500);
      }
      assert.deepEqual((await store.list('/o/late/')).entries, [], 'nothing rose from the dead');
      await until('the watch to see all', () => history.changes.length >= 30);
      assert.equal(history.changes.length, 30);
      history.stop();
    });

    it('without a majority calls fail within their time and say so; nothing needs hands when it is back', {
      timeout: 90_000,
    }, async () => {
      const store = await open(2_000);
      const history = followForEver(store, '/o/quorum/', await store.head());
      await cluster.kill(1);
      await cluster.kill(2);
      await delay(1_000); // until the one that is left has noticed
      const calls = [
        () => store.head(),
        () => store.commit([{ key: '/o/quorum/a', modRevision: 0 }], [put('/o/quorum/a', 'lost?')]),
        () => store.commit([], [{ type: 'delete', key: '/o/quorum/b' }]),
      ];
      for (const call of calls) {
        const startMs = performance.now();
        await assert.rejects(call(), (error) => {
          assert.ok(hasCode(error, 'StoreUnavailable') && error.retryable);
          assert.match(error.message, /^the store has no quorum: etcd at .* answers, but knows no leader/);
          assert.match(error.message, /ECONNREFUSED|No connection/);
          assert.match(error.hint ?? '', /start the members/);
          return true;
        });
        const ms = performance.now() - startMs;
        assert.ok(ms < 3_500, `${ms} ms`);
      }
      cluster.start(1);
      cluster.start(2);
      await until('a write to be taken again', () =>
        store.commit([], [put('/o/quorum/back', 'x')]).then(
          () => true,
          () => false,
        ),
      );
      await until('the watch to go on', () => history.changes.some((one) => keyOf(one) === '/o/quorum/back'));
      history.stop();
    });
  });

  describe('an etcd with TLS', () => {
    it('takes a client with a certificate, and no other', { timeout: 60_000 }, async () => {
      const secure = await startEtcdCluster({ members: 1, tls: true });
      try {
        const { endpoints, tls } = secure;
        assert.ok(tls);
        const store = await openEtcdStore({ endpoints, tls });
        const { revision } = await store.commit([], [put('/o/a', 'sealed')]);
        assert.equal((await store.get('/o/a'))?.modRevision, revision);
        await store.close();
        await assert.rejects(openEtcdStore({ endpoints, tls: { ca: tls.ca }, timeoutMs: 1_000 }), (error) =>
          hasCode(error, 'StoreUnavailable'),
        );
        await assert.rejects(openEtcdStore({ endpoints, timeoutMs: 1_000 }), (error) =>
          hasCode(error, 'StoreUnavailable'),
        );
      } finally {
        await secure.stop();
      }
    });
  });
}

function put(key: string, text: string) {
  return { type: 'put', key, value: Buffer.from(text) } as const;
}

function keyOf(change: Change): string {
  return change.type === 'put' ? change.entry.key : change.key;
}

async function timed<R>(run: () => Promise<R>): Promise<{ readonly ms: number; readonly result: R }> {
  const startMs = performance.now();
  const result = await run();
  return { ms: performance.now() - startMs, result };
}

/** Writers that each change keys of their own, always on the condition of what they wrote last. */
function startWriters(store: Store, prefix: string, count: number) {
  const acknowledged = new Map<string, number>();
  const conflicts: string[] = [];
  const failures: string[] = [];
  let longestMs = 0;
  let isStopped = false;
  const writers = Array.from({ length: count }, async (_, writer) => {
    const key = `${prefix}${writer}`;
    let modRevision = 0;
    for (let i = 0; !isStopped && failures.length < 1_000; i++) {
      const value = `${writer}-${i}`;
      const startMs = performance.now();
      try {
        const result = await store.commit([{ key, modRevision }], [put(key, value)]);
        if (result.committed) acknowledged.set(value, result.revision);
        else conflicts.push(value);
        modRevision = result.committed ? result.revision : ((await store.get(key))?.modRevision ?? 0);
      } catch (error) {
        failures.push(String(error));
        modRevision = await current(store, key);
      }
      longestMs = Math.max(longestMs, performance.now() - startMs);
    }
  });
  return {
    stop: async () => {
      isStopped = true;
      await Promise.all(writers);
      const lastRevision = Math.max(...acknowledged.values());
      return { acknowledged, conflicts, failures, lastRevision, longestMs };
    },
  };
}

async function current(store: Store, key: string): Promise<number> {
  for (let tries = 0; ; tries++) {
    try {
      return (await store.get(key))?.modRevision ?? 0;
    } catch (error) {
      if (tries > 50) throw error;
      await delay(100);
    }
  }
}

/** A watch that goes on at its last revision, as the servers do. */
function followForEver(store: Store, prefix: string, afterRevision: number) {
  const changes: Change[] = [];
  const stop = new AbortController();
  let revision = afterRevision;
  const start = () =>
    store.watch(prefix, {
      afterRevision: revision,
      signal: stop.signal,
      onChanges: (more) => {
        changes.push(...more);
        const last = more.at(-1);
        if (last) revision = last.type === 'put' ? last.entry.modRevision : last.revision;
      },
      onEnd: () => void setTimeout(() => stop.signal.aborted || start(), 50),
    });
  start();
  return { changes, revision: () => revision, stop: () => stop.abort() };
}
