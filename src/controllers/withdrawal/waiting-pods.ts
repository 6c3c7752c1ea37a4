import type { FirstSight } from './following.ts';

/** Pods for which nodes have yet to apply a revision, by `namespace/name`. */
export class WaitingPods {
  readonly #waiting = new Map<string, FirstSight & { readonly uid: string; readonly lagging: Set<string> }>();

  /** Of this very pod. */
  first(key: string, uid: string): FirstSight | undefined {
    const known = this.#waiting.get(key);
    return known?.uid === uid ? known : undefined;
  }

  set(key: string, uid: string, first: FirstSight, lagging: readonly string[]): void {
    this.#waiting.set(key, { ...first, uid, lagging: new Set(lagging) });
  }

  delete(key: string): void {
    this.#waiting.delete(key);
  }

  /** A node has applied all up to `revision`. Gives those for which it was the last one. */
  settle(nodeName: string, revision: number): readonly string[] {
    return [...this.#waiting].flatMap(([key, one]) =>
      revision >= one.revision && one.lagging.delete(nodeName) && one.lagging.size === 0 ? [key] : [],
    );
  }
}
