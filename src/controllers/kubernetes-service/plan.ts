import type { EndpointSlice, Service } from '../../resources/kinds.ts';
import { ipAddress } from '../../resources/name-checks.ts';
import { labels } from '../../resources/names.ts';
import { isSame } from '../same.ts';

export const apiServiceName = 'kubernetes';
export const apiServiceNamespace = 'default';
/** Kubernetes' port of the API; the real ones stand in the slices. */
const apiPort = 443;

export type ApiServiceStep =
  /** Its address cannot change: it is made anew. */
  | { readonly type: 'deleteService'; readonly service: Service }
  | { readonly type: 'createService'; readonly service: Service }
  | { readonly type: 'createSlice'; readonly slice: EndpointSlice }
  | { readonly type: 'updateSlice'; readonly slice: EndpointSlice }
  | { readonly type: 'deleteSlice'; readonly slice: EndpointSlice };

export interface ApiServiceObservation {
  readonly service: Service | undefined;
  /** The address that it has. Earlier versions made it without one. */
  readonly clusterIP: string;
  /** All that carry our mark. */
  readonly slices: readonly EndpointSlice[];
  /** `https://host:port` of each server. */
  readonly servers: readonly string[];
}

export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const managedBy = 'kubernetes-service.flotilla.dev';

/** `kubernetes.default` names the servers: one slice for each port and family of addresses among them. */
export function planApiService({ service, clusterIP, slices, servers }: ApiServiceObservation): ApiServiceStep[] {
  const steps: ApiServiceStep[] = [];
  if (!service) steps.push({ type: 'createService', service: apiService(clusterIP) });
  else if (service.spec.clusterIP !== clusterIP) {
    if (!service.metadata.deletionTimestamp) steps.push({ type: 'deleteService', service });
  }
  const wanted = new Map(slicesFor(servers).map((slice) => [slice.metadata.name, slice]));
  for (const slice of slices) {
    const next = wanted.get(slice.metadata.name);
    wanted.delete(slice.metadata.name);
    if (!next) steps.push({ type: 'deleteSlice', slice });
    else if (!isSame(slice.endpoints ?? [], next.endpoints) || !isSame(portsOf(slice), portsOf(next))) {
      steps.push({ type: 'updateSlice', slice: { ...slice, endpoints: next.endpoints, ports: next.ports ?? [] } });
    }
  }
  for (const slice of wanted.values()) steps.push({ type: 'createSlice', slice });
  return steps;
}

function portsOf(slice: EndpointSlice) {
  return (slice.ports ?? []).map(({ name, port }) => [name, port]);
}

function apiService(clusterIP: string): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: apiServiceName,
      namespace: apiServiceNamespace,
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: { clusterIP, ports: [{ name: 'https', port: apiPort, protocol: 'TCP' }] },
  };
}

function slicesFor(servers: readonly string[]): EndpointSlice[] {
  const groups = new Map<string, { addressType: string; port: number; addresses: Set<string> }>();
  for (const { address, port } of servers.flatMap(addressOf)) {
    const addressType = address.includes(':') ? 'IPv6' : 'IPv4';
    const key = `${addressType} ${port}`;
    const group = groups.get(key) ?? { addressType, port, addresses: new Set() };
    groups.set(key, group);
    group.addresses.add(address);
  }
  return [...groups.values()].map(({ addressType, port, addresses }) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${apiServiceName}-${addressType.toLowerCase()}-${port}`,
      namespace: apiServiceNamespace,
      labels: { [labels.serviceName]: apiServiceName, [managedByLabel]: managedBy },
    },
    addressType,
    endpoints: [...addresses].sort().map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  }));
}

/** Only what another host can dial: a name has no place among addresses, and a loopback is everybody's own. */
function addressOf(url: string): { readonly address: string; readonly port: number }[] {
  const { hostname, port } = new URL(url);
  const address = hostname.replace(/^\[|\]$/g, '');
  const isLoopback = address.startsWith('127.') || address === '::1';
  const isDialable = ipAddress(address).length === 0 && !isLoopback;
  return isDialable ? [{ address, port: Number(port || apiPort) }] : [];
}
