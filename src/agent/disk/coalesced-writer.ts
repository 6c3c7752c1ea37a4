/** One write at a time; calls that come meanwhile share the next one. Resolves when a write that saw the call's state is done. */
export function coalesce(write: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const run = (): Promise<void> => {
    const started = write().finally(() => {
      if (running === started) running = undefined;
    });
    running = started;
    return started;
  };
  return () => {
    if (!running) return run();
    next ??= running
      .catch(() => {}) // its own callers are told
      .then(() => {
        next = undefined;
        return run();
      });
    return next;
  };
}
