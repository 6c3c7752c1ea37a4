import { type ClusterRole, clusterRoles as clusterRoleKind } from '../../resources/kinds.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { startReconciler } from '../reconciler.ts';
import { isSame } from '../same.ts';
import { planAggregation } from './plan.ts';

/** Adds up ClusterRoles, so that a role for a new kind becomes part of `view`, `edit` and `admin`. Writes: their `rules`. */
export function startClusterRoleAggregation(context: ControllerContext): RunningController {
  const roles = context.informers.of(clusterRoleKind);
  const writer = createObjectWriter(context.client);
  const queue = startReconciler({ name: 'cluster-role-aggregation', context, reconcile, concurrency: 1 });
  roles.onChange((key, object, old) => {
    if (object?.aggregationRule) queue.add(key);
    if (isSame(partOf(object), partOf(old))) return;
    for (const role of roles.list()) if (role.aggregationRule) queue.add(role.metadata.name);
  });

  async function reconcile(key: string, signal: AbortSignal): Promise<void> {
    const role = roles.get(key);
    if (!role) return;
    for (const step of planAggregation(role, roles.list())) {
      await writer.update(roles, { ...role, rules: [...step.rules] }, signal);
    }
  }

  return { stop: () => queue.stop() };
}

/** What of a role can matter to others. */
function partOf(role: ClusterRole | undefined): unknown {
  return role && [role.metadata.labels ?? {}, role.rules ?? []];
}
