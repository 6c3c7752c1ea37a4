import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { type EndpointGroup, type FrontKind, outsideOffset } from './layout.ts';
import type { ServiceEndpoint, VirtualService } from './port.ts';

/** Which endpoints take a connection. */
export type PoolName = 'all' | 'local';

/** One address, address and port, or node port under which a service is called. */
export interface Front {
  /** `<kind> <key>`, unique among all services. */
  readonly id: string;
  readonly kind: FrontKind;
  /** As nft writes it: `10.96.0.5 . tcp . 80`, `10.96.0.5`, `tcp . 30080`. */
  readonly key: string;
  /** Where its endpoints are numbered, and under which key. */
  readonly group: EndpointGroup;
  readonly groupKey: string;
  readonly inside: PoolName;
  /** For clients outside, where these are told apart. */
  readonly outside?: PoolName;
  readonly allowedSources?: readonly string[];
}

export interface ServiceFronts {
  readonly fronts: readonly Front[];
  /** As nft writes them (`10.80.1.5 . 8080`, or the address alone), without duplicates. */
  readonly pools: Readonly<Record<PoolName, readonly string[]>>;
  /** What was left out because no rule can be made for it, a sentence each: one bad object must not cost all others their addresses. */
  readonly problems: readonly string[];
}

/** All ways to call a service, from its object. Pure. */
export function planFronts(service: VirtualService): ServiceFronts {
  const problems: string[] = [];
  const usable = (address: string, what: string): boolean => {
    const isUsable = isIPv4(address) && !/^(0|127|22[4-9]|2[345]\d)\./.test(address);
    if (!isUsable) problems.push(`${what} "${address}" is not an IPv4 address that can be used`);
    return isUsable;
  };
  const endpoints = service.endpoints.filter(({ address }) => usable(address, 'endpoint'));
  const fronts: Front[] = [];
  const { port } = service;
  const addAddress = (address: string, rest: FrontPolicy) => fronts.push({ ...addressFront(address, port), ...rest });

  const external: FrontPolicy =
    service.externalTrafficPolicy === 'Local' ? { inside: 'all', outside: 'local' } : { inside: 'all' };
  const sources = service.allowedSources ? { allowedSources: outermost(service.allowedSources, problems) } : {};
  const externalIPs = new Set(service.externalIPs.filter((address) => usable(address, 'external address')));
  for (const address of externalIPs) addAddress(address, { ...external, ...sources });
  for (const address of new Set(service.clusterIPs.filter((one) => usable(one, 'service address')))) {
    if (externalIPs.has(address)) continue;
    addAddress(address, { inside: service.internalTrafficPolicy === 'Local' ? 'local' : 'all' });
  }
  if (service.nodePort !== undefined && port) {
    fronts.push({ ...nodePortFront(service.nodePort, port.protocol), ...external });
  }
  return {
    fronts,
    pools: {
      all: renderEndpoints(endpoints, service),
      local: renderEndpoints(
        endpoints.filter((endpoint) => endpoint.isLocal),
        service,
      ),
    },
    problems,
  };
}

type FrontPolicy = Pick<Front, 'inside' | 'outside' | 'allowedSources'>;
type FrontKey = Omit<Front, keyof FrontPolicy>;

function addressFront(address: string, port: VirtualService['port']): FrontKey {
  if (!port) return { id: `any ${address}`, kind: 'any', key: address, group: 'any', groupKey: address };
  const protocol = port.protocol === 'UDP' ? 'udp' : 'tcp';
  const key = `${address} . ${protocol} . ${port.number}`;
  return { id: `vip ${key}`, kind: 'vip', key, group: `vip_${protocol}`, groupKey: `${address} . ${port.number}` };
}

function nodePortFront(number: number, of: 'TCP' | 'UDP'): FrontKey {
  const protocol = of === 'UDP' ? 'udp' : 'tcp';
  const key = `${protocol} . ${number}`;
  return { id: `node ${key}`, kind: 'node', key, group: `node_${protocol}`, groupKey: String(number) };
}

function renderEndpoints(endpoints: readonly ServiceEndpoint[], { port }: VirtualService): string[] {
  const texts = endpoints.map(({ address, port: own }) => (port ? `${address} . ${own ?? port.number}` : address));
  return [...new Set(texts)].slice(0, outsideOffset);
}

/** An interval set refuses ranges that lie in one another. */
function outermost(cidrs: readonly string[], problems: string[]): string[] {
  const parsed = cidrs.flatMap((cidr) => {
    if (ipaddr.IPv4.isValidCIDR(cidr)) return [ipaddr.IPv4.parseCIDR(cidr)];
    problems.push(`source "${cidr}" is not an IPv4 range`);
    return [];
  });
  const holds = (outer: [ipaddr.IPv4, number], inner: [ipaddr.IPv4, number]) =>
    outer[1] <= inner[1] && inner[0].match(outer);
  const kept = parsed.filter(
    (one, index) => !parsed.some((other, at) => at !== index && holds(other, one) && (other[1] < one[1] || at < index)),
  );
  return kept.map(([address, length]) => {
    const network = ipaddr.IPv4.networkAddressFromCIDR(`${address.toString()}/${length}`);
    return `${network.toString()}/${length}`;
  });
}
