const clientGone = new Error('the client went away');

/** True when a request's signal was aborted because its client is gone, not because the server stops. */
export function isClientGone(signal: AbortSignal): boolean {
  return signal.reason === clientGone;
}

/** A signal of its own for each request: aborted with the client's connection, or for all of them at once. */
export class Lifetimes {
  readonly #running = new Set<AbortController>();
  #ended: Error | undefined;

  begin(): { signal: AbortSignal; end: () => void } {
    const one = new AbortController();
    if (this.#ended) one.abort(this.#ended);
    else this.#running.add(one);
    const end = () => {
      this.#running.delete(one);
      one.abort(clientGone);
    };
    return { signal: one.signal, end };
  }

  /** Those to come are aborted from the start. */
  abort(why: Error): void {
    this.#ended = why;
    for (const one of this.#running) one.abort(why);
    this.#running.clear();
  }
}
