import type { Refusal } from './filters.ts';

/** Counts refusals and makes one sentence of them, the commonest first. */
export class Explanation {
  readonly #counts = new Map<string, { refusal: Refusal; nodes: number }>();
  #nodes = 0;

  add(refusal: Refusal): void {
    this.#nodes += 1;
    const seen = this.#counts.get(refusal.many);
    if (seen) seen.nodes += 1;
    else this.#counts.set(refusal.many, { refusal, nodes: 1 });
  }

  /** `0 of 3 nodes can run it: 2 have less than 512 MiB memory left, 1 is cordoned` */
  sentence(): string {
    if (this.#nodes === 0) return 'no node has joined this grid';
    const reasons = [...this.#counts.values()]
      .sort((a, b) => b.nodes - a.nodes || (a.refusal.many < b.refusal.many ? -1 : 1))
      .map(({ refusal, nodes }) => `${nodes} ${nodes === 1 ? refusal.one : refusal.many}`);
    return `0 of ${this.#nodes} node${this.#nodes === 1 ? '' : 's'} can run it: ${reasons.join(', ')}`;
  }
}
