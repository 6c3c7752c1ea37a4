import type { Overlay, OverlayState } from './port.ts';
import { planRoutes } from './rules.ts';

export interface FakeOverlay extends Overlay {
  /** What was applied last; undefined after `cleanup`. */
  readonly applied: () => OverlayState | undefined;
  /** The next `apply` throws this. */
  failNext(error: Error): void;
}

/** An overlay in memory that refuses what the real one refuses. */
export function createFakeOverlay(): FakeOverlay {
  let applied: OverlayState | undefined;
  let failure: Error | undefined;
  return {
    apply: async (desired) => {
      const thrown = failure;
      failure = undefined;
      if (thrown) throw thrown;
      planRoutes(desired, []);
      applied = structuredClone(desired);
    },
    observe: async () => ({ routes: (applied?.peers ?? []).map((peer) => ({ ...peer, nodeName: '' })) }),
    cleanup: async () => {
      applied = undefined;
    },
    applied: () => applied,
    failNext: (error) => {
      failure = error;
    },
  };
}
