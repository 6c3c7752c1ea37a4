import type { Clock } from '../../lib/clock.ts';
import type { Assignments } from './assignments.ts';

/**
 * So long a server may take to say what is so. The disk is a moment behind: an agent that was killed and goes by it would take an
 * instance out of routing that was ready by then, and send requests to one that has gone. Until then everything stays as the run before
 * has left it.
 */
const patienceMs = 3_000;

export interface Fallback {
  /** Undefined: servers are still being waited for, or have spoken. */
  readonly assignments: Assignments | undefined;
  stop(): void;
}

export interface FallbackOptions {
  /** What was on disk when the agent started. */
  readonly remembered: Assignments | undefined;
  readonly onUse: (assignments: Assignments) => void;
  readonly clock: Clock;
}

/** From when on the agent goes by what was on disk; what a server has said by then, and says later, goes before it. */
export function startFallback({ remembered, onUse, clock }: FallbackOptions): Fallback {
  let assignments: Assignments | undefined;
  const cancel = clock.after(patienceMs, () => {
    assignments = remembered;
    if (remembered) onUse(remembered);
  });
  return {
    get assignments() {
      return assignments;
    },
    stop: cancel,
  };
}
