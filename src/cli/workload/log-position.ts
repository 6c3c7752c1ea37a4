/** `2026-01-02T03:04:05.678901234Z line`; of a line too long for the engine, only its first piece has a time. */
const timed = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) ?/;

/**
 * How far a log was shown, so that it is read on from there after the stream broke: no line twice, none left out. The server is asked
 * for times with each line, and from the last one on; as many lines of that very time as were shown are skipped.
 */
export class LogPosition {
  #lastTime: string | undefined;
  #shownOfIt = 0;
  #toSkip = 0;
  #skipTime: string | undefined;

  get hasShown(): boolean {
    return this.#lastTime !== undefined;
  }

  /** What to ask for now. */
  resume(): { readonly sinceTime?: string } {
    this.#skipTime = this.#lastTime;
    this.#toSkip = this.#shownOfIt;
    return this.#lastTime === undefined ? {} : { sinceTime: this.#lastTime };
  }

  /** Another container: its log begins anew. */
  reset(): void {
    this.#lastTime = undefined;
    this.#skipTime = undefined;
    this.#shownOfIt = 0;
    this.#toSkip = 0;
  }

  /** Undefined: it was shown before. */
  take(line: string): { readonly time: string; readonly text: string } | undefined {
    const [head = '', time = this.#lastTime ?? ''] = timed.exec(line) ?? [];
    const text = line.slice(head.length);
    if (this.#skipTime !== undefined) {
      if (compareTimes(time, this.#skipTime) < 0) return undefined;
      if (time === this.#skipTime && this.#toSkip > 0) {
        this.#toSkip -= 1;
        return undefined;
      }
      if (time !== this.#skipTime) this.#skipTime = undefined;
    }
    this.#shownOfIt = time === this.#lastTime ? this.#shownOfIt + 1 : 1;
    this.#lastTime = time;
    return { time, text };
  }
}

/** The engine writes nine digits, others leave zeros at the end out. */
function compareTimes(a: string, b: string): number {
  const key = (time: string) => {
    const [seconds = '', fraction = ''] = time.replace('Z', '').split('.');
    return `${seconds}.${fraction.padEnd(9, '0')}`;
  };
  return key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;
}
