import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFakeRuntime } from '../../adapters/runtime/fake.ts';
import type { Client, ListOptions, Patch, WatchEvent, WatchOptions } from '../../client/client.ts';
import { ManualClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import type { Volume } from '../../resources/kinds.ts';
import { finalizers } from '../../resources/names.ts';
import { startVolumeKeeper } from './volume-keeper.ts';

const volumeOf = (change: Partial<Volume['metadata']> = {}, phase?: 'Bound'): Volume => ({
  ...{ apiVersion: 'flotilla.dev/v1alpha1', kind: 'Volume' },
  metadata: {
    ...{ name: 'data', namespace: 'shop', resourceVersion: '7', finalizers: [finalizers.volumeData, 'other'] },
    ...change,
  },
  spec: { nodeName: 'h1' },
  ...(phase ? { status: { phase } } : {}),
});

/** A server with one volume, and this node's engine. */
function start(volume: Volume | undefined) {
  const runtime = createFakeRuntime();
  const clock = new ManualClock();
  const patches: { body: unknown; subresource: string | undefined }[] = [];
  const selectors = new Set<string | undefined>();
  let send: (event: WatchEvent<Volume>) => void = () => {};
  const client = {
    grid: 'main',
    list: async (_kind: unknown, { fieldSelector }: ListOptions) => {
      selectors.add(fieldSelector);
      return { resourceVersion: '7', items: volume ? [volume] : [] };
    },
    async *watch(_kind: unknown, { signal }: WatchOptions) {
      for (;;) {
        const next = Promise.withResolvers<WatchEvent<Volume> | undefined>();
        send = next.resolve;
        signal?.addEventListener('abort', () => next.resolve(undefined));
        const event = await next.promise;
        if (!event) return;
        yield event;
      }
    },
    patch: async (_kind: unknown, _ref: unknown, { body, subresource }: Patch) => {
      patches.push({ body, subresource });
    },
  } as unknown as Client;
  const keeper = startVolumeKeeper({ client, runtime, grid: 'main', nodeName: 'h1', log: silentLogger, clock });
  const until = async (isSo: () => boolean) => {
    for (let turns = 0; !isSo(); turns++) {
      assert.ok(turns < 1_000, 'it does not happen');
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const settle = async () => {
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    clock,
    runtime,
    keeper,
    patches,
    selectors,
    until,
    settle,
    send: (event: WatchEvent<Volume>) => send(event),
  };
}

describe('volumes of a node', () => {
  it('are made and told of as Bound, once', async () => {
    const { runtime, keeper, patches, selectors, until } = start(volumeOf());
    await until(() => patches.length === 1);
    assert.deepEqual(patches, [{ body: { status: { phase: 'Bound' } }, subresource: 'status' }]);
    assert.deepEqual((await runtime.listVolumes())[0]?.name, 'fl-main-shop-data');
    assert.deepEqual([...selectors], ['spec.nodeName=h1']);
    await keeper.stop();
  });

  it('that are Bound are left alone', async () => {
    const { runtime, keeper, patches, settle } = start(volumeOf({}, 'Bound'));
    await settle();
    assert.deepEqual([patches, runtime.calls], [[], []]);
    await keeper.stop();
  });

  it('go with their data when the object is being deleted, and only then the finalizer goes', async () => {
    const { runtime, keeper, patches, until } = start(volumeOf({ deletionTimestamp: 'now' }, 'Bound'));
    await until(() => patches.length === 1);
    assert.ok(runtime.calls.includes('removeVolume fl-main-shop-data'));
    assert.deepEqual(patches[0]?.body, { metadata: { finalizers: ['other'], resourceVersion: '7' } });
    await keeper.stop();
  });

  it('in use stay, and so does the finalizer; they go when nobody uses them', async () => {
    const { runtime, keeper, patches, until, settle, clock } = start(volumeOf({ deletionTimestamp: 'now' }, 'Bound'));
    runtime.failNext('removeVolume', new Error('volume is in use'));
    await settle();
    assert.deepEqual(patches, []);
    await clock.advance(1_000);
    await until(() => patches.length === 1);
    await keeper.stop();
  });

  it('are never removed because an object is absent', async () => {
    const { runtime, keeper, settle, send } = start(volumeOf({}, 'Bound'));
    await settle();
    send({ type: 'DELETED', object: volumeOf({}, 'Bound') });
    await settle();
    assert.ok(!runtime.calls.some((call) => call.startsWith('removeVolume')));
    await keeper.stop();
    const empty = start(undefined);
    await empty.settle();
    assert.deepEqual(empty.runtime.calls, []);
    await empty.keeper.stop();
  });

  it('whose finalizer is gone already are not touched', async () => {
    const { runtime, keeper, patches, settle } = start(volumeOf({ deletionTimestamp: 'now', finalizers: ['other'] }));
    await settle();
    assert.deepEqual([patches, runtime.calls], [[], []]);
    await keeper.stop();
  });
});
