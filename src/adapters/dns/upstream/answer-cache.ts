import type { Clock } from '../../../lib/clock.ts';
import type { Fetched } from './fetched.ts';

export interface CacheLimits {
  readonly entries: number;
  readonly bytes: number;
}

interface Entry {
  readonly fetched: Fetched;
  readonly storedAtMs: number;
  readonly bytes: number;
}

/** What an entry costs besides its message. */
const overheadBytes = 400;

/** Answers of resolvers for as long as they may be kept; the one that was not asked for the longest time goes first. */
export class AnswerCache {
  readonly #entries = new Map<string, Entry>();
  readonly #limits: CacheLimits;
  readonly #clock: Clock;
  #bytes = 0;

  constructor(limits: CacheLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): { readonly fetched: Fetched; readonly ageSeconds: number } | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const ageMs = this.#clock.monotonicMs() - entry.storedAtMs;
    this.#remove(key, entry);
    if (ageMs >= entry.fetched.keepSeconds * 1000) return undefined;
    this.#add(key, entry);
    return { fetched: entry.fetched, ageSeconds: Math.floor(ageMs / 1000) };
  }

  set(key: string, fetched: Fetched): void {
    const known = this.#entries.get(key);
    if (known) this.#remove(key, known);
    if (fetched.keepSeconds === 0) return;
    const bytes = fetched.packet.length + key.length + overheadBytes;
    this.#add(key, { fetched, storedAtMs: this.#clock.monotonicMs(), bytes });
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= this.#limits.entries && this.#bytes <= this.#limits.bytes) break;
      this.#remove(oldest, entry);
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #add(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.#bytes += entry.bytes;
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}
