import type { EndpointSlice } from './kinds.ts';
import { labels } from './names.ts';

/** EndpointSlices by the Service object that they belong to; keys are `<namespace>/<name>`. */
export class SlicesByService {
  /** By the key of the Service object, then by their own. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  readonly #serviceOf = new Map<string, string>();

  /** `slice` undefined: it is gone. Gives the Service objects whose slices are others now. */
  set(key: string, slice: EndpointSlice | undefined): readonly string[] {
    const name = slice?.metadata.labels?.[labels.serviceName];
    const owner = name ? `${key.slice(0, key.indexOf('/'))}/${name}` : undefined;
    const before = this.#serviceOf.get(key);
    const changed: string[] = [];
    if (before !== undefined && before !== owner) {
      const others = this.#slices.get(before);
      others?.delete(key);
      if (others?.size === 0) this.#slices.delete(before);
      this.#serviceOf.delete(key);
      changed.push(before);
    }
    if (!slice || owner === undefined) return changed;
    this.#serviceOf.set(key, owner);
    const own = this.#slices.get(owner) ?? new Map<string, EndpointSlice>();
    this.#slices.set(owner, own.set(key, slice));
    return [...changed, owner];
  }

  /** Key → slice. */
  of(service: string): ReadonlyMap<string, EndpointSlice> {
    return this.#slices.get(service) ?? new Map();
  }

  /** Of all slices. */
  keys(): Iterable<string> {
    return this.#serviceOf.keys();
  }
}
