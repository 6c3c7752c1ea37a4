import { isApiError } from '../../client/api-error.ts';
import type { WorkResult } from '../../lib/work-queue.ts';
import { nodes as nodeKind, pods as podKind } from '../../resources/kinds.ts';
import { isPodFinished } from '../../resources/pod-facts.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { startReconciler } from '../reconciler.ts';
import { planPodGc } from './plan.ts';

const everything = 'pods';
/** Finished pods of a grid that are kept; Kubernetes keeps 12,500. */
const finishedKept = 1_000;

/** Removes pods that no agent will remove. Writes: deletion of Pods with grace 0. */
export function startPodGcController(context: ControllerContext): RunningController {
  const { client, log } = context;
  const pods = context.informers.of(podKind);
  const nodes = context.informers.of(nodeKind);
  const writer = createObjectWriter(client);
  const queue = startReconciler({ name: 'pod-gc', context, reconcile, concurrency: 1 });
  nodes.onChange((_key, object) => {
    if (!object) queue.add(everything);
  });
  pods.onChange((_key, object, old) => {
    if (!object) return;
    const { nodeName } = object.spec;
    const isStranded = nodeName !== undefined && nodeName !== '' && !nodes.get(nodeName);
    const isUnplaced = !nodeName && object.metadata.deletionTimestamp !== undefined;
    const hasEnded = isPodFinished(object) && !(old && isPodFinished(old));
    if (isStranded || isUnplaced || hasEnded) queue.addAfter(everything, settleMs);
  });

  async function reconcile(_key: string, signal: AbortSignal): Promise<WorkResult> {
    const steps = planPodGc({ pods: pods.list(), hasNode: (name) => nodes.get(name) !== undefined, finishedKept });
    const missing = new Map<string, boolean>();
    for (const { pod, why } of steps) {
      const { nodeName } = pod.spec;
      if (nodeName && !isPodFinished(pod)) {
        if (!missing.has(nodeName)) missing.set(nodeName, await isMissing(nodeName, signal));
        if (!missing.get(nodeName)) continue;
      }
      log.info('pod removed', { namespace: pod.metadata.namespace, pod: pod.metadata.name, why });
      await writer.remove(pods, pod, { signal, gracePeriodSeconds: 0 });
    }
  }

  /** Asked again, fresh: a pod can be shown before the node it was bound to. */
  async function isMissing(name: string, signal: AbortSignal): Promise<boolean> {
    try {
      await client.get(nodeKind, { name }, { signal });
      return false;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return true;
      throw error;
    }
  }

  return { stop: () => queue.stop() };
}

/** Deletions come in groups. */
const settleMs = 100;
