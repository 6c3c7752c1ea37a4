import type { Clock } from '../lib/clock.ts';

/** Notices that this process stood still: stopped, swapped out, its machine paused, or busy in one long loop. */
export interface Standstill {
  /**
   * Undefined while all is well. After a standstill: resolves when what had come meanwhile has been read, such as the end of
   * connections whose clients gave up.
   */
  settled(): Promise<void> | undefined;
  stop(): void;
}

const beatMs = 250;
const standstillMs = 1_000;
const settleMs = 100;

export function watchStandstill(clock: Clock): Standstill {
  let beatAtMs = clock.monotonicMs();
  let settling: Promise<void> | undefined;
  const beat = () => {
    note();
    beatAtMs = clock.monotonicMs();
    cancel = clock.after(beatMs, beat);
  };
  // Asked by requests, too: after a standstill they are read before any timer runs.
  const note = () => {
    const sinceMs = clock.monotonicMs() - beatAtMs;
    if (settling || sinceMs < standstillMs) return;
    beatAtMs += sinceMs;
    settling = clock.sleep(settleMs).finally(() => {
      settling = undefined;
    });
  };
  let cancel = clock.after(beatMs, beat);
  return {
    settled() {
      note();
      return settling;
    },
    stop: () => cancel(),
  };
}
