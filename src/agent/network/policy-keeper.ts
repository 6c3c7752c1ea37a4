import type { PolicyEnforcer, PolicyState } from '../../adapters/policy/port.ts';
import { backoffMs } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { PodPolicies, type PolicyView } from './pod-policies.ts';

export interface PolicyKeeperOptions {
  readonly enforcer: PolicyEnforcer;
  /** The newest; undefined: neither a server nor the disk has told the policies yet. */
  readonly view: () => PolicyView | undefined;
  /** `problem` changed. */
  readonly onProblem?: (problem: string | undefined) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Keeps network policies in force on this node. */
export interface PolicyKeeper {
  /** The view is a newer one: policies, groups, own pods or their labels. */
  changed(): void;
  /**
   * Resolves when the kernel has what the view says now: called for a pod that has its address and is in the view, before its
   * containers start. Waits while nothing is known. Rejects with HostToolFailed when the host refuses, with the signal's reason
   * when aborted, and when the keeper stops.
   */
  ensure(signal: AbortSignal): Promise<void>;
  /** Why policies are not in force; undefined when they are. */
  readonly problem: string | undefined;
  /** Resolves when nothing of it runs any more. The rules stay: pods go on. */
  stop(): Promise<void>;
}

/** Changes that come together become one. */
const gatherMs = 2;
const retry = { initialMs: 200, maxMs: 5_000 };
/** Somebody may have flushed the rules. */
const checkMs = 5_000;

interface Waiting {
  resolve(): void;
  reject(error: unknown): void;
}

export function startPolicyKeeper(options: PolicyKeeperOptions): PolicyKeeper {
  const { enforcer, clock, log } = options;
  const policies = new PodPolicies();
  let applied: PolicyState | undefined;
  let waiting = new Set<Waiting>();
  let isDirty = false;
  let isStopped = false;
  let failures = 0;
  let problem: string | undefined;
  let running: Promise<void> | undefined;
  let planned: { readonly isApply: boolean; cancel(): void } | undefined;

  const tell = (found: string | undefined) => {
    if (problem === found) return;
    problem = found;
    options.onProblem?.(found);
  };

  const applyOnce = async (): Promise<void> => {
    const view = options.view();
    isDirty = false;
    if (!view) return;
    const served = waiting;
    waiting = new Set();
    try {
      const state = policies.stateOf(view);
      if (state !== applied) {
        applied = undefined;
        await enforcer.apply(state);
        applied = state;
      }
      failures = 0;
      tell(undefined);
      for (const one of served) one.resolve();
    } catch (error) {
      failures++;
      isDirty = true;
      if (failures === 1) log.warn('network policies not in force, trying again', { error });
      tell(`network policies are not in force: ${messageOf(error)}`);
      for (const one of served) one.reject(error);
    }
  };

  const checkOnce = async (): Promise<void> => {
    if (!applied || applied.pods.size === 0) return;
    try {
      if (!(await enforcer.hasDrifted())) return;
      log.warn('somebody changed the rules of network policies; they are put back');
    } catch (error) {
      log.warn('the rules of network policies cannot be read; they are made anew', { error });
    }
    applied = undefined;
    isDirty = true;
  };

  const run = (work: () => Promise<void>) => {
    running = work().finally(() => {
      running = undefined;
      plan();
    });
  };
  const plan = () => {
    if (isStopped || running || planned?.isApply) return;
    planned?.cancel();
    const waitMs = failures > 0 ? backoffMs(failures, retry) : gatherMs;
    const work = isDirty ? applyOnce : checkOnce;
    const cancel = clock.after(isDirty ? waitMs : checkMs, () => {
      planned = undefined;
      run(work);
    });
    planned = { isApply: isDirty, cancel };
  };
  plan();

  return {
    changed() {
      if (isDirty) return;
      isDirty = true;
      plan();
    },
    ensure(signal) {
      return new Promise((resolve, reject) => {
        const end = (settle: () => void) => {
          waiting.delete(one);
          signal.removeEventListener('abort', onAbort);
          settle();
        };
        const onAbort = () => end(() => reject(signal.reason));
        const one: Waiting = { resolve: () => end(resolve), reject: (error) => end(() => reject(error)) };
        if (isStopped) return reject(new Error('the agent stops'));
        if (signal.aborted) return reject(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        waiting.add(one);
        isDirty = true;
        plan();
      });
    },
    get problem() {
      return problem;
    },
    async stop() {
      isStopped = true;
      planned?.cancel();
      await running;
      for (const one of waiting) one.reject(new Error('the agent stops'));
    },
  };
}
