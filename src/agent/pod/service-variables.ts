import type { Pod, Service } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';

type Variable = readonly [name: string, value: string];

/** `my-db` → `MY_DB` */
function variablePrefix(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}

/**
 * `<NAME>_SERVICE_HOST` and `_PORT`, and what Docker's links once set, for each service that has an address: as Kubernetes makes
 * them when a container is created. What comes later is found by name. `kubernetes` of namespace `default` is told of everywhere.
 */
export function serviceVariables(pod: Pod, services: (namespace: string) => Iterable<Service>): readonly Variable[] {
  const namespace = pod.metadata.namespace ?? 'default';
  const own = pod.spec.enableServiceLinks === false ? [] : [...services(namespace)];
  const api = [...services('default')].filter(({ metadata }) => metadata.name === 'kubernetes');
  const byName = new Map([...api, ...own].map((service) => [service.metadata.name, service] as const));
  return [...byName.values()]
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .flatMap((service) => variablesOf(service));
}

function variablesOf({ metadata, spec }: Service): readonly Variable[] {
  const address = spec.clusterIP;
  const ports = spec.ports ?? [];
  const [first] = ports;
  if (!address || address === 'None') return [];
  const host = address.includes(':') ? `[${address}]` : address;
  const prefix = variablePrefix(metadata.name);
  const links = ports.flatMap((port): readonly Variable[] => {
    const protocol = port.protocol ?? 'TCP';
    const url = `${protocol.toLowerCase()}://${host}:${port.port}`;
    const link = `${prefix}_PORT_${port.port}_${protocol}`;
    return [
      ...(port === first ? [[`${prefix}_PORT`, url] as const] : []),
      [link, url],
      [`${link}_PROTO`, protocol.toLowerCase()],
      [`${link}_PORT`, String(port.port)],
      [`${link}_ADDR`, address],
    ];
  });
  const named = ports.flatMap(({ name, port }): readonly Variable[] =>
    name ? [[`${prefix}_SERVICE_PORT_${variablePrefix(name)}`, String(port)]] : [],
  );
  // One that stands for all ports names none.
  const port = first ? [[`${prefix}_SERVICE_PORT`, String(first.port)] as const] : [];
  return [[`${prefix}_SERVICE_HOST`, address], ...port, ...named, ...links];
}

/** Where a container is in the cluster: what a program needs to say who it is. */
export function flotillaVariables(pod: Pod, grid: string): readonly Variable[] {
  const { metadata, spec } = pod;
  const given: readonly (readonly [string, string | undefined])[] = [
    ['FLOTILLA_GRID', grid],
    ['FLOTILLA_NODE', spec.nodeName],
    ['FLOTILLA_STACK', metadata.labels?.[labels.stack]],
    ['FLOTILLA_SERVICE', metadata.labels?.[labels.service]],
    ['FLOTILLA_INSTANCE', metadata.name],
  ];
  return given.flatMap(([name, value]) => (value ? [[name, value] as const] : []));
}
