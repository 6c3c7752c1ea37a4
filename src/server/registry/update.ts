import { applyDefaults } from '../../resources/defaults.ts';
import { invalidError } from '../../resources/field-errors.ts';
import { jsonEqual } from '../../resources/json.ts';
import type { Kind } from '../../resources/kind.ts';
import { hasSubresource } from '../../resources/kind.ts';
import {
  deployments,
  ingresses,
  namespaces,
  podDisruptionBudgets,
  pods,
  replicaSets,
  services,
} from '../../resources/kinds.ts';
import type { ApiObject, Meta } from '../../resources/object.ts';
import { validateUpdate } from '../../resources/validate.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import { badRequest, conflict } from './api-errors.ts';
import type { Call, RegistryContext } from './call.ts';
import { putObject, removeObject, withNewest } from './commit.ts';
import { ownersOfChanged } from './owners.ts';
import { reserve } from './reservations/reserve.ts';
import { dropEmpty, hasGeneration, isSame, namespaceNameLabel } from './server-fields.ts';

/** Which part of an object a write is about; `binding` is `spec.nodeName` of a pod, `finalize` a namespace's finalizers. */
export type Part = 'status' | 'scale' | 'binding' | 'finalize' | undefined;

export interface ChangeOptions {
  readonly ref: { readonly namespace?: string | undefined; readonly name: string };
  readonly part: Part;
  /** Gives the object as the client wants it, from what is there; must not change that. */
  readonly change: (old: ApiObject) => ApiObject;
  /** What `change` gives says who owns its fields. */
  readonly isApply?: boolean;
}

/** The one way of changing an object: newest state → change → checks → commit, again when somebody else was faster. */
export async function changeObject(
  context: RegistryContext,
  call: Call,
  kind: Kind,
  options: ChangeOptions,
): Promise<ApiObject> {
  const { ref, part, change, isApply } = options;
  return await withNewest(context, call, kind, ref, async (old) => {
    const wanted = change(old.object);
    checkIdentity(kind, wanted, old);
    const merged = merge(kind, part, wanted, old.object);
    const next = part === undefined ? completed(kind, merged, old.object) : merged;
    const sent = wanted.metadata.managedFields;
    const owners = isApply ? sent : ownersOfChanged(context, call, { kind, part, old: old.object, next, sent });
    next.metadata = withOwners(next.metadata, owners);
    if (isUnchanged(next, old.object)) return old.object;
    const errors = validateUpdate(kind, next, old.object, part && part !== 'finalize' ? { subresource: part } : {});
    if (errors.length > 0) throw invalidError(kind, ref.name, errors);
    if (part !== 'status') raiseGeneration(kind, next, old.object);
    call.admit?.(next, old.object);
    const isEnd = isFinished(kind, next);
    if (isEnd && !call.isDryRun) return await removeObject(context, call, kind, old, next);
    const { object, conditions, operations } = await reserve(context, call, kind, next, old.object);
    if (call.isDryRun) return object;
    const known = { key: old.key, modRevision: old.revision };
    return await putObject(context, call, kind, object, [known, ...conditions], operations);
  });
}

function completed(kind: Kind, wanted: ApiObject, old: ApiObject): ApiObject {
  return applyDefaults(kind, kind.prepareForUpdate?.(wanted, old) ?? wanted);
}

/** What the client believes about the object must be true. */
function checkIdentity(kind: Kind, wanted: ApiObject, old: CachedObject): void {
  const { name, namespace, uid, resourceVersion } = wanted.metadata;
  const was = old.object.metadata;
  if (name !== was.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${was.name})`);
  }
  if ((namespace ?? '') !== (was.namespace ?? '')) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (uid && uid !== was.uid) {
    throw conflict(kind, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${was.uid}`);
  }
  if (resourceVersion && resourceVersion !== '0' && resourceVersion !== was.resourceVersion) throw conflict(kind, name);
}

/** `wanted`, but only what this part may change; the rest as it was. */
function merge(kind: Kind, part: Part, wanted: ApiObject, old: ApiObject): ApiObject {
  if (part === 'status') return withStatus(kind, wanted, old);
  if (part === 'finalize') {
    const next = { ...old };
    setOrDelete(next, 'spec', (wanted as { spec?: unknown }).spec);
    return next;
  }
  if (part !== undefined) return { ...wanted, metadata: old.metadata };
  const next = { ...wanted, metadata: keepServersFields(wanted.metadata, old.metadata) };
  dropEmpty(next.metadata);
  if (hasSubresource(kind, 'status')) setOrDelete(next, 'status', (old as { status?: unknown }).status);
  if (isSame(kind, namespaces)) {
    setOrDelete(next, 'spec', (old as { spec?: unknown }).spec);
    next.metadata.labels = { ...next.metadata.labels, [namespaceNameLabel]: next.metadata.name };
  }
  return next;
}

function withStatus(kind: Kind, wanted: ApiObject, old: ApiObject): ApiObject {
  const next = { ...old };
  setOrDelete(next, 'status', (wanted as { status?: unknown }).status);
  // As Kubernetes has it; the agent, which may write nothing but the status, tells the ports that the engine bound so.
  const taken = metadataWithStatus.find((one) => isSame(one.kind, kind))?.fields ?? [];
  if (taken.length > 0) {
    next.metadata = { ...old.metadata };
    for (const field of taken) setOrDelete(next.metadata, field, wanted.metadata[field]);
    dropEmpty(next.metadata);
  }
  return next;
}

/**
 * What a write of the status may change besides it. Not the labels of pods: nodes write their status, and labels say to
 * which Service objects a pod belongs.
 */
const metadataWithStatus: readonly { readonly kind: Kind; readonly fields: readonly ('labels' | 'annotations')[] }[] = [
  { kind: pods, fields: ['annotations'] },
  { kind: deployments, fields: ['annotations'] },
  { kind: replicaSets, fields: ['labels', 'annotations'] },
  { kind: services, fields: ['labels', 'annotations'] },
  { kind: ingresses, fields: ['labels', 'annotations'] },
  { kind: namespaces, fields: ['annotations'] },
  { kind: podDisruptionBudgets, fields: ['labels', 'annotations'] },
];

const serversFields = [
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'selfLink',
] as const;

function keepServersFields(wanted: Meta, old: Meta): Meta {
  const metadata: Meta = { ...wanted };
  for (const field of serversFields) setOrDelete(metadata, field, old[field]);
  return metadata;
}

/** When somebody last said the same again is not worth a write. */
function isUnchanged(next: ApiObject, old: ApiObject): boolean {
  if (jsonEqual(next, old)) return true;
  const [one, other] = [next.metadata.managedFields, old.metadata.managedFields];
  const withoutTimes = (object: ApiObject, entries: Meta['managedFields']) => ({
    ...object,
    metadata: { ...object.metadata, managedFields: entries?.map(({ time: _, ...rest }) => rest) },
  });
  return one !== undefined && other !== undefined && jsonEqual(withoutTimes(next, one), withoutTimes(old, other));
}

function withOwners(metadata: Meta, managedFields: Meta['managedFields']): Meta {
  if (metadata.managedFields === managedFields) return metadata;
  const { managedFields: _, ...rest } = metadata;
  return managedFields ? { ...rest, managedFields } : rest;
}

function setOrDelete(object: object, field: string, value: unknown): void {
  if (value === undefined) delete (object as Record<string, unknown>)[field];
  else (object as Record<string, unknown>)[field] = value;
}

function raiseGeneration(kind: Kind, next: ApiObject, old: ApiObject): void {
  if (!hasGeneration(kind)) return;
  if (jsonEqual((next as { spec?: unknown }).spec, (old as { spec?: unknown }).spec)) return;
  next.metadata = { ...next.metadata, generation: (old.metadata.generation ?? 0) + 1 };
}

/** Deleted before, and now nothing holds it any more. */
export function isFinished(kind: Kind, object: ApiObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers = [] } = object.metadata;
  if (!deletionTimestamp || finalizers.length > 0 || (deletionGracePeriodSeconds ?? 0) > 0) return false;
  return !isSame(kind, namespaces) || namespaceFinalizers(object).length === 0;
}

function namespaceFinalizers(object: ApiObject): readonly string[] {
  return (object as { spec?: { finalizers?: string[] } }).spec?.finalizers ?? [];
}
