import type { EndpointSlice, Service } from '../../../resources/kinds.ts';
import { annotations, labels } from '../../../resources/names.ts';
import type { DnsPort, DnsRecords } from '../port.ts';

/** `web.shop.svc` */
export function serviceDnsName({ metadata }: Service): string {
  return `${metadata.name}.${metadata.namespace ?? 'default'}.svc`.toLowerCase();
}

/** What a Service object and its slices, in a fixed order, are known by. Pure. */
export function serviceRecords(service: Service, slices: readonly EndpointSlice[]): DnsRecords {
  const { spec } = service;
  const names = otherNames(service);
  if (spec.type === 'ExternalName') {
    return { addresses: [], ...(spec.externalName ? { externalName: spec.externalName } : {}), ...names };
  }
  const virtual = (spec.clusterIPs ?? [spec.clusterIP]).filter(
    (one) => one !== undefined && one !== '' && one !== 'None',
  );
  const { addresses, hostnames, ports, portsOf } = endpointsOf(service, slices);
  const withHostnames = Object.keys(hostnames).length > 0 ? { hostnames } : {};
  if (virtual.length > 0) {
    const members = addresses.length > 0 ? { members: addresses } : {};
    return {
      addresses: virtual.flatMap((one) => one ?? []),
      ...members,
      ...withHostnames,
      ...listed('ports', (spec.ports ?? []).map(portOf)),
      ...names,
    };
  }
  // Clients connect to the instances themselves, so the port is the target's.
  const targets = (spec.ports ?? []).map((one) => {
    return portOf({ ...one, port: typeof one.targetPort === 'number' ? one.targetPort : one.port });
  });
  return {
    addresses,
    isHeadless: true,
    ...withHostnames,
    ...listed('ports', ports.length > 0 ? ports : targets),
    ...(Object.keys(portsOf).length > 0 ? { portsOf } : {}),
    ...names,
  };
}

/**
 * In the stack's own name where that is not the namespace's, and what Compose calls aliases, in the namespace and in the
 * stack's name.
 */
function otherNames({ metadata }: Service): Pick<DnsRecords, 'stackName' | 'aliases'> {
  const { name, namespace = 'default' } = metadata;
  const stack = metadata.labels?.[labels.stack];
  const groups = stack === undefined || stack === namespace ? [namespace] : [namespace, stack];
  const words = (metadata.annotations?.[annotations.aliases] ?? '').split(',').map((one) => one.trim().toLowerCase());
  const aliases = [...new Set(words)].filter((one) => /^[a-z0-9_]([a-z0-9._-]{0,61}[a-z0-9_])?$/.test(one));
  const short = metadata.labels?.[labels.service] ?? name;
  return {
    ...(groups.length > 1 ? { stackName: `${short}.${stack}.svc`.toLowerCase() } : {}),
    ...(aliases.length > 0
      ? { aliases: groups.flatMap((group) => aliases.map((alias) => `${alias}.${group}.svc`.toLowerCase())) }
      : {}),
  };
}

interface Endpoints {
  readonly addresses: string[];
  readonly hostnames: Record<string, string>;
  /** Of the first slice that has endpoints. */
  readonly ports: readonly DnsPort[];
  readonly portsOf: Record<string, readonly DnsPort[]>;
}

function endpointsOf({ spec }: Service, slices: readonly EndpointSlice[]): Endpoints {
  const hostnames: Record<string, string> = {};
  const portsOf: Record<string, readonly DnsPort[]> = {};
  const addresses = new Set<string>();
  let ports: readonly DnsPort[] | undefined;
  for (const slice of slices) {
    const own = (slice.ports ?? []).flatMap(({ port, ...one }) =>
      port === undefined ? [] : [portOf({ ...one, port })],
    );
    const differs = ports !== undefined && JSON.stringify(own) !== JSON.stringify(ports);
    for (const {
      addresses: [address],
      conditions = {},
      hostname,
    } of slice.endpoints ?? []) {
      const isAnswered = spec.publishNotReadyAddresses || (conditions.ready !== false && conditions.serving !== false);
      if (address === undefined || !isAnswered || conditions.terminating || addresses.has(address)) continue;
      addresses.add(address);
      ports ??= own;
      if (hostname) hostnames[address] = hostname.toLowerCase();
      if (differs) portsOf[address] = own;
    }
  }
  return { addresses: [...addresses], hostnames, ports: ports ?? [], portsOf };
}

function portOf(one: { readonly name?: string; readonly protocol?: string; readonly port: number }): DnsPort {
  const name = one.name ? { name: one.name.toLowerCase() } : {};
  return { ...name, protocol: (one.protocol ?? 'TCP').toLowerCase(), port: one.port };
}

function listed<K extends string, T>(key: K, list: readonly T[]): Partial<Record<K, readonly T[]>> {
  return list.length > 0 ? (Object.fromEntries([[key, list]]) as Partial<Record<K, readonly T[]>>) : {};
}
