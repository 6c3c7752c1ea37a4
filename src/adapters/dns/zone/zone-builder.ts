import type { EndpointSlice, Service } from '../../../resources/kinds.ts';
import { SlicesByService } from '../../../resources/slices-by-service.ts';
import type { DnsRecords, DnsZone, DnsZoneChange } from '../port.ts';
import { serviceDnsName, serviceRecords } from './service-records.ts';

/**
 * Turns Service objects and their slices into names, one change at a time: it costs what the changed service has, not what
 * there is. Pure: no clock, no I/O.
 */
export class ZoneBuilder {
  readonly #services = new Map<string, Service>();
  readonly #slices = new SlicesByService();
  readonly #names = new Map<string, DnsRecords>();
  readonly #changed = new Set<string>();

  /** `key`: `<namespace>/<name>`; without an object it is gone. */
  setService(key: string, service: Service | undefined): void {
    if (service) this.#services.set(key, service);
    else this.#services.delete(key);
    this.#changed.add(key);
  }

  setSlice(key: string, slice: EndpointSlice | undefined): void {
    for (const service of this.#slices.set(key, slice)) this.#changed.add(service);
  }

  /** What became different since the last call; undefined when nothing did. */
  changes(): DnsZoneChange | undefined {
    const set = new Map<string, DnsRecords>();
    const drop: string[] = [];
    for (const key of this.#changed) {
      const service = this.#services.get(key);
      const name = service ? serviceDnsName(service) : dnsNameOf(key);
      const known = this.#names.get(name);
      if (!service) {
        if (this.#names.delete(name)) drop.push(name);
        continue;
      }
      const slices = [...this.#slices.of(key)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, slice]) => slice);
      const records = serviceRecords(service, slices);
      if (known && JSON.stringify(known) === JSON.stringify(records)) continue;
      this.#names.set(name, records);
      set.set(name, records);
    }
    this.#changed.clear();
    return set.size > 0 || drop.length > 0 ? { set, drop } : undefined;
  }

  /** All of it, up to the last `changes`. A copy: later changes do not show in it. */
  zone(): DnsZone {
    return { names: new Map(this.#names) };
  }
}

/** `shop/web` → `web.shop.svc` */
function dnsNameOf(key: string): string {
  const slash = key.indexOf('/');
  return `${key.slice(slash + 1)}.${key.slice(0, slash)}.svc`.toLowerCase();
}
