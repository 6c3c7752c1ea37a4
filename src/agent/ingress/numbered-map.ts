import { ChangedMap } from '../changed-map.ts';

/** Lists of things under names of their own: the n-th of `key` is `<key>#<n>`. */
export class NumberedMap<V> {
  readonly #map = new ChangedMap<V>();
  readonly #lengths = new Map<string, number>();

  /** All there are of `key`, from now on; undefined leaves its number out. */
  set(key: string, values: readonly (V | undefined)[]): void {
    for (const [at, value] of values.entries()) {
      if (value === undefined) this.#map.delete(`${key}#${at}`);
      else this.#map.set(`${key}#${at}`, value);
    }
    for (let at = values.length; at < (this.#lengths.get(key) ?? 0); at++) this.#map.delete(`${key}#${at}`);
    if (values.length > 0) this.#lengths.set(key, values.length);
    else this.#lengths.delete(key);
  }

  /** The same map as long as nothing has changed. */
  give(): ReadonlyMap<string, V> {
    return this.#map.give();
  }
}
