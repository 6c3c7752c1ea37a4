import type { Kind } from '../resources/kind.ts';
import type { ApiObject } from '../resources/object.ts';
import { keyOf } from './owners.ts';

/** What one kind of a grid looks like now: the part of the client's informer that is needed here. */
export interface ObjectSource<T extends ApiObject> {
  get(key: string): T | undefined;
  list(): Iterable<T>;
}

/** `object` undefined: gone. `old` undefined: new. */
export type ChangeListener<T> = (key: string, object: T | undefined, old: T | undefined) => void;

/** Under which values an object is found; an empty list: under none. */
export type IndexBy<T> = (object: T) => readonly string[];

/**
 * One kind, shared by all controllers of a grid: objects, listeners, indexes. What a controller has written itself is
 * seen here at once (`noteWritten`, `noteDeleted`), before the watch brings it: a reconcile that runs again right away
 * must not do the same twice.
 */
export class SharedInformer<T extends ApiObject> {
  readonly kind: Kind<T>;
  readonly #source: ObjectSource<T>;
  readonly #listeners: ChangeListener<T>[] = [];
  readonly #indexes = new Map<string, Index<T>>();
  /** Own writes that the watch has not brought yet. */
  readonly #written = new Map<string, T>();
  /** Uids that were told to go and that the watch still shows as staying. */
  readonly #deleted = new Set<string>();
  /** Notes of own writes that were there at the last sweep already. */
  #old = new Set<string>();

  constructor(kind: Kind<T>, source: ObjectSource<T>) {
    this.kind = kind;
    this.#source = source;
  }

  get(key: string): T | undefined {
    return this.#written.get(key) ?? this.#source.get(key);
  }

  *list(): Iterable<T> {
    for (const object of this.#source.list()) yield this.#written.get(keyOf(object)) ?? object;
    for (const [key, object] of this.#written) if (!this.#source.get(key)) yield object;
  }

  /** Listeners are called after the indexes are up to date, in the order of the changes. */
  onChange(listener: ChangeListener<T>): void {
    this.#listeners.push(listener);
  }

  /** Declares an index; the same name twice is the same index. */
  index(name: string, by: IndexBy<T>): void {
    if (this.#indexes.has(name)) return;
    const index = new Index(by);
    for (const object of this.list()) index.set(keyOf(object), object);
    this.#indexes.set(name, index);
  }

  byIndex(name: string, value: string): T[] {
    const index = this.#indexes.get(name);
    if (!index) throw new Error(`informer of ${this.kind.plural} has no index ${name}`);
    const found: T[] = [];
    for (const key of index.keys(value)) {
      const object = this.get(key);
      if (object) found.push(object);
    }
    return found;
  }

  /** An own create or update has been accepted; `readVersion` is what it was based on (undefined: a create). */
  noteWritten(object: T, readVersion: string | undefined): void {
    const key = keyOf(object);
    if (this.#source.get(key)?.metadata.resourceVersion !== readVersion) return; // the watch was faster
    this.#written.set(key, object);
    this.#old.delete(key);
    this.#reindex(key, object);
  }

  /** An own delete has been accepted. */
  noteDeleted(object: T): void {
    const uid = object.metadata.uid;
    const shown = this.#source.get(keyOf(object));
    if (uid !== undefined && shown?.metadata.uid === uid && !shown.metadata.deletionTimestamp) this.#deleted.add(uid);
  }

  /** Was told to go by us, though it does not show yet. */
  isBeingDeleted(object: T): boolean {
    return object.metadata.deletionTimestamp !== undefined || this.#deleted.has(object.metadata.uid ?? '');
  }

  /** Called with each change that the watch brings. */
  changed(key: string, object: T | undefined, old: T | undefined): void {
    const before = old ?? this.#written.get(key);
    this.#written.delete(key);
    const uid = before?.metadata.uid ?? '';
    if (!object || object.metadata.uid !== uid || object.metadata.deletionTimestamp) this.#deleted.delete(uid);
    this.#reindex(key, object);
    for (const listener of this.#listeners) listener(key, object, before);
  }

  /**
   * Drops own writes that the watch has not brought between two sweeps: it never will (made and gone while a watch was
   * being set up anew), and a note must not outlive the truth.
   */
  sweep(): void {
    for (const note of this.#old) {
      this.#deleted.delete(note);
      if (this.#written.delete(note)) this.#reindex(note, this.#source.get(note));
    }
    this.#old = new Set([...this.#written.keys(), ...this.#deleted]);
  }

  #reindex(key: string, object: T | undefined): void {
    for (const index of this.#indexes.values()) index.set(key, object);
  }
}

class Index<T> {
  readonly #by: IndexBy<T>;
  readonly #keys = new Map<string, Set<string>>();
  readonly #values = new Map<string, readonly string[]>();

  constructor(by: IndexBy<T>) {
    this.#by = by;
  }

  keys(value: string): Iterable<string> {
    return this.#keys.get(value) ?? [];
  }

  set(key: string, object: T | undefined): void {
    const before = this.#values.get(key) ?? [];
    const after = object ? this.#by(object) : [];
    if (before.length === after.length && before.every((value, at) => value === after[at])) return;
    for (const value of before) {
      const keys = this.#keys.get(value);
      keys?.delete(key);
      if (keys?.size === 0) this.#keys.delete(value);
    }
    for (const value of after) {
      const keys = this.#keys.get(value);
      if (keys) keys.add(key);
      else this.#keys.set(value, new Set([key]));
    }
    if (after.length === 0) this.#values.delete(key);
    else this.#values.set(key, after);
  }
}
