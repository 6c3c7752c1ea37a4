/** Losses that count against a node. */
const memoryMs = 3_600_000;
const timesKept = 10;
const firstHoldMs = 15_000;
export const longestHoldMs = 600_000;

/**
 * How long a node that is back has to be heard before it is used again: not at all after its first loss within an hour,
 * 15 s after the second, twice as long after each further one, never more than ten minutes.
 */
export function holdMs(lostTimesMs: readonly number[], wallMs: number): number {
  const losses = recent(lostTimesMs, wallMs).length;
  return losses < 2 ? 0 : Math.min(longestHoldMs, firstHoldMs * 2 ** (losses - 2));
}

/** The history with one more loss; old ones, and ones from a clock that was wrong, go. */
export function withLoss(lostTimesMs: readonly number[], wallMs: number): readonly number[] {
  return [...recent(lostTimesMs, wallMs), wallMs].slice(-timesKept);
}

function recent(lostTimesMs: readonly number[], wallMs: number): readonly number[] {
  return lostTimesMs.filter((ms) => Math.abs(wallMs - ms) < memoryMs);
}

/** `2026-01-01T12:00:00Z,2026-01-01T12:05:00Z`; what cannot be read is left out. */
export function parseLostTimes(text: string | undefined): readonly number[] {
  return (text ?? '').split(',').map(Date.parse).filter(Number.isFinite);
}
