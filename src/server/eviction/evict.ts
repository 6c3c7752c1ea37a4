import type { DeleteOptions } from 'kubernetes-types/meta/v1.js';
import { ApiError, isApiError } from '../../resources/api-error.ts';
import { formatTime } from '../../resources/conditions.ts';
import { leavingReasons, replacementCause, unplacedCause } from '../../resources/eviction-surge.ts';
import type { Kind } from '../../resources/kind.ts';
import {
  type Node,
  nodes,
  type Pod,
  type PodDisruptionBudget,
  podDisruptionBudgets,
  pods,
} from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import type { ApiObject } from '../../resources/object.ts';
import { disruptionPatch, isPodTerminating } from '../../resources/pod-facts.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import { conflict, forbidden } from '../registry/api-errors.ts';
import type { Call } from '../registry/call.ts';
import type { Ref, Registry } from '../registry/registry.ts';
import { type EvictionStep, planEviction, replacementRetrySeconds } from './plan.ts';
import { replacementOf } from './replacement.ts';

export interface EvictDependencies {
  readonly registry: Registry;
  readonly cache: WatchCache;
  readonly wallMs: () => number;
}

const startedFirst = 'Cannot evict pod yet: another one is started first.';
const refusals = {
  budget: {
    reason: 'DisruptionBudget',
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
  },
  replacement: { reason: replacementCause, message: startedFirst },
  unplaced: { reason: unplacedCause, message: startedFirst },
} as const;

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
  /** It goes before another one does its work. */
  isStopFirst = false,
): Promise<void> {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const pod = (await registry.get(call, pods as Kind, ref)).object as Pod;
    checkPreconditions(pod, options);
    const budgets = (cache.list(call.grid, podDisruptionBudgets as Kind, { namespace: ref.namespace }) ?? []).map(
      (item) => item.object as PodDisruptionBudget,
    );
    const isAtOnce = isStopFirst || options.gracePeriodSeconds === 0;
    const replacement = isAtOnce ? undefined : replacementOf(cache, call.grid, pod, wallMs());
    const step = planEviction({ pod, budgets, replacement, nowMs: wallMs() });
    if (step.type === 'ask') {
      await ask({ registry, cache, wallMs }, call, pod, step);
      const why = step.isUnplaced ? 'unplaced' : 'replacement';
      throw refusal({ type: 'wait', why, cause: step.cause, retryAfterSeconds: replacementRetrySeconds });
    }
    if (step.type === 'wait' || step.type === 'refuse') throw refusal(step);
    const isUnchanged = step.type === 'delete' && step.isUnchanged;
    try {
      if (step.type === 'spend') await spend(registry, call, step.budget);
      else if (isUnchanged) return await markAndDelete(registry, call, pod, options, wallMs(), true);
    } catch (error) {
      // Somebody wrote since it was read: look again. What has been spent is not spent twice: no way back from there.
      if (isApiError(error, 'Conflict')) continue;
      throw error;
    }
    return await markAndDelete(
      registry,
      call,
      pod,
      options,
      wallMs(),
      options.preconditions?.resourceVersion !== undefined,
    );
  }
  throw conflict(pods as Kind, ref.name);
}

/** What the caller knows of the pod, before anything is written. */
function checkPreconditions(pod: Pod, { preconditions = {} }: DeleteOptions): void {
  const { name, uid, resourceVersion } = pod.metadata;
  const say = (what: string, wanted: string, found: string | undefined) => {
    if (!wanted || wanted === found) return;
    const why = `Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${found}`;
    throw conflict(pods as Kind, name, why);
  };
  say('UID', preconditions.uid ?? '', uid);
  say('ResourceVersion', preconditions.resourceVersion ?? '', resourceVersion);
}

/** First why it goes, for who sees it end. `asRead`: throws ApiError Conflict when it was changed since. */
async function markAndDelete(
  registry: Registry,
  call: Call,
  pod: Pod,
  options: DeleteOptions,
  wallMs: number,
  asRead: boolean,
): Promise<void> {
  const { name, namespace, resourceVersion = '' } = pod.metadata;
  const ref = { name, namespace };
  const why = disruptionPatch('EvictionByEvictionAPI', 'Eviction API: evicting', wallMs);
  const body = asRead ? { ...why, metadata: { resourceVersion } } : why;
  const patch = { type: 'strategic', body, part: 'status', strictness: 'Ignore' } as const;
  const marked = isPodTerminating(pod) ? pod : await registry.patch(ownCall(call), pods as Kind, ref, patch);
  await registry.delete(call, pods as Kind, ref, asRead ? onlyAs(marked, options) : options);
}

/** In the server's own name: who evicts need not be allowed to write budgets, nor the status of pods. */
async function spend(registry: Registry, call: Call, budget: PodDisruptionBudget): Promise<void> {
  const ref = { name: budget.metadata.name, namespace: budget.metadata.namespace };
  await registry.update(ownCall(call), podDisruptionBudgets as Kind, ref, structuredClone(budget), 'status');
}

function ownCall({ grid, isDryRun }: Call): Call {
  return { grid, ...(isDryRun ? { isDryRun } : {}) };
}

function onlyAs(pod: ApiObject, options: DeleteOptions): DeleteOptions {
  const { resourceVersion = '' } = pod.metadata;
  return { ...options, preconditions: { ...options.preconditions, resourceVersion } };
}

/** The replica set controller makes another one, and ends this one when that does its work. */
async function ask(
  { registry, cache, wallMs }: EvictDependencies,
  call: Call,
  pod: Pod,
  { since, cause }: Extract<EvictionStep, { readonly type: 'ask' }>,
): Promise<void> {
  const { name, namespace, uid } = pod.metadata;
  const node = cache.get(call.grid, nodes as Kind, undefined, pod.spec.nodeName ?? '')?.object as Node | undefined;
  const condition = {
    ...{ type: podConditions.leaving, status: 'True', message: cause },
    reason: node?.spec.unschedulable ? leavingReasons.drained : leavingReasons.evicted,
    lastTransitionTime: since,
    lastProbeTime: formatTime(wallMs()),
  };
  const body = { metadata: { uid }, status: { conditions: [condition] } };
  const patch = { type: 'strategic', body, part: 'status', strictness: 'Ignore' } as const;
  await registry.patch(ownCall(call), pods as Kind, { name, namespace }, patch);
}

function refusal(step: Extract<EvictionStep, { readonly type: 'wait' | 'refuse' }>): ApiError {
  if (step.type === 'wait') {
    return new ApiError({
      code: 429,
      reason: 'TooManyRequests',
      message: refusals[step.why].message,
      details: {
        causes: [{ reason: refusals[step.why].reason, message: step.cause }],
        ...(step.retryAfterSeconds > 0 ? { retryAfterSeconds: step.retryAfterSeconds } : {}),
      },
    });
  }
  if (step.code === 403) return forbidden(podDisruptionBudgets, step.budgetName, step.why);
  return new ApiError({ code: 500, reason: 'InternalError', message: step.why });
}
