import { isIPv4 } from 'node:net';
import type { ServiceEndpoint, VirtualService } from '../../adapters/services/port.ts';
import { objectKey } from '../../client/paths.ts';
import { parseCidr } from '../../lib/cidr.ts';
import type { EndpointSlice, Service } from '../../resources/kinds.ts';
import {
  hasAllPorts,
  isHeadless,
  needsClusterIP,
  serviceType,
  virtualAddresses,
} from '../../resources/service-facts.ts';
import { SlicesByService } from '../../resources/slices-by-service.ts';
import { ChangedMap } from '../changed-map.ts';

type Port = NonNullable<Service['spec']['ports']>[number];

/** Kubernetes': somebody else makes the addresses of such a Service object work. */
const otherProxyLabel = 'service.kubernetes.io/service-proxy-name';
const defaultAffinitySeconds = 10_800;

/**
 * Service objects and EndpointSlices of a grid → what the node's kernel is to do, by kube-proxy's rules. Work is in proportion
 * to what changed; a virtual service that comes out the same is the same object, which is how the adapter knows.
 */
export class VirtualServices {
  readonly #nodeName: string;
  readonly #services = new Map<string, Service>();
  readonly #slices = new SlicesByService();
  /** Names of what each Service object became. */
  readonly #namesOf = new Map<string, readonly string[]>();
  readonly #dirty = new Set<string>();
  readonly #state = new ChangedMap<VirtualService>();

  constructor(nodeName: string) {
    this.#nodeName = nodeName;
  }

  /** All there are, from a list; what comes out the same stays the same object. */
  replace(services: Iterable<Service>, slices: Iterable<EndpointSlice>): void {
    const gone = { services: new Set(this.#services.keys()), slices: new Set(this.#slices.keys()) };
    for (const one of services) {
      gone.services.delete(objectKey(one));
      this.setService(objectKey(one), one);
    }
    for (const one of slices) {
      gone.slices.delete(objectKey(one));
      this.setSlice(objectKey(one), one);
    }
    for (const key of gone.services) this.setService(key, undefined);
    for (const key of gone.slices) this.setSlice(key, undefined);
  }

  /** `key`: `<namespace>/<name>`; undefined: it is gone. */
  setService(key: string, service: Service | undefined): void {
    if (service) this.#services.set(key, service);
    else this.#services.delete(key);
    this.#dirty.add(key);
  }

  setSlice(key: string, slice: EndpointSlice | undefined): void {
    for (const service of this.#slices.set(key, slice)) this.#dirty.add(service);
  }

  /** By name. The same map while nothing changes; a map that was given out is never changed. */
  get state(): ReadonlyMap<string, VirtualService> {
    for (const key of this.#dirty) {
      const found = this.#compile(key);
      const names = found.map((one) => one.name);
      for (const name of this.#namesOf.get(key) ?? []) if (!names.includes(name)) this.#state.delete(name);
      for (const one of found) this.#state.set(one.name, one);
      if (names.length > 0) this.#namesOf.set(key, names);
      else this.#namesOf.delete(key);
    }
    this.#dirty.clear();
    return this.#state.give();
  }

  #compile(key: string): VirtualService[] {
    const service = this.#services.get(key);
    if (!service || !needsClusterIP(service) || isHeadless(service)) return [];
    if (service.metadata.labels?.[otherProxyLabel] !== undefined) return [];
    const slices = [...this.#slices.of(key).values()].filter((slice) => slice.addressType === 'IPv4');
    const common = commonOf(service);
    if (hasAllPorts(service)) {
      return [{ name: `${key}:*`, ...common, endpoints: sorted(slices.flatMap((slice) => this.#endpoints(slice))) }];
    }
    return (service.spec.ports ?? []).flatMap((port) => {
      const protocol = port.protocol ?? 'TCP';
      if (protocol !== 'TCP' && protocol !== 'UDP') return [];
      const endpoints = slices.flatMap((slice) => {
        const target = targetOf(slice, port.name ?? '', protocol);
        return target === undefined ? [] : this.#endpoints(slice, target);
      });
      return {
        name: `${key}:${port.name ?? ''}`,
        port: { protocol, number: port.port },
        ...common,
        ...nodePortOf(service, port),
        endpoints: sorted(endpoints),
      };
    });
  }

  #endpoints({ endpoints = [] }: EndpointSlice, port?: number): ServiceEndpoint[] {
    return endpoints.flatMap(({ addresses, conditions, nodeName }) => {
      const [address = ''] = addresses;
      if (!(conditions?.ready ?? true) || !isIPv4(address)) return [];
      return { address, ...(port === undefined ? {} : { port }), isLocal: nodeName === this.#nodeName };
    });
  }
}

function commonOf(service: Service): Omit<VirtualService, 'name' | 'endpoints'> {
  const { spec } = service;
  const sources = (spec.loadBalancerSourceRanges ?? []).map((range) => range.trim());
  const isFor = serviceType(service) === 'LoadBalancer' && sources.length > 0;
  const isSticky = spec.sessionAffinity === 'ClientIP';
  return {
    clusterIPs: virtualAddresses(service).filter((address) => isIPv4(address)),
    externalIPs: [...new Set([...(spec.externalIPs ?? []), ...programmedAddresses(service)])].filter(isIPv4).sort(),
    internalTrafficPolicy: spec.internalTrafficPolicy === 'Local' ? 'Local' : 'Cluster',
    externalTrafficPolicy: spec.externalTrafficPolicy === 'Local' ? 'Local' : 'Cluster',
    ...(isSticky
      ? { affinitySeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? defaultAffinitySeconds }
      : {}),
    ...(isFor ? { allowedSources: sources.filter((range) => parseCidr(range) !== undefined) } : {}),
  };
}

/** A balancer that sends on by itself says so: its address is not for nodes to take. */
function programmedAddresses({ spec, status }: Service): string[] {
  if (spec.type !== 'LoadBalancer') return [];
  const ingress: readonly { ip?: string; ipMode?: string }[] = status?.loadBalancer?.ingress ?? [];
  return ingress.flatMap(({ ip, ipMode = 'VIP' }) => (ip && ipMode === 'VIP' ? [ip] : []));
}

function nodePortOf(service: Service, { nodePort }: Port): { readonly nodePort?: number } {
  const type = serviceType(service);
  return nodePort && (type === 'NodePort' || type === 'LoadBalancer') ? { nodePort } : {};
}

function targetOf({ ports = [] }: EndpointSlice, name: string, protocol: string): number | undefined {
  return ports.find((one) => (one.name ?? '') === name && (one.protocol ?? 'TCP') === protocol)?.port;
}

/** Each once, in an order that does not depend on the slices they came in. */
function sorted(endpoints: readonly ServiceEndpoint[]): ServiceEndpoint[] {
  const unique = new Map(endpoints.map((one) => [`${one.address}:${one.port ?? ''}`, one]));
  return [...unique.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}
