import type { OwnerReference } from 'kubernetes-types/meta/v1.js';
import { isApiError } from '../../client/api-error.ts';
import type { WorkResult } from '../../lib/work-queue.ts';
import { apiVersionOf, type Kind } from '../../resources/kind.ts';
import { allKinds, events, kindOfObject, leases, tokens } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { keyOf, refOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import type { SharedInformer } from '../shared-informer.ts';
import {
  foregroundFinalizer,
  type GarbageStep,
  isWaiting,
  type OwnerState,
  orphanFinalizer,
  planGarbage,
} from './plan.ts';

/** Never own and are never owned here, and events are many. */
const withoutOwners: readonly Kind[] = [events, leases, tokens];

/** Deletes what has lost its owners, as `propagationPolicy` asks. Writes: deletions, ownerReferences, its two finalizers. */
export function startGarbageCollector(context: ControllerContext): RunningController {
  const { client, informers, log } = context;
  const watched = new Map<string, SharedInformer<ApiObject>>();
  for (const kind of allKinds.filter((one) => !withoutOwners.includes(one))) {
    watched.set(typeKey(apiVersionOf(kind), kind.kind), informers.of<ApiObject>(kind as Kind));
  }
  /** Uids whose objects the API itself said are gone: asked once each while their dependents go. */
  const goneUids = new Set<string>();
  const queue = startReconciler({ name: 'garbage-collection', context, reconcile, concurrency: 8 });
  for (const [type, informer] of watched) {
    informer.index('owner', (object) => (object.metadata.ownerReferences ?? []).map((one) => one.uid));
    informer.onChange((key, object, old) => {
      if (object && mayNeedWork(object)) queue.add(`${type}|${key}`);
      if (!object && old) {
        goneUids.delete(old.metadata.uid ?? '');
        queueDependents(old);
      }
      const uids = new Set([...ownerUids(old), ...ownerUids(object)]);
      if (!object || object.metadata.deletionTimestamp) for (const uid of uids) queueOwner(old ?? object, uid);
    });
  }

  function mayNeedWork({ metadata }: ApiObject): boolean {
    const { finalizers = [], ownerReferences = [], deletionTimestamp } = metadata;
    if (ownerReferences.length > 0 && !deletionTimestamp) return true;
    return (
      deletionTimestamp !== undefined &&
      (finalizers.includes(foregroundFinalizer) || finalizers.includes(orphanFinalizer))
    );
  }

  /** Its owner may wait for it in the foreground. */
  function queueOwner(dependent: ApiObject | undefined, uid: string): void {
    const owner = dependent?.metadata.ownerReferences?.find((one) => one.uid === uid);
    if (owner && dependent) queue.add(ownerKey(owner, dependent));
  }

  function queueDependents(owner: ApiObject): void {
    for (const [type, informer] of watched) {
      for (const one of informer.byIndex('owner', owner.metadata.uid ?? '')) queue.add(`${type}|${keyOf(one)}`);
    }
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const [type = '', objectKey = ''] = key.split('|');
    const object = watched.get(type)?.get(objectKey);
    if (!object) return;
    const states = new Map<string, OwnerState>();
    for (const owner of object.metadata.ownerReferences ?? [])
      states.set(owner.uid, await stateOf(owner, object, signal));
    const dependents = [...watched.values()].flatMap((informer) =>
      informer.byIndex('owner', object.metadata.uid ?? ''),
    );
    const steps = planGarbage({ object, ownerState: (owner) => states.get(owner.uid) ?? 'unknown', dependents });
    for (const step of steps) await apply(step, signal);
    // Dependents of an owner that waits for them have to hear of it.
    if (object.metadata.finalizers?.includes(foregroundFinalizer) && object.metadata.deletionTimestamp)
      queueDependents(object);
  }

  async function stateOf(owner: OwnerReference, dependent: ApiObject, signal: AbortSignal): Promise<OwnerState> {
    const informer = watched.get(typeKey(owner.apiVersion, owner.kind));
    if (!informer) return 'unknown';
    // What belongs to no namespace cannot belong to something in one: nobody could say which.
    if (informer.kind.namespaced && !dependent.metadata.namespace) return 'unknown';
    const { objectKey } = splitKey(ownerKey(owner, dependent));
    const seen = informer.get(objectKey);
    const found = seen?.metadata.uid === owner.uid ? seen : await ask(informer.kind, objectKey, owner.uid, signal);
    if (!found) return 'gone';
    return isWaiting(found) ? 'waiting' : 'alive';
  }

  /** The watch does not show the owner: the API knows whether it is new or gone. */
  async function ask(kind: Kind, objectKey: string, uid: string, signal: AbortSignal): Promise<ApiObject | undefined> {
    if (goneUids.has(uid)) return undefined;
    const [first = '', second] = objectKey.split('/');
    const ref = second === undefined ? { name: first } : { namespace: first, name: second };
    try {
      const found = await client.get(kind, ref, { signal });
      if (found.metadata.uid === uid) return found;
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
    if (goneUids.size >= maxGoneUids) goneUids.clear();
    goneUids.add(uid);
    return undefined;
  }

  async function apply(step: GarbageStep, signal: AbortSignal): Promise<void> {
    const { object } = step;
    const kind = kindOfObject(object.apiVersion, object.kind);
    if (!kind) return;
    const { uid, resourceVersion } = object.metadata;
    try {
      if (step.type === 'delete') {
        log.debug('owner gone', { kind: kind.kind, namespace: object.metadata.namespace, name: object.metadata.name });
        // With the version: somebody may have given it a new owner meanwhile.
        await client.delete(kind, refOf(object), {
          signal,
          propagationPolicy: step.propagationPolicy,
          ...(uid ? { uid } : {}),
          ...(resourceVersion ? { resourceVersion } : {}),
        });
        return;
      }
      const body = { metadata: { ...changedMetadata(step), ...(resourceVersion ? { resourceVersion } : {}) } };
      await client.patch(kind, refOf(object), { type: 'merge', body }, { signal });
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }

  function ownerKey(owner: OwnerReference, dependent: ApiObject): string {
    const kind = kindOfObject(owner.apiVersion, owner.kind);
    const name = kind?.namespaced === false ? owner.name : `${dependent.metadata.namespace ?? ''}/${owner.name}`;
    return `${typeKey(owner.apiVersion, owner.kind)}|${name}`;
  }

  return { stop: () => queue.stop() };
}

const maxGoneUids = 10_000;

function changedMetadata(step: Exclude<GarbageStep, { readonly type: 'delete' }>): Partial<ApiObject['metadata']> {
  const { ownerReferences = [], finalizers = [] } = step.object.metadata;
  switch (step.type) {
    case 'dropOwners':
      return { ownerReferences: ownerReferences.filter((one) => !step.uids.includes(one.uid)) };
    case 'unblockOwners':
      return { ownerReferences: ownerReferences.map((one) => ({ ...one, blockOwnerDeletion: false })) };
    case 'removeFinalizer':
      return { finalizers: finalizers.filter((one) => one !== step.finalizer) };
  }
}

function ownerUids(object: ApiObject | undefined): string[] {
  return (object?.metadata.ownerReferences ?? []).map((one) => one.uid);
}

function typeKey(apiVersion: string, kind: string): string {
  return `${apiVersion}:${kind}`;
}

function splitKey(key: string): { objectKey: string } {
  return { objectKey: key.slice(key.indexOf('|') + 1) };
}
