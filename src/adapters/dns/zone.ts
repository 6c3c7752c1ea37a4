import type { EndpointSlice, Service } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';
import type { DnsRecords, DnsZone } from './port.ts';

export interface ZoneInput {
  /** `cluster.local`. */
  readonly domain: string;
  readonly services: Iterable<Service>;
  readonly slices: Iterable<EndpointSlice>;
}

/**
 * `<service>.<namespace>.svc` for each Service object, and `<service>.<stack>.svc` where the stack has another name than
 * the namespace. Addresses are those of ready endpoints; a Service object without any is a known name without records.
 * A name that both forms claim belongs to the namespace form.
 */
export function buildZone(input: ZoneInput): DnsZone {
  const ready = readyAddresses(input.slices);
  const names = new Map<string, DnsRecords>();
  const aliases: [string, DnsRecords][] = [];
  for (const service of input.services) {
    const { name, namespace = 'default' } = service.metadata;
    const records = recordsOf(service, [...(ready.get(`${namespace}/${name}`) ?? [])], input.domain);
    names.set(`${name}.${namespace}.svc`.toLowerCase(), records);
    const stack = service.metadata.labels?.[labels.stack];
    if (stack !== undefined && stack !== namespace) {
      const short = service.metadata.labels?.[labels.service] ?? name;
      aliases.push([`${short}.${stack}.svc`.toLowerCase(), records]);
    }
  }
  for (const [alias, records] of aliases) if (!names.has(alias)) names.set(alias, records);
  return { domain: input.domain, names };
}

function recordsOf(service: Service, addresses: readonly string[], domain: string): DnsRecords {
  const ports = service.spec.ports ?? [];
  if (ports.length === 0) return { addresses };
  const target = `${service.metadata.name}.${service.metadata.namespace ?? 'default'}.svc.${domain}`;
  // Headless: clients connect to the instances themselves, so the port is the target's where it is a number.
  const port = (one: (typeof ports)[number]) => (typeof one.targetPort === 'number' ? one.targetPort : one.port);
  return { addresses, services: ports.map((one) => ({ port: port(one), target })) };
}

function readyAddresses(slices: Iterable<EndpointSlice>): Map<string, ReadonlySet<string>> {
  const byService = new Map<string, Set<string>>();
  for (const slice of slices) {
    const service = slice.metadata.labels?.[labels.serviceName];
    if (service === undefined) continue;
    const key = `${slice.metadata.namespace ?? 'default'}/${service}`;
    const addresses = byService.get(key) ?? new Set();
    byService.set(key, addresses);
    for (const endpoint of slice.endpoints ?? []) {
      if (endpoint.conditions?.ready === false || endpoint.conditions?.terminating === true) continue;
      const first = endpoint.addresses[0];
      if (first !== undefined) addresses.add(first);
    }
  }
  return byService;
}
