/** Times, in buckets whose width is at most 1/32 of their value: memory does not grow with the number of samples. */
export class Histogram {
  readonly #counts: number[] = [];
  #count = 0;
  #maxMs = 0;

  add(milliseconds: number): void {
    const ms = Math.max(0, milliseconds);
    const bucket = bucketOf(ms);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count++;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  merge(other: HistogramData): void {
    for (const [bucket, count] of other.buckets) this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    this.#count += other.buckets.reduce((sum, [, count]) => sum + count, 0);
    this.#maxMs = Math.max(this.#maxMs, other.maxMs);
  }

  /** The upper edge of the bucket in which `share` of all samples end; 0 without samples. */
  percentileMs(share: number): number {
    const rank = Math.max(1, Math.ceil(this.#count * share));
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count ?? 0;
      if (seen >= rank) return Math.min(upperMs(bucket), this.#maxMs);
    }
    return 0;
  }

  get count(): number {
    return this.#count;
  }

  summary(): Percentiles {
    const at = (share: number) => Math.round(this.percentileMs(share) * 100) / 100;
    return { p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999), maxMs: Math.round(this.#maxMs * 100) / 100 };
  }

  toJSON(): HistogramData {
    return {
      buckets: [...this.#counts.entries()].filter((entry): entry is [number, number] => entry[1] !== undefined),
      maxMs: this.#maxMs,
    };
  }
}

export interface Percentiles {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** As it goes from one process to another. */
export interface HistogramData {
  readonly buckets: readonly (readonly [bucket: number, count: number])[];
  readonly maxMs: number;
}

/** 10 µs is the unit; linear up to 32 of them, then 32 buckets for each doubling. */
const unitMs = 0.01;
const steps = 32;

function bucketOf(ms: number): number {
  const units = Math.floor(ms / unitMs);
  if (units < steps) return units;
  const doublings = Math.floor(Math.log2(units / steps));
  return steps * (doublings + 1) + Math.floor(units / 2 ** doublings) - steps;
}

function upperMs(bucket: number): number {
  if (bucket < steps) return (bucket + 1) * unitMs;
  const doublings = Math.floor(bucket / steps) - 1;
  return ((bucket % steps) + steps + 1) * 2 ** doublings * unitMs;
}
