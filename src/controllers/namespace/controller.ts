import { isApiError } from '../../client/api-error.ts';
import type { WorkResult } from '../../lib/work-queue.ts';
import type { Kind } from '../../resources/kind.ts';
import { allKinds, kindOfObject, type Namespace, namespaces as namespaceKind } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { refOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { type NamespaceStep, namespaceFinalizer, planNamespace } from './plan.ts';

/** How often a namespace that cannot go yet is looked at: its contents are listed fresh, not watched. */
const recheckMs = 250;
const deletesAtOnce = 16;

/** Empties namespaces that are being deleted. Writes: deletions of what is in them, Namespace.spec.finalizers. */
export function startNamespaceController(context: ControllerContext): RunningController {
  const { client, informers } = context;
  const namespaces = informers.of(namespaceKind);
  const contentKinds = allKinds.filter((kind) => kind.namespaced);
  const queue = startReconciler({ name: 'namespace', context, reconcile });
  namespaces.onChange((key) => queue.add(key));

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const namespace = namespaces.get(key);
    if (!namespace) return;
    const isGoing = namespace.metadata.deletionTimestamp !== undefined;
    const contents = isGoing ? await listContents(key, signal) : [];
    const steps = planNamespace({ namespace, contents });
    for (let at = 0; at < steps.length; at += deletesAtOnce) {
      await Promise.all(steps.slice(at, at + deletesAtOnce).map((step) => apply(namespace, step, signal)));
    }
    return isGoing && !steps.some((step) => step.type === 'release') ? { againAfterMs: recheckMs } : undefined;
  }

  /** Fresh lists: an informer that lags by one object would leave that object behind for ever. */
  async function listContents(namespace: string, signal: AbortSignal): Promise<ApiObject[]> {
    const lists = await Promise.all(contentKinds.map((kind) => client.list(kind, { namespace, signal })));
    return lists.flatMap((list, at) => list.items.map((object) => withKind(object, contentKinds[at])));
  }

  async function apply(namespace: Namespace, step: NamespaceStep, signal: AbortSignal): Promise<void> {
    if (step.type === 'delete') {
      const kind = kindOfObject(step.object.apiVersion, step.object.kind);
      const { uid } = step.object.metadata;
      if (kind) await client.delete(kind, refOf(step.object), { signal, ...(uid ? { uid } : {}) }).catch(ignoreGone);
      return;
    }
    const rest = (namespace.spec?.finalizers ?? []).filter((one) => one !== namespaceFinalizer);
    const finalizers = step.type === 'protect' ? [...rest, namespaceFinalizer] : rest;
    const patch = { type: 'merge', subresource: 'finalize', body: { spec: { finalizers } } } as const;
    const read = namespace.metadata.resourceVersion;
    const written = await client.patch(namespaceKind, { name: namespace.metadata.name }, patch, { signal });
    if (step.type === 'protect') namespaces.noteWritten(written, read);
  }

  return { stop: () => queue.stop() };
}

/** Items of a list may come without their own kind. */
function withKind(object: ApiObject, kind: Kind | undefined): ApiObject {
  if (object.kind || !kind) return object;
  return { ...object, kind: kind.kind, apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}` };
}

function ignoreGone(error: unknown): void {
  if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) throw error;
}
