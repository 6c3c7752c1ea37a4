/**
 * Gives `run` a signal that aborts after `ms`, or with `outer`. Unlike `AbortSignal.timeout` nothing of it is left when
 * `run` is done: thousands of timers that wait for their end would be what a busy process keeps in memory.
 */
export async function withDeadline<T>(
  ms: number,
  outer: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(new DOMException(`not done within ${ms} ms`, 'TimeoutError')), ms);
  timer.unref();
  const onAbort = () => abort.abort(outer?.reason);
  if (outer?.aborted) onAbort();
  else outer?.addEventListener('abort', onAbort, { once: true });
  try {
    return await run(abort.signal);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', onAbort);
  }
}
