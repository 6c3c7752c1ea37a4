import type { BindOptions, CallOptions, Client, DeleteOptions, ObjectRef, WatchEvent } from '../client/client.ts';
import { decodeValue } from '../resources/decode.ts';
import type { Kind } from '../resources/kind.ts';
import type { ApiObject } from '../resources/object.ts';
import type { Scale } from '../resources/scale.ts';
import { selectionOf } from './cache/selection.ts';
import type { WatchCache } from './cache/watch-cache.ts';
import type { Watcher } from './cache/watcher.ts';
import { badRequest } from './registry/api-errors.ts';
import type { Call } from './registry/call.ts';
import type { Registry } from './registry/registry.ts';

export interface InProcessClientOptions {
  readonly registry: Registry;
  readonly cache: WatchCache;
  readonly grid: string;
}

const bookmarkMs = 60_000;

/**
 * A client for the server's own parts: the same calls as over HTTPS, without a wire, authorisation or audit. Lists and
 * watches hand out the cache's own objects.
 */
export function createInProcessClient({ registry, cache, grid }: InProcessClientOptions): Client {
  const call: Call = { grid };
  return {
    grid,
    get: async <T extends ApiObject>(kind: Kind<T>, ref: ObjectRef, options?: CallOptions) => {
      options?.signal?.throwIfAborted();
      return (await registry.get(call, kind as Kind, ref)).object as T;
    },
    list: async <T extends ApiObject>(kind: Kind<T>, options: Parameters<Client['list']>[1] = {}) => {
      options.signal?.throwIfAborted();
      const selection = selectionOf(kind as Kind, options);
      await catchUp(cache, options.resourceVersion);
      const { revision } = cache;
      const items = (cache.list(grid, kind as Kind, selection, revision) ?? []).map((item) => item.object as T);
      return { resourceVersion: cache.versions.format(revision), items };
    },
    watch: <T extends ApiObject>(kind: Kind<T>, options: Parameters<Client['watch']>[1]) =>
      watch<T>(cache, grid, kind as Kind, options),
    create: async <T extends ApiObject>(kind: Kind<T>, object: T, options?: CallOptions) => {
      options?.signal?.throwIfAborted();
      return (await registry.create(call, kind as Kind, own(kind, object))) as T;
    },
    update: async <T extends ApiObject>(kind: Kind<T>, object: T, options?: CallOptions) => {
      options?.signal?.throwIfAborted();
      return (await registry.update(call, kind as Kind, object.metadata, own(kind, object))) as T;
    },
    updateStatus: async <T extends ApiObject>(kind: Kind<T>, object: T, options?: CallOptions) => {
      options?.signal?.throwIfAborted();
      return (await registry.update(call, kind as Kind, object.metadata, own(kind, object), 'status')) as T;
    },
    patch: async <T extends ApiObject>(
      kind: Kind<T>,
      ref: ObjectRef,
      { type, body, subresource }: Parameters<Client['patch']>[2],
      options?: CallOptions,
    ) => {
      options?.signal?.throwIfAborted();
      if (subresource === 'scale') {
        const scale: Scale = await registry.changeScale(call, kind as Kind, ref, { type, body });
        return scale as unknown as T;
      }
      const patch = { type, body, strictness: 'Strict', part: subresource } as const;
      return (await registry.patch(call, kind as Kind, ref, patch)) as T;
    },
    bindPod: async (pod: ObjectRef, nodeName: string, options?: BindOptions) => {
      options?.signal?.throwIfAborted();
      const metadata = { name: pod.name, ...(options?.uid === undefined ? {} : { uid: options.uid }) };
      await registry.bind(call, pod, { metadata, target: { kind: 'Node', name: nodeName } });
    },
    delete: async <T extends ApiObject>(kind: Kind<T>, ref: ObjectRef, options: DeleteOptions = {}) => {
      const { signal, gracePeriodSeconds, propagationPolicy, uid, resourceVersion } = options;
      signal?.throwIfAborted();
      await registry.delete(call, kind as Kind, ref, {
        ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
        ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
        preconditions: {
          ...(uid === undefined ? {} : { uid }),
          ...(resourceVersion === undefined ? {} : { resourceVersion }),
        },
      });
    },
  };
}

/** The registry changes what it is given, and the caller may hold objects of the cache. */
function own<T extends ApiObject>(kind: Kind<T>, object: T): ApiObject {
  return decodeValue<ApiObject>(kind as Kind, object, { strictness: 'Strict' }).object;
}

async function catchUp(cache: WatchCache, resourceVersion: string | undefined): Promise<void> {
  if (resourceVersion === undefined || resourceVersion === '') return await cache.fresh();
  if (resourceVersion !== '0') await cache.waitFor(revisionOf(cache, resourceVersion));
}

function revisionOf(cache: WatchCache, resourceVersion: string): number {
  const revision = cache.versions.parse(resourceVersion);
  if (revision === undefined) throw badRequest(`resourceVersion: Invalid value: "${resourceVersion}"`);
  return revision;
}

async function* watch<T extends ApiObject>(
  cache: WatchCache,
  grid: string,
  kind: Kind,
  options: Parameters<Client['watch']>[1],
): AsyncGenerator<WatchEvent<T>> {
  const signal = options.signal ?? new AbortController().signal;
  if (signal.aborted) return;
  const isFromStart = options.resourceVersion === '' || options.resourceVersion === '0';
  const after = isFromStart ? undefined : revisionOf(cache, options.resourceVersion);
  await catchUp(cache, options.resourceVersion);
  const watcher = cache.watch(grid, kind, selectionOf(kind, options), after);
  try {
    yield* follow<T>(cache, watcher, signal);
  } finally {
    watcher.close();
  }
}

async function* follow<T extends ApiObject>(
  cache: WatchCache,
  watcher: Watcher,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>> {
  while (!signal.aborted) {
    const seen = watcher.take();
    for (const { type, item } of seen) {
      if (signal.aborted) return;
      yield { type, object: item.object as T };
    }
    if (seen.length > 0) continue;
    const hasNews = await watcher.wait(signal, bookmarkMs).catch(() => true);
    if (!hasNews) yield { type: 'BOOKMARK', resourceVersion: cache.versions.format(cache.revision) };
  }
}
