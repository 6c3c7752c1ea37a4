import type { OwnerReference } from 'kubernetes-types/meta/v1.js';
import type { ApiObject } from '../../resources/object.ts';

export type GarbageStep =
  /** No living owner is left. */
  | {
      readonly type: 'delete';
      readonly object: ApiObject;
      readonly propagationPolicy: 'Background' | 'Foreground' | 'Orphan';
    }
  /** Its owners no longer wait for it: what hangs on itself in a circle would wait for ever. */
  | { readonly type: 'unblockOwners'; readonly object: ApiObject }
  /** Takes away references to these owners and leaves the rest. */
  | { readonly type: 'dropOwners'; readonly object: ApiObject; readonly uids: readonly string[] }
  | { readonly type: 'removeFinalizer'; readonly object: ApiObject; readonly finalizer: string };

/** `gone`: no object with that uid; `waiting`: it is deleted in the foreground and waits for its dependents. */
export type OwnerState = 'alive' | 'waiting' | 'gone' | 'unknown';

export interface GarbageObservation {
  readonly object: ApiObject;
  readonly ownerState: (owner: OwnerReference) => OwnerState;
  /** Objects that name this one, by uid, as an owner. */
  readonly dependents: readonly ApiObject[];
}

export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

/** What one object needs, as a dependent of its owners and as the owner of its dependents. Owners are told apart by uid. */
export function planGarbage(observed: GarbageObservation): GarbageStep[] {
  const asOwner = planAsOwner(observed);
  return asOwner.length > 0 ? asOwner : planAsDependent(observed);
}

function planAsOwner({ object, dependents }: GarbageObservation): GarbageStep[] {
  const { deletionTimestamp, finalizers = [], uid = '' } = object.metadata;
  if (!deletionTimestamp) return [];
  if (finalizers.includes(orphanFinalizer)) {
    if (dependents.length === 0) return [{ type: 'removeFinalizer', object, finalizer: orphanFinalizer }];
    return dependents.map((dependent) => ({ type: 'dropOwners', object: dependent, uids: [uid] }));
  }
  if (!finalizers.includes(foregroundFinalizer)) return [];
  // An object that owns itself does not wait for itself.
  const others = dependents.filter((one) => one.metadata.uid !== uid);
  const blocking = others.filter((one) => ownerRefTo(one, uid)?.blockOwnerDeletion === true);
  if (blocking.length === 0) return [{ type: 'removeFinalizer', object, finalizer: foregroundFinalizer }];
  return []; // each of them is looked at as a dependent
}

function planAsDependent({ object, ownerState, dependents }: GarbageObservation): GarbageStep[] {
  const { ownerReferences = [], deletionTimestamp, finalizers = [] } = object.metadata;
  if (ownerReferences.length === 0 || deletionTimestamp) return [];
  const states = ownerReferences.map((owner) => ({ owner, state: ownerState(owner) }));
  // What cannot be known is left alone: deleting is the one thing that cannot be taken back.
  if (states.some(({ state }) => state === 'unknown')) return [];
  const finished = states.filter(({ state }) => state !== 'alive');
  if (finished.length === 0) return [];
  if (finished.length < states.length)
    return [{ type: 'dropOwners', object, uids: finished.map(({ owner }) => owner.uid) }];
  const isWaitedFor = finished.some(({ state }) => state === 'waiting') && dependents.length > 0;
  if (isWaitedFor && dependents.some(isWaiting) && ownerReferences.some((one) => one.blockOwnerDeletion)) {
    return [{ type: 'unblockOwners', object }];
  }
  const isForeground = isWaitedFor || finalizers.includes(foregroundFinalizer);
  const propagationPolicy =
    finalizers.includes(orphanFinalizer) && !isWaitedFor ? 'Orphan' : isForeground ? 'Foreground' : 'Background';
  return [{ type: 'delete', object, propagationPolicy }];
}

/** It is deleted in the foreground and waits for its dependents. */
export function isWaiting({ metadata }: ApiObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers?.includes(foregroundFinalizer) ?? false);
}

function ownerRefTo(dependent: ApiObject, uid: string): OwnerReference | undefined {
  return dependent.metadata.ownerReferences?.find((one) => one.uid === uid);
}
