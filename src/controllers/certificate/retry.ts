import { backoffMs } from '../../lib/backoff.ts';

/** Let's Encrypt counts five refusals an hour and host; these are the first five within 20 minutes, then fewer. */
const backoff = { initialMs: 30_000, maxMs: 21_600_000, factor: 3, jitter: 0.2 };
/** Rate limits of a week are respected. */
const longestRetryAfterMs = 7 * 86_400_000;

/** How long after the `failures`-th failure in a row the next try is; never earlier than the server asks for. */
export function retryMs(failures: number, retryAfterMs: number | undefined, random?: () => number): number {
  return Math.max(backoffMs(failures, backoff, random), Math.min(retryAfterMs ?? 0, longestRetryAfterMs));
}
