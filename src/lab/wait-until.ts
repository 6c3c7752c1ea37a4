import { setTimeout as delay } from 'node:timers/promises';
import { FlotillaError, messageOf } from '../lib/errors.ts';

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly intervalMs: number;
  /** Completes the sentence "gave up after 30 s waiting for …". */
  readonly what: string;
  /** The last words of whatever should have got ready. */
  readonly lastWords?: () => Promise<string>;
  readonly signal?: AbortSignal;
}

/** Asks until `isDone` says yes; what it throws counts as no, and is told when the time is over. */
export async function waitUntil(isDone: () => Promise<boolean>, options: WaitOptions): Promise<void> {
  const endMs = performance.now() + options.timeoutMs;
  for (;;) {
    let failure: unknown;
    try {
      if (await isDone()) return;
    } catch (error) {
      failure = error;
    }
    options.signal?.throwIfAborted();
    if (performance.now() >= endMs) {
      const words = (await options.lastWords?.().catch(() => '')) ?? '';
      const because = failure === undefined ? '' : `: ${messageOf(failure)}`;
      throw new FlotillaError(
        'DeadlineExceeded',
        `gave up after ${options.timeoutMs / 1000} s waiting for ${options.what}${because}${words ? `\n${words}` : ''}`,
        { cause: failure, retryable: true },
      );
    }
    await delay(options.intervalMs);
  }
}
