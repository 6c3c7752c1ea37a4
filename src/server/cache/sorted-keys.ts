/**
 * Keys in order, read more often than changed. What came and went since the last read is merged in at the next one: sorting
 * fifty thousand keys anew for each would hold everybody up.
 */
export class SortedKeys {
  #keys: readonly string[] = [];
  readonly #added = new Set<string>();
  readonly #removed = new Set<string>();

  /** Only for a key that is not there. */
  add(key: string): void {
    if (!this.#removed.delete(key)) this.#added.add(key);
  }

  /** Only for a key that is there. */
  delete(key: string): void {
    if (!this.#added.delete(key)) this.#removed.add(key);
  }

  get all(): readonly string[] {
    if (this.#added.size === 0 && this.#removed.size === 0) return this.#keys;
    const added = [...this.#added].sort();
    const merged: string[] = [];
    let next = 0;
    for (const key of this.#keys) {
      while (next < added.length && added[next]! < key) merged.push(added[next++]!);
      if (!this.#removed.has(key)) merged.push(key);
    }
    while (next < added.length) merged.push(added[next++]!);
    this.#keys = merged;
    this.#added.clear();
    this.#removed.clear();
    return merged;
  }
}

/** Index of the first key that is not smaller. */
export function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
