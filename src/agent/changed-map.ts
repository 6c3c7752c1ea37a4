import { jsonEqual } from '../resources/json.ts';

/** A map that is never changed once it was given out; a value that comes out the same stays the same object. */
export class ChangedMap<V> {
  #given: ReadonlyMap<string, V> = new Map();
  #next: Map<string, V> | undefined;

  set(key: string, value: V): void {
    const known = this.current.get(key);
    if (known !== undefined && jsonEqual(known, value)) return;
    this.#next ??= new Map(this.#given);
    this.#next.set(key, value);
  }

  delete(key: string): void {
    if (!this.current.has(key)) return;
    this.#next ??= new Map(this.#given);
    this.#next.delete(key);
  }

  /** What is in it now, for looking things up between two gifts. */
  get current(): ReadonlyMap<string, V> {
    return this.#next ?? this.#given;
  }

  /** The same map as long as nothing has changed. */
  give(): ReadonlyMap<string, V> {
    if (this.#next) this.#given = this.#next;
    this.#next = undefined;
    return this.#given;
  }
}
