import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../lib/clock.ts';
import { FlotillaError } from '../lib/errors.ts';
import { type Pod, pods } from '../resources/kinds.ts';
import { ApiError } from './api-error.ts';
import type { Client, ObjectList, WatchEvent } from './client.ts';
import { type Informer, type InformerOptions, startInformer } from './informer.ts';

const pod = (name: string, version: string, uid = name): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'shop', name, uid, resourceVersion: version },
  spec: { containers: [], nodeName: version },
});
const expired = new ApiError({ code: 410, reason: 'Expired', message: 'too old' });
const away = new FlotillaError('Unavailable', 'no server answers', { retryable: true });

type Step<T> = T | Error;

/** Answers lists and watches from scripts; a watch at the end of its script stays open until aborted. */
function scriptedClient(lists: Step<ObjectList<Pod>>[], watches: (Step<WatchEvent<Pod>>[] | 'ends')[]) {
  const calls: string[] = [];
  const client = {
    grid: 'main',
    list: async () => {
      calls.push('list');
      const next = lists.shift() ?? away;
      if (next instanceof Error) throw next;
      return next;
    },
    watch: async function* (_kind: unknown, options: { resourceVersion: string; signal?: AbortSignal }) {
      calls.push(`watch ${options.resourceVersion}`);
      const script = watches.shift() ?? [];
      if (script === 'ends') return;
      for (const step of script) {
        if (step instanceof Error) throw step;
        yield step;
      }
      await new Promise((resolve) => options.signal?.addEventListener('abort', resolve));
    },
  } as unknown as Client;
  return { client, calls };
}

function start(client: Client, more: Partial<InformerOptions<Pod>> = {}) {
  const clock = new ManualClock();
  const seen: string[] = [];
  const informer: Informer<Pod> = startInformer<Pod>({
    client,
    kind: pods,
    clock,
    random: () => 0.5,
    onAdd: (object) => seen.push(`+${object.metadata.name}`),
    onUpdate: (object, old) => seen.push(`${old.metadata.resourceVersion}>${object.metadata.resourceVersion}`),
    onDelete: (object) => seen.push(`-${object.metadata.name}`),
    ...more,
  });
  return { clock, seen, informer };
}

const list = (resourceVersion: string, ...items: Pod[]): ObjectList<Pod> => ({ resourceVersion, items });

describe('an informer', () => {
  test('lists, then follows the watch', async () => {
    const { client, calls } = scriptedClient(
      [list('5', pod('a', '3'), pod('b', '4'))],
      [
        [
          { type: 'MODIFIED', object: pod('a', '6') },
          { type: 'DELETED', object: pod('b', '7') },
          { type: 'ADDED', object: pod('c', '8') },
        ],
      ],
    );
    const changes: [string, boolean, boolean][] = [];
    const { seen, informer, clock } = start(client, {
      onChange: (key, object, old) => changes.push([key, object !== undefined, old !== undefined]),
    });
    await informer.synced;
    await clock.advance(0);
    assert.deepEqual(calls, ['list', 'watch 5']);
    assert.deepEqual(seen, ['+a', '+b', '3>6', '-b', '+c']);
    assert.deepEqual(changes.slice(2), [
      ['shop/a', true, true],
      ['shop/b', false, true],
      ['shop/c', true, false],
    ]);
    assert.deepEqual([...informer.store.keys()], ['shop/a', 'shop/c']);
    assert.ok(informer.isConnected && informer.isSynced);
    await informer.stop();
    assert.ok(!informer.isConnected);
  });

  test('goes on from the newest version seen, bookmarks included, and keeps its cache while away', async () => {
    const { client, calls } = scriptedClient(
      [list('5', pod('a', '3'))],
      [[{ type: 'MODIFIED', object: pod('a', '6') }, { type: 'BOOKMARK', resourceVersion: '9' }, away], [away], []],
    );
    const connection: boolean[] = [];
    const { informer, clock } = start(client, { onConnection: (is) => connection.push(is) });
    await informer.synced;
    await clock.advance(0);
    assert.equal(informer.get('shop/a')?.metadata.resourceVersion, '6');
    assert.ok(!informer.isConnected);
    await clock.advance(500);
    assert.deepEqual(calls, ['list', 'watch 5', 'watch 9', 'watch 9']);
    assert.deepEqual(connection, [true, false, true, false, true]);
    await informer.stop();
  });

  test('lists again when the history is gone; only differences are told', async () => {
    const { client, calls } = scriptedClient(
      [list('5', pod('a', '3'), pod('b', '4'), pod('c', '5')), list('90', pod('a', '3'), pod('b', '80', 'other uid'))],
      [[expired], []],
    );
    const { informer, clock, seen } = start(client);
    await informer.synced;
    await clock.advance(0);
    await clock.advance(500);
    assert.deepEqual(calls, ['list', 'watch 5', 'list', 'watch 90']);
    assert.deepEqual(seen, ['+a', '+b', '+c', '-c', '-b', '+b']);
    await informer.stop();
  });

  test('tries soon at first, then every few seconds, for ever', async () => {
    const { client, calls } = scriptedClient([], []);
    const { informer, clock } = start(client);
    await clock.advance(0);
    await clock.advance(500);
    assert.ok(calls.length >= 3, `${calls.length} tries within 500 ms`);
    await clock.advance(60_000);
    const soFar = calls.length;
    await clock.advance(5_000);
    assert.ok(calls.length > soFar, 'a try within 5 s');
    assert.ok(soFar < 40, `${soFar} tries within a minute`);
    assert.ok(!informer.isSynced);
    await informer.stop();
  });

  test('watches that end at once are no busy loop', async () => {
    const { client, calls } = scriptedClient([list('5')], Array(100).fill('ends'));
    const { informer, clock } = start(client);
    await clock.advance(0);
    await clock.advance(1_000);
    assert.ok(calls.length > 2 && calls.length < 12, `${calls.length} calls in a second`);
    await informer.stop();
  });

  test('indexes follow changes, a handler that throws stops nothing', async () => {
    const { client } = scriptedClient(
      [list('5', pod('a', '3'), pod('b', '3'))],
      [
        [
          { type: 'MODIFIED', object: pod('a', '6') },
          { type: 'DELETED', object: pod('b', '7') },
        ],
      ],
    );
    const { informer, clock } = start(client, {
      indexes: { node: (object) => (object.spec.nodeName === undefined ? [] : [object.spec.nodeName]) },
      onUpdate: () => {
        throw new Error('handler');
      },
      resyncMs: 1_000,
    });
    await informer.synced;
    await clock.advance(0);
    const names = (value: string) => informer.byIndex('node', value).map((object) => object.metadata.name);
    assert.deepEqual([names('3'), names('6')], [[], ['a']]);
    assert.throws(() => informer.byIndex('zone', 'x'), /no index zone/);
    await clock.advance(3_000);
    assert.equal(informer.size, 1);
    await informer.stop();
  });
});
