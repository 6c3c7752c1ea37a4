import { formatIPv4, parseCidr, parseIPv4, sizeOf } from '../../../lib/cidr.ts';
import { type PortRange, parsePortRange } from '../../../resources/grid-network.ts';
import type { Service } from '../../../resources/kinds.ts';
import { needsClusterIP, needsNodePorts, nodePortsOf, virtualAddresses } from '../../../resources/service-facts.ts';

/**
 * What only one Service object of a grid may have, as a key beside the object: written and removed in the commit that writes
 * or removes it. Nobody watches these keys, so the commit still holds one watched object. ADR 0021.
 */
export const reservationPrefix = '/a/';

/** A pool of things of which each is given once: virtual addresses, or ports of all nodes. By numbers. */
export interface Pool {
  readonly type: 'service-ip' | 'node-port';
  /** All that may be asked for by name. */
  readonly range: PortRange;
  /** Where free ones are looked for first; the rest of the range is left to those that ask by name, as long as it can be. */
  readonly preferred: PortRange;
  /** Are never given to who does not ask for them by name. */
  readonly kept: ReadonlySet<number>;
  /** As people wrote it. */
  readonly rangeText: string;
  textOf(number: number): string;
}

export function reservationKey(grid: string, pool: Pool, number: number): string {
  return `${poolPrefix(grid, pool)}${pool.textOf(number)}`;
}

export function poolPrefix(grid: string, pool: Pool): string {
  return `${reservationPrefix}${grid}/${pool.type}/`;
}

/** Kubernetes leaves so many addresses at the start of the range to those that ask by name: min(max(16, size/16), 256). */
function bandSize(size: number): number {
  return Math.min(Math.max(16, Math.floor(size / 16)), 256);
}

/** Without the first and the last address of the network. The one after the first is that of `default/kubernetes`. */
export function addressPool(serviceRange: string): Pool {
  const network = parseCidr(serviceRange);
  if (!network) throw new Error(`service range ${serviceRange} is no network`);
  const range = { first: network.first + 1, last: network.last - 1 };
  const band = bandSize(sizeOf(network));
  const start = network.first + band;
  const preferred = start <= range.last ? { first: start, last: range.last } : range;
  return {
    type: 'service-ip',
    range,
    preferred,
    kept: new Set([range.first]),
    rangeText: serviceRange,
    textOf: formatIPv4,
  };
}

export function nodePortPool(nodePortRange: string): Pool {
  const range = parsePortRange(nodePortRange);
  if (!range) throw new Error(`node port range ${nodePortRange} is no range`);
  return { type: 'node-port', range, preferred: range, kept: new Set(), rangeText: nodePortRange, textOf: String };
}

/** Numbers that a Service object has in a pool, whether or not they are of its range. */
export function claimedIn(pool: Pool, service: Service): readonly number[] {
  if (pool.type === 'node-port') return nodePortsOf(service);
  return virtualAddresses(service).flatMap((address) => {
    const number = parseIPv4(address);
    return number === undefined ? [] : [number];
  });
}

/** Whether the server owes it an address of its own choice. */
export function lacksAddress(service: Service): boolean {
  return needsClusterIP(service) && !service.spec.clusterIP && !service.spec.clusterIPs?.length;
}

export function withAddress(service: Service, address: string): Service {
  return { ...service, spec: { ...service.spec, clusterIP: address, clusterIPs: [address] } };
}

/** A TCP and a UDP port of one number have one node port. `known`: the twin has one already. */
export interface OwedNodePort {
  readonly index: number;
  readonly known?: number;
}

/** The next port to which the server owes a node port; undefined: none. */
export function owedNodePort(service: Service): OwedNodePort | undefined {
  if (!needsNodePorts(service)) return undefined;
  const { ports = [] } = service.spec;
  const index = ports.findIndex((port) => !port.nodePort);
  const owed = ports[index];
  if (!owed) return undefined;
  const protocolOf = (port: typeof owed) => port.protocol ?? 'TCP';
  const twin = ports.find((port) => port.port === owed.port && port.nodePort && protocolOf(port) !== protocolOf(owed));
  return { index, ...(twin?.nodePort ? { known: twin.nodePort } : {}) };
}

export function withNodePort(service: Service, index: number, nodePort: number): Service {
  const ports = service.spec.ports?.map((port, at) => (at === index ? { ...port, nodePort } : port));
  return { ...service, spec: { ...service.spec, ...(ports ? { ports } : {}) } };
}
