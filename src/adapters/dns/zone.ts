import type { EndpointSlice, Service } from '../../resources/kinds.ts';
import type { DnsZone } from './port.ts';
import { ZoneBuilder } from './zone/zone-builder.ts';

export interface ZoneInput {
  readonly services: Iterable<Service>;
  readonly slices: Iterable<EndpointSlice>;
}

/**
 * All names at once: `<service>.<namespace>.svc` for each Service object, `<service>.<stack>.svc` where the stack has another
 * name than the namespace, and aliases. Who knows what changed keeps a `ZoneBuilder`.
 */
export function buildZone({ services, slices }: ZoneInput): DnsZone {
  const builder = new ZoneBuilder();
  const keyOf = ({ name, namespace = 'default' }: { name: string; namespace?: string }) => `${namespace}/${name}`;
  for (const service of services) builder.setService(keyOf(service.metadata), service);
  for (const slice of slices) builder.setSlice(keyOf(slice.metadata), slice);
  builder.changes();
  return builder.zone();
}
