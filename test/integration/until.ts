import { setTimeout as delay } from 'node:timers/promises';

/** Asks until the answer is true; throws `what` when time is over. Default deadline 15 s. */
export async function until(what: string, ask: () => Promise<boolean> | boolean, timeoutMs = 15_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await ask())) {
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(20);
  }
}
