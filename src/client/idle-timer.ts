import { FlotillaError } from '../lib/errors.ts';

/** Aborts when `reset` is not called for a while, or with the outer signal. */
export class IdleTimer {
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #outer: AbortSignal | undefined;
  readonly #onOuter = (): void => this.#abort.abort(this.#outer?.reason);

  constructor(idleMs: number, outer: AbortSignal | undefined) {
    this.#outer = outer;
    this.#timer = setTimeout(() => {
      const reason = new FlotillaError('Unavailable', `the watch brought nothing for ${idleMs} ms`, {
        retryable: true,
      });
      this.#abort.abort(reason);
    }, idleMs);
    this.#timer.unref();
    if (outer?.aborted) this.#onOuter();
    else outer?.addEventListener('abort', this.#onOuter, { once: true });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  reset(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#onOuter);
  }
}
