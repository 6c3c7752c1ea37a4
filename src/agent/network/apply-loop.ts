import { backoffMs } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Applied } from '../../resources/applied.ts';

export interface ApplyLoopOptions {
  /** What it is about, for the log. */
  readonly what: string;
  /** Puts the newest state in force: names, service addresses. A rejection is told, and tried again. */
  readonly apply: () => Promise<void>;
  /** For which revision the newest state is true; asked right before each `apply`. */
  readonly revision: () => number;
  /** After each `apply`: how far this node is now. */
  readonly onApplied: (applied: Applied) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** One `apply` at a time; changes that come meanwhile share the next one. */
export interface ApplyLoop {
  changed(): void;
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}

/** Changes that come together become one: a slice and its service, the slices of a rolling update. */
const gatherMs = 2;
const retry = { initialMs: 200, maxMs: 5_000 };

export function startApplyLoop(options: ApplyLoopOptions): ApplyLoop {
  const { clock, log } = options;
  let applied = 0;
  let failures = 0;
  let isDirty = false;
  let isStopped = false;
  let running: Promise<void> | undefined;
  let cancel: (() => void) | undefined;

  const runOnce = async () => {
    isDirty = false;
    const revision = options.revision();
    try {
      await options.apply();
      failures = 0;
      applied = revision;
      options.onApplied({ revision });
    } catch (error) {
      failures++;
      isDirty = true;
      if (failures === 1) log.warn('not applied, trying again', { what: options.what, error });
      options.onApplied({ revision: applied, problem: messageOf(error) });
    }
  };
  const plan = () => {
    if (isStopped || running || cancel || !isDirty) return;
    cancel = clock.after(failures > 0 ? backoffMs(failures, retry) : gatherMs, () => {
      cancel = undefined;
      running = runOnce().finally(() => {
        running = undefined;
        plan();
      });
    });
  };

  return {
    changed() {
      isDirty = true;
      plan();
    },
    async stop() {
      isStopped = true;
      cancel?.();
      await running;
    },
  };
}
