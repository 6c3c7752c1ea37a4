import type { Logger } from '../lib/log.ts';
import type { ApiObject } from '../resources/object.ts';
import { objectKey } from './paths.ts';

export interface StoreHandlers<T extends ApiObject> {
  readonly onAdd?: (object: T) => void;
  readonly onUpdate?: (object: T, old: T) => void;
  readonly onDelete?: (object: T) => void;
  readonly onChange?: (key: string, object: T | undefined, old: T | undefined) => void;
  readonly indexes?: Readonly<Record<string, (object: T) => readonly string[]>>;
}

/** What an informer knows; turns lists and events into calls of handlers. A handler that throws is logged, no more. */
export class InformerStore<T extends ApiObject> {
  readonly objects = new Map<string, T>();
  readonly #handlers: StoreHandlers<T>;
  readonly #log: Logger;
  /** Index name → value → keys. */
  readonly #indexes = new Map<string, Map<string, Set<string>>>();

  constructor(handlers: StoreHandlers<T>, log: Logger) {
    this.#handlers = handlers;
    this.#log = log;
    for (const name of Object.keys(handlers.indexes ?? {})) this.#indexes.set(name, new Map());
  }

  /** The whole truth: what is not in `items` is gone, what has the same resourceVersion did not change. */
  replace(items: readonly T[]): void {
    const seen = new Set(items.map(objectKey));
    for (const [key, old] of [...this.objects]) if (!seen.has(key)) this.delete(old);
    for (const object of items) this.set(object);
  }

  set(object: T): void {
    const key = objectKey(object);
    const old = this.objects.get(key);
    if (old && old.metadata.uid !== object.metadata.uid) {
      this.delete(old); // another object with the same name: its deletion was not seen
      this.set(object);
      return;
    }
    if (old && old.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.objects.set(key, object);
    this.#reindex(key, old, object);
    this.#call(() => (old ? this.#handlers.onUpdate?.(object, old) : this.#handlers.onAdd?.(object)));
    this.#call(() => this.#handlers.onChange?.(key, object, old));
  }

  /** `object` is its last state, which handlers get. */
  delete(object: T): void {
    const key = objectKey(object);
    const old = this.objects.get(key);
    if (!old || !this.objects.delete(key)) return;
    this.#reindex(key, old, undefined);
    this.#call(() => this.#handlers.onDelete?.(object));
    this.#call(() => this.#handlers.onChange?.(key, undefined, old));
  }

  resync(): void {
    for (const [key, object] of [...this.objects]) {
      this.#call(() => this.#handlers.onUpdate?.(object, object));
      this.#call(() => this.#handlers.onChange?.(key, object, object));
    }
  }

  byIndex(name: string, value: string): T[] {
    const index = this.#indexes.get(name);
    if (!index) throw new Error(`informer has no index ${name}`);
    return [...(index.get(value) ?? [])].map((key) => this.objects.get(key)).filter((object) => object !== undefined);
  }

  #reindex(key: string, old: T | undefined, object: T | undefined): void {
    for (const [name, by] of Object.entries(this.#handlers.indexes ?? {})) {
      const index = this.#indexes.get(name);
      if (!index) continue;
      for (const value of old ? by(old) : []) {
        const keys = index.get(value);
        keys?.delete(key);
        if (keys?.size === 0) index.delete(value);
      }
      for (const value of object ? by(object) : []) {
        const keys = index.get(value);
        if (keys) keys.add(key);
        else index.set(value, new Set([key]));
      }
    }
  }

  #call(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.#log.error('handler of an informer failed', { error });
    }
  }
}
