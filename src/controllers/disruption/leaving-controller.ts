import { isApiError } from '../../client/api-error.ts';
import type { WorkResult } from '../../lib/work-queue.ts';
import { formatTime } from '../../resources/conditions.ts';
import { isPodLeaving } from '../../resources/eviction-surge.ts';
import {
  nodes as nodeKind,
  type Pod,
  pods as podKind,
  type ReplicaSet,
  replicaSets as replicaSetKind,
} from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { controllerOf, keyOf, refOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { planLeft } from './leaving-plan.ts';

/** Takes back that pods are to leave when nobody asks for it any more. Writes: Pod condition Leaving=False. */
export function startLeavingController(context: ControllerContext): RunningController {
  const { client, clock, events } = context;
  const pods = context.informers.of(podKind);
  const nodes = context.informers.of(nodeKind);
  const replicaSets = context.informers.of(replicaSetKind);
  pods.index('node', (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []));
  pods.index('controller', (pod) => [controllerOf(pod)?.uid ?? '']);
  const queue = startReconciler({ name: 'leaving', context, reconcile });
  const addLeaving = (found: Iterable<Pod>) => {
    for (const pod of found) if (isPodLeaving(pod)) queue.add(keyOf(pod));
  };
  pods.onChange((_key, pod) => pod && addLeaving([pod]));
  nodes.onChange((name, node, old) => {
    if (node?.spec.unschedulable !== old?.spec.unschedulable) addLeaving(pods.byIndex('node', name));
  });
  replicaSets.onChange((_key, set) => set && addLeaving(pods.byIndex('controller', set.metadata.uid ?? '')));

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const pod = pods.get(key);
    if (!pod) return;
    const node = nodes.get(pod.spec.nodeName ?? '');
    const step = planLeft({ pod, node, replicaSet: replicaSetOf(pod), nowMs: clock.wallMs() });
    if (step.type === 'wait') return { againAfterMs: step.againAfterMs };
    if (step.type === 'none') return;
    const { reason, message } = step;
    const lastTransitionTime = formatTime(clock.wallMs());
    const condition = { type: podConditions.leaving, status: 'False', reason, message, lastTransitionTime };
    const patch = { type: 'strategic', subresource: 'status', body: { status: { conditions: [condition] } } } as const;
    try {
      const written = await client.patch(podKind, refOf(pod), patch, { signal });
      pods.noteWritten(written, pod.metadata.resourceVersion);
      events.record(pod, 'Normal', 'Stays', `It need not leave any more: ${message}`);
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }

  function replicaSetOf(pod: Pod): ReplicaSet | undefined {
    const owner = controllerOf(pod);
    const set = owner?.kind === 'ReplicaSet' ? replicaSets.get(`${pod.metadata.namespace}/${owner.name}`) : undefined;
    return set?.metadata.uid === owner?.uid ? set : undefined;
  }

  return { stop: () => queue.stop() };
}
