// What can be done with objects, over the store. Whoever calls has been authenticated and may ask; `call.admit` decides
// about the very object that would be written.
import type { Binding } from 'kubernetes-types/core/v1.js';
import type { DeleteOptions } from 'kubernetes-types/meta/v1.js';
import { type Clock, systemClock } from '../../lib/clock.ts';
import type { Histogram, Metrics } from '../../lib/metrics.ts';
import { scaleBody } from '../../resources/bodies.ts';
import { decodeValue, type Strictness } from '../../resources/decode.ts';
import type { Kind } from '../../resources/kind.ts';
import { type Deployment, type Pod, pods, type ReplicaSet } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import { type Scale, scaleOf, withScale } from '../../resources/scale.ts';
import type { Store } from '../../store/port.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import type { Selection } from '../cache/kind-cache.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import { conflict, notFound } from './api-errors.ts';
import { type AppliedObject, type ApplyRequest, applyObject } from './apply.ts';
import { assignPod } from './binding.ts';
import type { Call, Completer, RegistryContext, TokenIssuer } from './call.ts';
import { createObject } from './create.ts';
import { type Deleted, deleteObject } from './delete.ts';
import type { ObjectCodec } from './object-codec.ts';
import { listPast, type PastListOptions, type PastPage } from './past-list.ts';
import { type PatchBody, patchObject, patchValue } from './patch.ts';
import { changeObject } from './update.ts';

export interface RegistryOptions {
  readonly store: Store;
  readonly cache: WatchCache;
  readonly codec: ObjectCodec;
  readonly clock?: Clock;
  /** Seconds by resource: `commitHistogram` makes it, once for all registries of a server. */
  readonly commitSeconds?: Histogram;
  /** Absent: Tokens cannot be created. */
  readonly tokenIssuer?: TokenIssuer;
  /** Absent: objects are what their makers send. */
  readonly complete?: Completer;
}

/** `namespace` is absent for cluster-wide kinds. */
export interface Ref {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** `finalize`: `spec.finalizers` of a namespace. Absent: everything but these and what the server decides. */
export type WritablePart = 'status' | 'finalize';

export interface PatchRequest extends PatchBody {
  readonly part?: WritablePart | undefined;
  readonly strictness: Strictness;
}

/** All of them throw ApiError. Objects given in belong to the registry from then on; those given out are shared. */
export interface Registry {
  /** As new as any write acknowledged before. */
  get(call: Call, kind: Kind, ref: Ref): Promise<CachedObject>;
  /** A list as it was at a revision that the cache has forgotten; undefined: the store has forgotten it, too. */
  listPast(call: Call, kind: Kind, selection: Selection, options: PastListOptions): Promise<PastPage | undefined>;
  create(call: Call, kind: Kind, object: ApiObject): Promise<ApiObject>;
  update(call: Call, kind: Kind, ref: Ref, object: ApiObject, part?: WritablePart): Promise<ApiObject>;
  patch(call: Call, kind: Kind, ref: Ref, patch: PatchRequest): Promise<ApiObject>;
  /** Server-side apply, in the name of `call.fieldManager`. */
  apply(call: Call, kind: Kind, request: ApplyRequest): Promise<AppliedObject>;
  delete(call: Call, kind: Kind, ref: Ref, options?: DeleteOptions): Promise<Deleted>;
  getScale(call: Call, kind: Kind, ref: Ref): Promise<Scale>;
  /** `wanted` gives the Scale to write from the one that is there. */
  changeScale(call: Call, kind: Kind, ref: Ref, wanted: Scale | PatchBody): Promise<Scale>;
  bind(call: Call, ref: Ref, binding: Pick<Binding, 'target'> & { metadata?: Binding['metadata'] }): Promise<void>;
}

export function commitHistogram(metrics: Metrics): Histogram {
  return metrics.histogram('flotilla_commit_seconds', 'Time until the store had acknowledged a change.');
}

export function createRegistry(options: RegistryOptions): Registry {
  const context: RegistryContext = {
    store: options.store,
    cache: options.cache,
    codec: options.codec,
    clock: options.clock ?? systemClock,
    tokenIssuer: options.tokenIssuer,
    complete: options.complete,
    commitSeconds: options.commitSeconds,
  };
  return {
    get: (call, kind, ref) => getObject(context, call, kind, ref),
    listPast: (call, kind, selection, past) => listPast(context, call, kind, selection, past),
    create: (call, kind, object) => createObject(context, call, kind, object),
    update: (call, kind, ref, object, part) => changeObject(context, call, kind, { ref, part, change: () => object }),
    patch: (call, kind, ref, patch) =>
      changeObject(context, call, kind, {
        ref,
        part: patch.part,
        change: (old) => patchObject(kind, old, patch, patch.strictness, call.warn),
      }),
    apply: (call, kind, request) => applyObject(context, call, kind, request),
    delete: (call, kind, ref, deleteOptions = {}) => deleteObject(context, call, kind, ref, deleteOptions),
    getScale: async (call, kind, ref) =>
      scaleOf((await getObject(context, call, kind, ref)).object as Deployment | ReplicaSet),
    changeScale: (call, kind, ref, wanted) => changeScale(context, call, kind, ref, wanted),
    bind: async (call, ref, binding) => {
      const change = (pod: ApiObject) => assignPod(pod as Pod, binding, context.clock.wallMs());
      await changeObject(context, call, pods, { ref, part: 'binding', change });
    },
  };
}

async function getObject(context: RegistryContext, call: Call, kind: Kind, ref: Ref): Promise<CachedObject> {
  await context.cache.fresh();
  const found = context.cache.get(call.grid, kind, ref.namespace, ref.name);
  if (!found) throw notFound(kind, ref.name);
  return found;
}

async function changeScale(
  context: RegistryContext,
  call: Call,
  kind: Kind,
  ref: Ref,
  wanted: Scale | PatchBody,
): Promise<Scale> {
  const change = (object: ApiObject): ApiObject => {
    const old = object as Deployment | ReplicaSet;
    const scale = 'type' in wanted ? patchedScale(kind, old, wanted) : wanted;
    const { resourceVersion } = scale.metadata ?? {};
    if (resourceVersion && resourceVersion !== old.metadata.resourceVersion) throw conflict(kind, ref.name);
    return withScale(old, scale);
  };
  return scaleOf((await changeObject(context, call, kind, { ref, part: 'scale', change })) as Deployment);
}

function patchedScale(kind: Kind, old: Deployment | ReplicaSet, patch: PatchBody): Scale {
  const value = patchValue(kind, scaleOf(old), patch.type === 'strategic' ? { ...patch, type: 'merge' } : patch);
  return decodeValue<Scale>(scaleBody, value, { strictness: 'Ignore' }).object;
}
