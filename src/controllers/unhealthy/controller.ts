import type { WorkResult } from '../../lib/work-queue.ts';
import {
  podDisruptionBudgets as budgetKind,
  nodes as nodeKind,
  pods as podKind,
  replicaSets as replicaSetKind,
} from '../../resources/kinds.ts';
import { isPodReady, podPhase } from '../../resources/pod-facts.ts';
import { replaceUnhealthyAfter } from '../../resources/replace-unhealthy.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { controllerOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { planUnhealthy } from './plan.ts';

/** Gives up instances that stay unhealthy: their ReplicaSet makes others. Writes: deletion of Pods. */
export function startUnhealthyController(context: ControllerContext): RunningController {
  const { client, clock, events, log } = context;
  const pods = context.informers.of(podKind);
  const nodes = context.informers.of(nodeKind);
  const budgets = context.informers.of(budgetKind);
  const replicaSets = context.informers.of(replicaSetKind);
  const writer = createObjectWriter(client);
  pods.index('controller', (pod) => [controllerOf(pod)?.uid ?? '']);
  budgets.index('namespace', (budget) => [budget.metadata.namespace ?? '']);
  const queue = startReconciler({ name: 'unhealthy', context, reconcile, concurrency: 2 });
  pods.onChange((_key, pod, old) => {
    const one = pod ?? old;
    if (!one || replaceUnhealthyAfter(one) === 'never') return;
    const isNews = !pod || !old || isPodReady(pod) !== isPodReady(old) || podPhase(pod) !== podPhase(old);
    const owner = controllerOf(one);
    if (isNews && owner?.kind === 'ReplicaSet') queue.add(`${one.metadata.namespace}/${owner.name}`);
  });

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const set = replicaSets.get(key);
    if (!set || set.metadata.deletionTimestamp) return;
    const plan = planUnhealthy({
      pods: pods.byIndex('controller', set.metadata.uid ?? ''),
      wanted: set.spec.replicas ?? 1,
      nodeOf: (pod) => nodes.get(pod.spec.nodeName ?? ''),
      budgets: budgets.byIndex('namespace', set.metadata.namespace ?? ''),
      nowMs: clock.wallMs(),
    });
    if (plan.replaced) {
      const { pod, why } = plan.replaced;
      log.info('unhealthy pod is replaced', { namespace: pod.metadata.namespace, pod: pod.metadata.name, why });
      events.record(pod, 'Warning', 'UnhealthyReplaced', `Replaced: ${why}`);
      events.record(set, 'Warning', 'UnhealthyReplaced', `Replaces pod ${pod.metadata.name}: ${why}`);
      await writer.remove(pods, pod, { signal });
    }
    return plan.againAfterMs === undefined ? undefined : { againAfterMs: plan.againAfterMs };
  }

  return { stop: () => queue.stop() };
}
