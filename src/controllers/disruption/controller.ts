import type { WorkResult } from '../../lib/work-queue.ts';
import { isBudgetOf } from '../../resources/disruption.ts';
import {
  podDisruptionBudgets as budgetKind,
  deployments as deploymentKind,
  type Pod,
  pods as podKind,
  replicaSets as replicaSetKind,
} from '../../resources/kinds.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { controllerOf, keyOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { isSame } from '../same.ts';
import { planDisruption } from './plan.ts';

/** Says how many pods of each budget may be evicted now. Writes: PodDisruptionBudget.status; evictions write it, too. */
export function startDisruptionController(context: ControllerContext): RunningController {
  const budgets = context.informers.of(budgetKind);
  const pods = context.informers.of(podKind);
  const replicaSets = context.informers.of(replicaSetKind);
  const deployments = context.informers.of(deploymentKind);
  const writer = createObjectWriter(context.client);
  budgets.index('namespace', (budget) => [budget.metadata.namespace ?? '']);
  pods.index('namespace', (pod) => [pod.metadata.namespace ?? '']);

  const queue = startReconciler({ name: 'disruption', context, reconcile });
  budgets.onChange((key) => queue.add(key));
  pods.onChange((_key, object, old) => {
    for (const pod of [object, old]) if (pod) queueBudgetsOf(pod);
  });
  for (const kind of [replicaSets, deployments]) {
    kind.onChange((_key, object, old) => {
      if (object?.spec.replicas === old?.spec.replicas) return;
      for (const budget of budgets.byIndex('namespace', (object ?? old)?.metadata.namespace ?? '')) {
        queue.add(keyOf(budget));
      }
    });
  }

  function queueBudgetsOf(pod: Pod): void {
    for (const budget of budgets.byIndex('namespace', pod.metadata.namespace ?? '')) {
      if (isBudgetOf(budget, pod)) queue.add(keyOf(budget));
    }
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const budget = budgets.get(key);
    if (!budget || budget.metadata.deletionTimestamp) return;
    const own = pods.byIndex('namespace', budget.metadata.namespace ?? '').filter((pod) => isBudgetOf(budget, pod));
    const plan = planDisruption({ budget, pods: own, scale: scaleOf(own), nowMs: context.clock.wallMs() });
    if (!isSame(plan.status, budget.status)) {
      await writer.updateStatus(budgets, { ...budget, status: plan.status }, signal);
    }
    return plan.againAfterMs === undefined ? undefined : { againAfterMs: plan.againAfterMs };
  }

  /** A Deployment speaks for its ReplicaSets. */
  function scaleOf(own: readonly Pod[]): number {
    const scales = new Map<string, number>();
    for (const pod of own) {
      const { namespace } = pod.metadata;
      const owner = controllerOf(pod);
      const set = owner?.kind === 'ReplicaSet' ? replicaSets.get(`${namespace}/${owner.name}`) : undefined;
      if (!set || set.metadata.uid !== owner?.uid) continue;
      const above = controllerOf(set);
      const deployment = above?.kind === 'Deployment' ? deployments.get(`${namespace}/${above.name}`) : undefined;
      const one = deployment && deployment.metadata.uid === above?.uid ? deployment : set;
      scales.set(one.metadata.uid ?? '', one.spec.replicas ?? 1);
    }
    return [...scales.values()].reduce((sum, count) => sum + count, 0);
  }

  return { stop: () => queue.stop() };
}
