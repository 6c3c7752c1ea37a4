import type { IngressBackend } from '../../adapters/ingress/port.ts';
import { jsonEqual } from '../../resources/json.ts';
import type { EndpointSlice } from '../../resources/kinds.ts';
import { SlicesByService } from '../../resources/slices-by-service.ts';
import { ChangedMap } from '../changed-map.ts';
import type { WantedBackend } from './compile-ingress.ts';
import { endpointsOf } from './endpoints.ts';
import { Grouped } from './grouped.ts';

/** The backends that Ingress objects need, each with who is behind it now. A slice costs those of its service. */
export class Backends {
  readonly #slices = new SlicesByService();
  /** By name, then by the Ingress object; all want the same of one name. */
  readonly #wanted = new Map<string, Map<string, WantedBackend>>();
  readonly #ofService = new Grouped();
  readonly #dirty = new Set<string>();
  readonly #backends = new ChangedMap<IngressBackend>();

  /** `key`: `<namespace>/<name>`; undefined: it is gone. */
  setSlice(key: string, slice: EndpointSlice | undefined): void {
    for (const service of this.#slices.set(key, slice)) this.#touch(service);
  }

  /** What an Ingress object needs from now on, instead of what it did. */
  use(ingress: string, before: readonly WantedBackend[], now: readonly WantedBackend[]): void {
    for (const { name, service } of before) {
      const users = this.#wanted.get(name);
      users?.delete(ingress);
      if (users?.size === 0) {
        this.#wanted.delete(name);
        this.#ofService.put(service, name, false);
      }
      this.#dirty.add(name);
    }
    for (const one of now) {
      const users = this.#wanted.get(one.name) ?? new Map<string, WantedBackend>();
      this.#wanted.set(one.name, users.set(ingress, one));
      this.#ofService.put(one.service, one.name, true);
      this.#dirty.add(one.name);
    }
  }

  /** The same map as long as nothing has changed. */
  give(): ReadonlyMap<string, IngressBackend> {
    for (const name of this.#dirty) this.#fill(name);
    this.#dirty.clear();
    return this.#backends.give();
  }

  #touch(service: string): void {
    for (const name of this.#ofService.of(service)) this.#dirty.add(name);
  }

  #fill(name: string): void {
    const wanted = this.#wanted.get(name)?.values().next().value;
    if (!wanted) {
      this.#backends.delete(name);
      return;
    }
    const { mode, service, target, options } = wanted;
    const endpoints = target ? endpointsOf(this.#slices.of(service).values(), target) : [];
    const known = this.#backends.current.get(name);
    // A list that comes out equal stays the same one.
    const kept = known && jsonEqual(known.endpoints, endpoints) ? known.endpoints : endpoints;
    this.#backends.set(name, { name, mode, endpoints: kept, options });
  }
}
