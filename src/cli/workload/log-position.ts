/** `2026-01-02T03:04:05.678901234Z line`; of a line too long for the engine, only its first piece has a time. */
const timed = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z ?/;

/**
 * The engine gives lines their times on two ways, stdout's and stderr's, and writes them down in the order in which they arrive: a line
 * may be older than the one before it, by as long as one of the ways stood still.
 */
const disorderNs = 1_000_000_000n;
/** How many different times are remembered, whatever the rate. */
const maxRemembered = 10_000;

/**
 * How far a log was shown, so that it is read on from there after the stream broke: no line twice, none left out. The server is asked
 * for times with each line, and for those of the last second before the newest one again; as many lines of each time as were shown are
 * skipped. A clock that was set back begins anew: after that a line may come twice, but none is left out.
 */
export class LogPosition {
  /** Lines shown by their times in nanoseconds, of the last second before the newest. */
  readonly #shown = new Map<bigint, { readonly time: string; lines: number }>();
  #newest = -1n;
  /** The newest time whose lines were shown and are not remembered any more. */
  #forgotten = -1n;
  /** From a resume on, until something new comes. */
  #isReadAgain = false;
  /** What will come a second time. */
  readonly #toSkip = new Map<bigint, number>();
  #last: { readonly time: string; readonly ns: bigint } | undefined;

  get hasShown(): boolean {
    return this.#shown.size > 0;
  }

  /** What to ask for now. */
  resume(): { readonly sinceTime?: string } {
    this.#isReadAgain = this.hasShown;
    this.#toSkip.clear();
    let oldest: bigint | undefined;
    for (const [ns, { lines }] of this.#shown) {
      this.#toSkip.set(ns, lines);
      if (oldest === undefined || ns < oldest) oldest = ns;
    }
    const time = oldest === undefined ? undefined : this.#shown.get(oldest)?.time;
    return time === undefined ? {} : { sinceTime: time };
  }

  /** Another container: its log begins anew. */
  reset(): void {
    this.#last = undefined;
    this.#forget();
  }

  /** Undefined: it was shown before. */
  take(line: string): { readonly time: string; readonly text: string } | undefined {
    const [head = '', seconds, fraction = ''] = timed.exec(line) ?? [];
    const text = line.slice(head.length);
    if (seconds !== undefined) this.#last = { time: head.trimEnd(), ns: nanoseconds(seconds, fraction) };
    if (!this.#last) return { time: '', text };
    const { time, ns } = this.#last;
    if (this.#isReadAgain && ns <= this.#forgotten) return undefined;
    const left = this.#toSkip.get(ns) ?? 0;
    if (left > 0) {
      this.#toSkip.set(ns, left - 1);
      return undefined;
    }
    this.#isReadAgain = false;
    this.#remember(time, ns);
    return { time, text };
  }

  #remember(time: string, ns: bigint): void {
    const same = this.#shown.get(ns);
    if (same) {
      same.lines += 1;
      return;
    }
    if (ns < this.#newest - disorderNs) this.#forget();
    this.#shown.set(ns, { time, lines: 1 });
    if (ns > this.#newest) this.#newest = ns;
    for (const oldest of this.#shown.keys()) {
      if (oldest >= this.#newest - disorderNs && this.#shown.size <= maxRemembered) break;
      this.#shown.delete(oldest);
      if (oldest > this.#forgotten) this.#forgotten = oldest;
    }
  }

  #forget(): void {
    this.#shown.clear();
    this.#toSkip.clear();
    this.#newest = -1n;
    this.#forgotten = -1n;
  }
}

/** Since 1970. The engine writes nine digits, others leave zeros at the end out. */
function nanoseconds(seconds: string, fraction: string): bigint {
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.slice(1, 10).padEnd(9, '0'));
}
