import type { Clock } from '../../lib/clock.ts';
import type { Applied } from '../../resources/applied.ts';

export interface AppliedTableOptions {
  /** Monotonic; undefined: never. */
  readonly lastHeardMs: (key: string) => number | undefined;
  readonly clock: Clock;
}

/** A node silent for longer is not waited for: its session is dead. */
const deadAfterMs = 3_000;
/** Thousands of nodes ask with each ping. */
const sumEveryMs = 250;

/** What each node (`<grid>/<name>`) has told about how far it has applied, and the least of all in a grid. */
export class AppliedTable {
  readonly #options: AppliedTableOptions;
  readonly #byNode = new Map<string, Applied>();
  readonly #sums = new Map<string, { readonly atMs: number; readonly revision: number | undefined }>();

  constructor(options: AppliedTableOptions) {
    this.#options = options;
  }

  get(key: string): Applied | undefined {
    return this.#byNode.get(key);
  }

  set(key: string, applied: Applied): void {
    this.#byNode.set(key, applied);
  }

  delete(key: string): void {
    this.#byNode.delete(key);
  }

  /** Of the nodes that are heard and can apply; undefined: there is none. At most a quarter of a second old. */
  byAll(grid: string): number | undefined {
    const nowMs = this.#options.clock.monotonicMs();
    const known = this.#sums.get(grid);
    if (known && nowMs - known.atMs < sumEveryMs) return known.revision;
    let least: number | undefined;
    for (const [key, { revision, problem }] of this.#byNode) {
      if (problem !== undefined || !key.startsWith(`${grid}/`)) continue;
      if (nowMs - (this.#options.lastHeardMs(key) ?? -deadAfterMs) >= deadAfterMs) continue;
      if (least === undefined || revision < least) least = revision;
    }
    this.#sums.set(grid, { atMs: nowMs, revision: least });
    return least;
  }
}
