import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../lib/clock.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { isApiError } from '../../resources/api-error.ts';
import { allKinds, configMaps, type Pod, pods } from '../../resources/kinds.ts';
import { createMemoryStore } from '../../store/memory.ts';
import { type Store, StoreCompacted, type WatchOptions } from '../../store/port.ts';
import { createCipher } from '../registry/cipher.ts';
import { createObjectCodec } from '../registry/object-codec.ts';
import { objectKey } from '../registry/object-key.ts';
import { ResourceVersions } from '../registry/resource-version.ts';
import { selectionOf } from './selection.ts';
import { startWatchCache, type WatchCache, type WatchCacheOptions } from './watch-cache.ts';
import type { Watcher } from './watcher.ts';

const codec = createObjectCodec(createCipher(new Uint8Array(32)), new ResourceVersions(0));

function pod(name: string, nodeName?: string, labels: Record<string, string> = {}): Pod {
  const spec = { containers: [{ name: 'c', image: 'i' }], ...(nodeName ? { nodeName } : {}) };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', labels }, spec };
}

async function put(store: Store, object: Pod): Promise<number> {
  const key = objectKey('main', pods, object.metadata.namespace, object.metadata.name);
  return (await store.commit([], [{ type: 'put', key, value: codec.encode(pods, key, object) }])).revision;
}

async function remove(store: Store, name: string): Promise<number> {
  const key = objectKey('main', pods, 'default', name);
  return (await store.commit([], [{ type: 'delete', key }])).revision;
}

async function start(store: Store, options: Partial<WatchCacheOptions> = {}): Promise<WatchCache> {
  return await startWatchCache({ store, kinds: allKinds, codec, ...options });
}

const names = (items: readonly { readonly name: string }[] | undefined) => items?.map((item) => item.name);
const told = (watcher: Watcher) => watcher.take().map(({ type, item }) => `${type} ${item.name}`);

test('what is there is loaded, what comes is followed, in key order', async () => {
  const store = createMemoryStore();
  await put(store, pod('b'));
  await put(store, pod('a', 'h1'));
  const cache = await start(store);
  await put(store, pod('c', 'h1'));
  await remove(store, 'b');
  await cache.fresh();
  assert.deepEqual(names(cache.list('main', pods, {})), ['a', 'c']);
  assert.deepEqual(names(cache.list('main', pods, { namespace: 'default' })), ['a', 'c']);
  assert.deepEqual(names(cache.list('main', pods, { namespace: 'defaul' })), []);
  assert.deepEqual(names(cache.list('system', pods, {})), []);
  assert.equal(cache.get('main', pods, 'default', 'a')?.object.metadata.resourceVersion, '3');
  assert.deepEqual([...cache.podsOnNode('main', 'h1')].map((one) => one.metadata.name).sort(), ['a', 'c']);
  assert.equal(cache.pod('main', 'default', 'c')?.spec.nodeName, 'h1');
  await cache.stop();
  await store.close();
});

test('a fresh read also waits for keys that are no objects', async () => {
  const store = createMemoryStore();
  const cache = await start(store);
  await store.commit([], [{ type: 'put', key: '/meta/x', value: Buffer.from('1') }]);
  await cache.fresh();
  assert.equal(cache.revision, await store.head());
  await cache.stop();
});

test('a version from the future is waited for, then refused', async () => {
  const clock = new ManualClock();
  const cache = await start(createMemoryStore(), { clock });
  const waiting = assert.rejects(cache.waitFor(1_000), (error) => isApiError(error, 'Timeout'));
  await clock.advance(5_000);
  await waiting;
  await cache.stop();
});

test('lists of the past are rebuilt from the history', async () => {
  const store = createMemoryStore();
  const cache = await start(store);
  await put(store, pod('a', 'h1'));
  const then = await put(store, pod('b'));
  await put(store, pod('a', 'h2'));
  await remove(store, 'b');
  await put(store, pod('c'));
  await cache.fresh();
  const past = cache.list('main', pods, {}, then);
  assert.deepEqual(names(past), ['a', 'b']);
  assert.equal((past![0]!.object as Pod).spec.nodeName, 'h1');
  const onNode = selectionOf(pods, { fieldSelector: 'spec.nodeName=h1' });
  assert.deepEqual(names(cache.list('main', pods, onNode, then)), ['a']);
  assert.deepEqual(names(cache.list('main', pods, onNode)), []);
  await cache.stop();
});

test('watchers see objects enter and leave their selection', async () => {
  const store = createMemoryStore();
  const cache = await start(store);
  const selected = cache.watch('main', pods, selectionOf(pods, { labelSelector: 'app=web' }));
  const onNode = cache.watch('main', pods, selectionOf(pods, { fieldSelector: 'spec.nodeName=h1' }));
  const everything = cache.watch('main', pods, {});
  await put(store, pod('a', undefined, { app: 'web' }));
  await put(store, pod('a', 'h1', { app: 'web' }));
  await put(store, pod('a', 'h1', { app: 'db' }));
  await put(store, pod('b', 'h2', { app: 'web' }));
  const last = await remove(store, 'a');
  await cache.fresh();
  assert.deepEqual(told(selected), ['ADDED a', 'MODIFIED a', 'DELETED a', 'ADDED b']);
  assert.deepEqual(told(onNode).slice(0, 2), ['ADDED a', 'MODIFIED a']);
  const all = everything.take();
  assert.deepEqual(
    all.map(({ type, item }) => `${type} ${item.name}`),
    ['ADDED a', 'MODIFIED a', 'MODIFIED a', 'ADDED b', 'DELETED a'],
  );
  const deleted = all.at(-1)!;
  assert.equal(deleted.item.object.metadata.resourceVersion, String(last));
  assert.equal((deleted.item.object as Pod).spec.nodeName, 'h1');
  for (const watcher of [selected, onNode, everything]) watcher.close();
  await cache.stop();
});

test('all watchers are given the same bytes', async () => {
  const store = createMemoryStore();
  const cache = await start(store);
  const [first, second] = [cache.watch('main', pods, {}), cache.watch('main', pods, { namespace: 'default' })];
  await put(store, pod('a'));
  await cache.fresh();
  const line = first.take()[0]?.line();
  assert.ok(Buffer.isBuffer(line));
  assert.equal(second.take()[0]?.line(), line);
  await cache.stop();
});

test('a watch resumes after a version, also on a server that was started later', async () => {
  const store = createMemoryStore();
  const then = await put(store, pod('a', 'h1'));
  await put(store, pod('b', 'h1'));
  await remove(store, 'a');
  const cache = await start(store);
  const expected = ['ADDED b', 'DELETED a'];
  assert.deepEqual(told(cache.watch('main', pods, {}, then)), expected);
  const onNode = selectionOf(pods, { fieldSelector: 'spec.nodeName=h1' });
  assert.deepEqual(told(cache.watch('main', pods, onNode, then)), expected);
  await cache.stop();
});

test('a history that has gone is said to be gone, to new watchers and to slow ones', async () => {
  const store = createMemoryStore();
  const clock = new ManualClock();
  const history = { minEvents: 2, maxEvents: 10, maxAgeMs: 1_000 };
  const cache = await start(store, { clock, history });
  const slow = cache.watch('main', pods, {});
  const first = await put(store, pod('a'));
  for (let n = 0; n < 200; n++) await put(store, pod('b'));
  await cache.fresh();
  assert.throws(
    () => cache.watch('main', pods, {}, first),
    (error) => isApiError(error, 'Expired'),
  );
  assert.throws(
    () => slow.take(),
    (error) => isApiError(error, 'Expired'),
  );
  assert.equal(cache.list('main', pods, {}, first), undefined);
  assert.deepEqual(told(cache.watch('main', configMaps, {}, first)), []);
  await cache.stop();
});

/** A store whose watch can be ended from outside. */
function breakable(store: Store): { store: Store; end(reason: Error): void } {
  let watches: { options: WatchOptions; abort: AbortController }[] = [];
  const broken: Store = {
    get: (key) => store.get(key),
    list: (prefix, options) => store.list(prefix, options),
    commit: (conditions, operations) => store.commit(conditions, operations),
    head: () => store.head(),
    compact: (revision) => store.compact(revision),
    close: () => store.close(),
    watch: (prefix, options) => {
      const abort = new AbortController();
      watches.push({ options, abort });
      store.watch(prefix, { ...options, signal: AbortSignal.any([options.signal, abort.signal]) });
    },
  };
  const end = (reason: Error) => {
    const ended = watches;
    watches = [];
    for (const { options, abort } of ended) {
      abort.abort();
      options.onEnd(reason);
    }
  };
  return { store: broken, end };
}

test('an interrupted watch goes on where it stopped', async () => {
  const { store, end } = breakable(createMemoryStore());
  const clock = new ManualClock();
  const cache = await start(store, { clock });
  const watcher = cache.watch('main', pods, {});
  await put(store, pod('a'));
  end(new FlotillaError('StoreUnavailable', 'gone for a moment'));
  await put(store, pod('b'));
  await clock.advance(1);
  assert.equal(cache.isFollowing, false);
  await clock.advance(2_000);
  assert.equal(cache.isFollowing, true);
  assert.deepEqual(told(watcher), ['ADDED a', 'ADDED b']);
  await cache.stop();
});

test('after a gap the difference is told, never the past', async () => {
  const { store, end } = breakable(createMemoryStore());
  const clock = new ManualClock();
  const cache = await start(store, { clock });
  const watcher = cache.watch('main', pods, {});
  const before = await put(store, pod('kept'));
  await put(store, pod('changed'));
  await put(store, pod('gone'));
  await cache.fresh();
  assert.equal(watcher.take().length, 3);
  end(new StoreCompacted(99));
  await put(store, pod('changed', 'h1'));
  await put(store, pod('new'));
  const head = await remove(store, 'gone');
  await clock.advance(2_000);
  assert.deepEqual(told(watcher), ['MODIFIED changed', 'ADDED new', 'DELETED gone']);
  assert.deepEqual(names(cache.list('main', pods, {})), ['changed', 'kept', 'new']);
  assert.deepEqual(
    [...cache.podsOnNode('main', 'h1')].map((one) => one.metadata.name),
    ['changed'],
  );
  assert.equal(cache.revision, head);
  assert.throws(
    () => cache.watch('main', pods, {}, before),
    (error) => isApiError(error, 'Expired'),
  );
  await cache.stop();
});

test('a value that cannot be read is treated as absent', async () => {
  const store = createMemoryStore();
  await put(store, pod('a'));
  const cache = await start(store);
  const key = objectKey('main', pods, 'default', 'a');
  await store.commit([], [{ type: 'put', key, value: Buffer.from('rubbish') }]);
  await store.commit([], [{ type: 'put', key: '/o/main/core/unheard/x/y', value: Buffer.from('{}') }]);
  await cache.fresh();
  assert.deepEqual(names(cache.list('main', pods, {})), []);
  await cache.stop();
});

const step = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  what: fc.constantFrom('remove', 'none', 'h1', 'h2'),
  app: fc.constantFrom('web', 'db'),
});

test('whoever follows a watch from anywhere knows what a list would say', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.nat(24), async (steps, resumeAt) => {
      const store = createMemoryStore();
      const cache = await start(store);
      const selections = ['', 'spec.nodeName=h1', 'spec.nodeName!=h1'].flatMap((fieldSelector) =>
        ['', 'app=web'].map((labelSelector) => selectionOf(pods, { fieldSelector, labelSelector })),
      );
      let resumed: { known: Map<string, string>; watcher: Watcher }[] = [];
      for (const [index, { name, what, app }] of steps.entries()) {
        if (what === 'remove') await remove(store, name);
        else await put(store, pod(name, what === 'none' ? undefined : what, { app }));
        if (index !== resumeAt) continue;
        await cache.fresh();
        const { revision } = cache;
        resumed = selections.map((selection) => ({
          known: new Map(cache.list('main', pods, selection)!.map((item) => [item.key, item.json])),
          watcher: cache.watch('main', pods, selection, revision),
        }));
      }
      await cache.fresh();
      const fromStart = selections.map((selection) => ({
        known: new Map<string, string>(),
        watcher: cache.watch('main', pods, selection),
      }));
      for (const group of [resumed, fromStart]) {
        for (const [index, { known, watcher }] of group.entries()) {
          for (let seen = watcher.take(3); seen.length > 0; seen = watcher.take(3)) {
            for (const { type, item } of seen) {
              assert.equal(type === 'ADDED', !known.has(item.key));
              if (type === 'DELETED') known.delete(item.key);
              else known.set(item.key, item.json);
            }
          }
          const listed = cache.list('main', pods, selections[index]!)!.map((item) => [item.key, item.json]);
          assert.deepEqual([...known].sort(), listed.sort());
          watcher.close();
        }
      }
      await cache.stop();
    }),
    { numRuns: 60 },
  );
});
