import type { Clock } from '../../lib/clock.ts';
import type { Store } from '../../store/port.ts';

/** While the store does not answer, who wants to be sure waits no longer than this: others ask it for them. */
const patienceMs = 1_000;
/** A key that is written only to be seen: see `barrier`. */
const barrierKey = '/meta/barrier';

/** The store's newest revision, asked once for all who wait; and whether the store answers at all. */
export class FreshHead {
  readonly #store: Store;
  readonly #clock: Clock;
  #inFlight: Promise<number> | undefined;
  #next: Promise<number> | undefined;
  #barrier: Promise<unknown> | undefined;
  /** When the newest question that was answered was asked. */
  #answeredMs: number;
  #failure: unknown;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#answeredMs = clock.monotonicMs();
  }

  /** For how long it has not answered; undefined: it does. */
  get silentMs(): number | undefined {
    return this.#failure === undefined ? undefined : this.#clock.monotonicMs() - this.#answeredMs;
  }

  /** Not older than any commit acknowledged before the call, anywhere. */
  ask(): Promise<number> {
    const asked = this.#ask();
    return this.#failure === undefined ? asked : this.#atMost(asked, this.#failure);
  }

  /**
   * Makes the watch on the store reach its head, when that was moved by something the watch does not show: another
   * application's keys in a shared etcd. Resolves when it is written; fails silently, as whoever waits gives up in time.
   */
  async barrier(): Promise<void> {
    const value = new Uint8Array();
    this.#barrier ??= this.#store.commit([], [{ type: 'put', key: barrierKey, value }]).finally(() => {
      this.#barrier = undefined;
    });
    await this.#barrier.catch(() => {});
  }

  /** A head asked for before this call may be too old for it; the one asked for next serves all who wait meanwhile. */
  #ask(): Promise<number> {
    if (!this.#inFlight) {
      const askedMs = this.#clock.monotonicMs();
      const asked = this.#store.head();
      this.#inFlight = asked;
      asked.then(
        () => {
          this.#inFlight = undefined;
          this.#answeredMs = askedMs;
          this.#failure = undefined;
        },
        (error: unknown) => {
          this.#inFlight = undefined;
          this.#failure = error;
        },
      );
      return asked;
    }
    if (!this.#next) {
      const again = () => {
        this.#next = undefined;
        this.#inFlight = undefined;
        return this.#ask();
      };
      this.#next = this.#inFlight.then(again, again);
    }
    return this.#next;
  }

  #atMost(asked: Promise<number>, failure: unknown): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const cancel = this.#clock.after(patienceMs, () => reject(failure));
    asked.then(resolve, reject).finally(cancel);
    return promise;
  }
}
