import type { Change, WatchOptions } from './port.ts';

/** One running watch. `live`: it is served by `deliver`; before that its owner feeds it from the history. */
export interface Watcher {
  readonly prefix: string;
  readonly options: WatchOptions;
  live: boolean;
  ended: boolean;
  readonly onAbort: () => void;
}

/**
 * The watches of a store that learns of each commit in this process. Deliveries are never nested: a commit made inside
 * `onChanges` reaches everybody after the change that caused it.
 */
export class Watchers {
  readonly #watchers = new Set<Watcher>();
  readonly #backlog: (readonly Change[])[] = [];
  #delivering = false;

  get size(): number {
    return this.#watchers.size;
  }

  add(prefix: string, options: WatchOptions): Watcher {
    const watcher: Watcher = { prefix, options, live: false, ended: false, onAbort: () => this.#remove(watcher) };
    if (options.signal.aborted) return { ...watcher, ended: true };
    options.signal.addEventListener('abort', watcher.onAbort, { once: true });
    this.#watchers.add(watcher);
    return watcher;
  }

  /** To every live watch: what it asked for, in one call. Changes in revision order, revisions never torn apart. */
  deliver(changes: readonly Change[]): void {
    this.#backlog.push(changes);
    if (this.#delivering) return;
    this.#delivering = true;
    for (let next = this.#backlog.shift(); next; next = this.#backlog.shift()) {
      for (const watcher of [...this.#watchers]) if (watcher.live) feed(watcher, next);
    }
    this.#delivering = false;
  }

  end(watcher: Watcher, reason: Error): void {
    if (watcher.ended) return;
    this.#remove(watcher);
    guarded(() => watcher.options.onEnd(reason));
  }

  endAll(reason: Error): void {
    for (const watcher of [...this.#watchers]) this.end(watcher, reason);
  }

  #remove(watcher: Watcher): void {
    watcher.ended = true;
    watcher.options.signal.removeEventListener('abort', watcher.onAbort);
    this.#watchers.delete(watcher);
  }
}

/** Gives a watch those of `changes` that it asked for. */
export function feed(watcher: Watcher, changes: readonly Change[]): void {
  if (watcher.ended) return;
  const { afterRevision, onChanges } = watcher.options;
  const wanted = changes.filter(
    (change) => keyOf(change).startsWith(watcher.prefix) && revisionOf(change) > afterRevision,
  );
  if (wanted.length > 0) guarded(() => onChanges(wanted));
}

export function keyOf(change: Change): string {
  return change.type === 'put' ? change.entry.key : change.key;
}

export function revisionOf(change: Change): number {
  return change.type === 'put' ? change.entry.modRevision : change.revision;
}

/** A watcher that throws is a bug; it must neither stop the store nor pass unseen. */
function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
