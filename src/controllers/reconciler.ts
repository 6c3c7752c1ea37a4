import { isApiError } from '../client/api-error.ts';
import { withDeadline } from '../lib/deadline.ts';
import { WorkQueue, type WorkResult } from '../lib/work-queue.ts';
import type { ControllerContext } from './controller-context.ts';

export interface ReconcilerOptions {
  /** Name in metrics and logs, such as `replica-set`. */
  readonly name: string;
  readonly context: ControllerContext;
  /** One flight a key; a throw means: again, after back-off. */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<WorkResult>;
  /** Default 4. */
  readonly concurrency?: number;
}

/** How long one reconcile may take before it is given up and tried again. */
const deadlineMs = 30_000;

/**
 * A work queue whose runs wait for the grid's informers, have a deadline, are counted and timed. A conflict (somebody
 * wrote in between) is no failure: the key runs again soon, with what was written.
 */
export function startReconciler(options: ReconcilerOptions): WorkQueue {
  const { name, context } = options;
  const labels = { controller: name };
  return new WorkQueue({
    concurrency: options.concurrency ?? 4,
    clock: context.clock,
    onError: (key, error, failures) => {
      if (!isApiError(error, 'Conflict'))
        context.log.warn('reconcile failed', { controller: name, key, failures, error });
    },
    work: async (key, signal) => {
      await context.informers.synced();
      const startMs = context.clock.monotonicMs();
      let result = 'error';
      try {
        const answer = await withDeadline(deadlineMs, signal, (until) => options.reconcile(key, until));
        result = 'ok';
        return answer;
      } catch (error) {
        if (!isApiError(error, 'Conflict')) throw error;
        result = 'conflict';
        return { againAfterMs: conflictRetryMs };
      } finally {
        context.metrics.total.add({ ...labels, result });
        context.metrics.seconds.observe((context.clock.monotonicMs() - startMs) / 1000, labels);
      }
    },
  });
}

/** Long enough for the informer to have the other's write. */
const conflictRetryMs = 20;
