import type { DeleteOptions } from 'kubernetes-types/meta/v1.js';
import { formatTime } from '../../resources/conditions.ts';
import type { Kind } from '../../resources/kind.ts';
import { grids, namespaces, type Pod, pods } from '../../resources/kinds.ts';
import { defaultGrid } from '../../resources/names.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import { conflict, forbidden } from './api-errors.ts';
import type { Call, RegistryContext } from './call.ts';
import { putObject, removeObject, withNewest } from './commit.ts';
import { permanentNamespaces } from './permanent-namespaces.ts';
import { hasGeneration, isSame, type WritableMeta } from './server-fields.ts';
import { isFinished } from './update.ts';

export interface Deleted {
  /** False: it lives on until its finalizers and its grace period end. */
  readonly isGone: boolean;
  readonly object: ApiObject;
}

/** Removes an object, or marks it to be removed by those who hold it. */
export async function deleteObject(
  context: RegistryContext,
  call: Call,
  kind: Kind,
  ref: { readonly namespace?: string | undefined; readonly name: string },
  options: DeleteOptions,
): Promise<Deleted> {
  if (isSame(kind, namespaces) && permanentNamespaces[call.grid]?.includes(ref.name)) {
    throw forbidden(kind, ref.name, 'this namespace may not be deleted');
  }
  if (isSame(kind, grids) && ref.name === defaultGrid) throw forbidden(kind, ref.name, 'this grid may not be deleted');
  return await withNewest(context, call, kind, ref, async (old) => {
    checkPreconditions(kind, old.object, options);
    const next = markDeleted(kind, old.object, options, context.clock.wallMs());
    if (next === old.object) return { isGone: false, object: old.object };
    return await write(context, call, kind, old, next);
  });
}

async function write(
  context: RegistryContext,
  call: Call,
  kind: Kind,
  old: CachedObject,
  next: ApiObject,
): Promise<Deleted | undefined> {
  const isGone = isFinished(kind, next);
  if (call.isDryRun) return { isGone, object: next };
  const conditions = [{ key: old.key, modRevision: old.revision }];
  const object = isGone
    ? await removeObject(context, call, kind, old)
    : await putObject(context, call, kind, next, conditions);
  return object && { isGone, object };
}

function checkPreconditions(kind: Kind, object: ApiObject, options: DeleteOptions): void {
  const { uid, resourceVersion } = options.preconditions ?? {};
  const { metadata } = object;
  if (uid && uid !== metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`;
    throw conflict(kind, metadata.name, why);
  }
  if (resourceVersion && resourceVersion !== metadata.resourceVersion) {
    const why = `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`;
    throw conflict(kind, metadata.name, why);
  }
}

/** The object as the deletion leaves it; `old` itself when nothing changes. Pure. */
export function markDeleted(kind: Kind, old: ApiObject, options: DeleteOptions, wallMs: number): ApiObject {
  const { metadata } = old;
  const held = metadata.finalizers ?? [];
  const finalizers = wantedFinalizers(held, options);
  const graceSeconds = graceOf(kind, old, options);
  const oldGrace = metadata.deletionGracePeriodSeconds ?? 0;
  // A second deletion only ever makes the end come sooner, and only when it says so.
  const isAgain = metadata.deletionTimestamp !== undefined;
  const isSooner = isAgain && options.gracePeriodSeconds !== undefined && graceSeconds < oldGrace;
  if (metadata.deletionTimestamp !== undefined && !isSooner && finalizers === held) return old;
  const marked: WritableMeta = { ...metadata };
  const next: ApiObject = { ...old, metadata: marked };
  if (finalizers.length > 0) marked.finalizers = [...finalizers];
  else delete marked.finalizers;
  if (metadata.deletionTimestamp === undefined || isSooner) {
    const endMs = isSooner ? Date.parse(metadata.deletionTimestamp ?? '') - oldGrace * 1000 : wallMs;
    marked.deletionTimestamp = formatTime(endMs + graceSeconds * 1000);
    marked.deletionGracePeriodSeconds = graceSeconds;
    if (hasGeneration(kind)) marked.generation = (metadata.generation ?? 0) + 1;
  }
  if (isSame(kind, namespaces)) {
    const { status } = old as { status?: object };
    (next as { status?: object }).status = { ...status, phase: 'Terminating' };
  }
  return next;
}

/** `finalizers` itself when the policy leaves them as they are. The garbage collector acts on the two that we add. */
function wantedFinalizers(finalizers: readonly string[], options: DeleteOptions): readonly string[] {
  const { propagationPolicy, orphanDependents } = options;
  const byFlag = orphanDependents === undefined ? undefined : orphanDependents ? 'Orphan' : 'Background';
  const policy = propagationPolicy ?? byFlag;
  if (policy === undefined) return finalizers;
  const others = finalizers.filter((one) => one !== 'foregroundDeletion' && one !== 'orphan');
  const wanted =
    policy === 'Foreground' ? [...others, 'foregroundDeletion'] : policy === 'Orphan' ? [...others, 'orphan'] : others;
  const isSameList = wanted.length === finalizers.length && wanted.every((one) => finalizers.includes(one));
  return isSameList ? finalizers : wanted;
}

const defaultPodGraceSeconds = 30;

/** Only pods that may run somewhere are given time. */
function graceOf(kind: Kind, object: ApiObject, options: DeleteOptions): number {
  if (!isSame(kind, pods)) return 0;
  const { spec, status } = object as Pod;
  const hasEnded = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  if (!spec.nodeName || hasEnded) return 0;
  return Math.max(0, options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? defaultPodGraceSeconds);
}
