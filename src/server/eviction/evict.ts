import type { DeleteOptions } from 'kubernetes-types/meta/v1.js';
import { ApiError, isApiError } from '../../resources/api-error.ts';
import type { Kind } from '../../resources/kind.ts';
import { type Pod, type PodDisruptionBudget, podDisruptionBudgets, pods } from '../../resources/kinds.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import { conflict, forbidden } from '../registry/api-errors.ts';
import type { Call } from '../registry/call.ts';
import type { Ref, Registry } from '../registry/registry.ts';
import { type EvictionStep, planEviction } from './plan.ts';

export interface EvictDependencies {
  readonly registry: Registry;
  readonly cache: WatchCache;
  readonly wallMs: () => number;
}

/** So often it begins anew because the pod or its budget was changed meanwhile. */
const maxAttempts = 20;

/**
 * Deletes a pod unless a budget forbids it. What an eviction takes out of a budget is written before the pod goes, on the
 * condition that nobody else has written since: of two at once, one begins anew. Throws ApiError 429 when it would be too
 * much now.
 */
export async function evictPod(
  { registry, cache, wallMs }: EvictDependencies,
  call: Call,
  ref: Ref,
  options: DeleteOptions,
): Promise<void> {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const pod = (await registry.get(call, pods as Kind, ref)).object as Pod;
    checkUid(pod, options);
    const budgets = (cache.list(call.grid, podDisruptionBudgets as Kind, { namespace: ref.namespace }) ?? []).map(
      (item) => item.object as PodDisruptionBudget,
    );
    const step = planEviction({ pod, budgets, nowMs: wallMs() });
    if (step.type === 'wait' || step.type === 'refuse') throw refusal(step);
    const isUnchanged = step.type === 'delete' && step.isUnchanged && !options.preconditions?.resourceVersion;
    try {
      if (step.type === 'spend') await spend(registry, call, step.budget);
      else if (isUnchanged) return void (await registry.delete(call, pods as Kind, ref, onlyAs(pod, options)));
    } catch (error) {
      // Somebody wrote since it was read: look again. What has been spent is not spent twice: no way back from there.
      if (isApiError(error, 'Conflict')) continue;
      throw error;
    }
    await registry.delete(call, pods as Kind, ref, options);
    return;
  }
  throw conflict(pods as Kind, ref.name);
}

function checkUid(pod: Pod, { preconditions }: DeleteOptions): void {
  const { name, uid } = pod.metadata;
  if (!preconditions?.uid || preconditions.uid === uid) return;
  const why = `Precondition failed: UID in precondition: ${preconditions.uid}, UID in object meta: ${uid}`;
  throw conflict(pods as Kind, name, why);
}

/** In the server's own name: who evicts need not be allowed to write budgets. */
async function spend(registry: Registry, { grid, isDryRun }: Call, budget: PodDisruptionBudget): Promise<void> {
  const { name, namespace } = budget.metadata;
  const call: Call = { grid, ...(isDryRun ? { isDryRun } : {}) };
  await registry.update(call, podDisruptionBudgets as Kind, { name, namespace }, structuredClone(budget), 'status');
}

function onlyAs(pod: Pod, options: DeleteOptions): DeleteOptions {
  const { resourceVersion = '' } = pod.metadata;
  return { ...options, preconditions: { ...options.preconditions, resourceVersion } };
}

function refusal(step: Extract<EvictionStep, { readonly type: 'wait' | 'refuse' }>): ApiError {
  if (step.type === 'wait') {
    return new ApiError({
      code: 429,
      reason: 'TooManyRequests',
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      details: {
        causes: [{ reason: 'DisruptionBudget', message: step.cause }],
        ...(step.retryAfterSeconds > 0 ? { retryAfterSeconds: step.retryAfterSeconds } : {}),
      },
    });
  }
  if (step.code === 403) return forbidden(podDisruptionBudgets, step.budgetName, step.why);
  return new ApiError({ code: 500, reason: 'InternalError', message: step.why });
}
