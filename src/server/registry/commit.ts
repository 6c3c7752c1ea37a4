import type { Kind } from '../../resources/kind.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { Condition, Operation } from '../../store/port.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import { conflict, notFound } from './api-errors.ts';
import type { Call, RegistryContext } from './call.ts';
import { objectKey } from './object-key.ts';
import { release } from './reservations/reserve.ts';

/** Writes one object, and what goes with it. Undefined: a condition did not hold, somebody else was faster. */
export async function putObject(
  context: RegistryContext,
  call: Call,
  kind: Kind,
  object: ApiObject,
  conditions: readonly Condition[],
  beside: readonly Operation[] = [],
): Promise<ApiObject | undefined> {
  const key = objectKey(call.grid, kind, object.metadata.namespace, object.metadata.name);
  const { resourceVersion: _, ...metadata } = object.metadata;
  const stored = { ...object, metadata };
  const value = context.codec.encode(kind, key, stored);
  const ttl = kind.ttlSeconds === undefined ? {} : { ttlSeconds: kind.ttlSeconds };
  const revision = await commit(context, call, conditions, [{ type: 'put', key, value, ...ttl }, ...beside], kind);
  if (revision === undefined) return undefined;
  return { ...stored, metadata: { ...metadata, resourceVersion: context.codec.versions.format(revision) } };
}

/** Removes exactly the state that was read; answers `last` with the version of its end. */
export async function removeObject(
  context: RegistryContext,
  call: Call,
  kind: Kind,
  old: CachedObject,
  last: ApiObject = old.object,
): Promise<ApiObject | undefined> {
  const condition = { key: old.key, modRevision: old.revision };
  const { conditions, operations } = await release(context, call, kind, old.object);
  const gone: Operation = { type: 'delete', key: old.key };
  const revision = await commit(context, call, [condition, ...conditions], [gone, ...operations], kind);
  if (revision === undefined) return undefined;
  return { ...last, metadata: { ...last.metadata, resourceVersion: context.codec.versions.format(revision) } };
}

async function commit(
  context: RegistryContext,
  call: Call,
  conditions: readonly Condition[],
  operations: readonly Operation[],
  kind: Kind,
): Promise<number | undefined> {
  const confirmed = call.confirm?.();
  if (confirmed) await confirmed;
  const startedMs = context.clock.monotonicMs();
  const result = await context.store.commit(conditions, operations);
  const seconds = (context.clock.monotonicMs() - startedMs) / 1000;
  context.commitSeconds?.observe(seconds, { resource: kind.plural });
  return result.committed ? result.revision : undefined;
}

/** So often a write begins anew because somebody else was faster; then it is answered with a conflict. */
const maxAttempts = 20;

/**
 * Reads the newest state and lets `attempt` write from it, again while others are faster. `attempt` returns undefined
 * when its commit did not happen. Throws ApiError NotFound and Conflict.
 */
export async function withNewest<R>(
  context: RegistryContext,
  call: Call,
  kind: Kind,
  ref: { readonly namespace?: string | undefined; readonly name: string },
  attempt: (old: CachedObject) => Promise<R | undefined>,
): Promise<R> {
  for (let tries = 0; tries < maxAttempts; tries++) {
    await context.cache.fresh();
    const old = context.cache.get(call.grid, kind, ref.namespace, ref.name);
    if (!old) throw notFound(kind, ref.name);
    const result = await attempt(old);
    if (result !== undefined) return result;
  }
  throw conflict(kind, ref.name);
}
