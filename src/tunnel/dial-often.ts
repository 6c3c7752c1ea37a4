import type { Clock } from '../lib/clock.ts';
import { connectTimeoutMs } from './protocol.ts';

/** Tries begin this far apart, whether or not the one before has ended. */
const everyMs = 400;
/** Then the caller hears why it fails, and comes again. */
const giveUpAfterMs = 5_000;

/**
 * The first of several overlapping tries that succeeds: a packet that is lost while a cable is being plugged in must not cost
 * the second after which a try is given up. What fails before that second is over (refused, wrong certificate) fails here.
 */
export async function dialOften<T>(
  dial: (signal: AbortSignal) => Promise<T>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<T> {
  const done = new AbortController();
  const startMs = clock.monotonicMs();
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let winner: AbortController | undefined;
  const tries = new Set<AbortController>();

  const tryOnce = async (): Promise<void> => {
    const abort = new AbortController();
    tries.add(abort);
    const beganMs = clock.monotonicMs();
    try {
      const found = await dial(abort.signal);
      if (winner || done.signal.aborted) return closeLate(found);
      winner = abort;
      resolve(found);
    } catch (error) {
      const nowMs = clock.monotonicMs();
      if (nowMs - beganMs < connectTimeoutMs / 2 || nowMs - startMs >= giveUpAfterMs) reject(error);
    } finally {
      tries.delete(abort);
    }
  };
  const keepTrying = async (): Promise<void> => {
    while (!done.signal.aborted) {
      void tryOnce();
      await clock.sleep(everyMs, done.signal).catch(() => {});
    }
  };
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  void keepTrying();
  try {
    return await promise;
  } finally {
    done.abort(new Error('no further try is needed'));
    signal.removeEventListener('abort', onAbort);
    // The winner's own signal must not end what it has made.
    for (const one of tries) if (one !== winner) one.abort(new Error('another try was faster'));
  }
}

/** Two succeeded in the same moment: the second is not used. */
function closeLate(late: unknown): void {
  if (typeof late === 'object' && late !== null && 'destroy' in late && typeof late.destroy === 'function')
    late.destroy();
}
