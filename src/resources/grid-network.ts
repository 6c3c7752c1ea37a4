import {
  type AddressRange,
  formatIPv4,
  isExactCidr,
  overlaps,
  parseAddressRange,
  parseCidr,
  sizeOf,
} from '../lib/cidr.ts';
import { invalid, notSupported } from './field-errors.ts';
import { jsonEqual } from './json.ts';
import type { FieldError } from './schema.ts';

export const overlayBackends = ['wireguard', 'vxlan', 'host-gw'] as const;
export type OverlayBackend = (typeof overlayBackends)[number];

/** Addresses of a grid, and how its nodes reach each other: what a Grid object says, with everything it leaves out. */
export interface GridNetwork {
  /** All pod addresses, CIDR. Each node has a part of it. */
  readonly podRange: string;
  /** Of each node's part. */
  readonly nodePrefixLength: number;
  /** All virtual addresses of Service objects, CIDR. */
  readonly serviceRange: string;
  /** `30000-32767`. */
  readonly nodePortRange: string;
  readonly overlay: OverlayBackend;
  /** UDP; nodes listen on it. */
  readonly overlayPort: number;
  /** CIDRs: nodes whose addresses are in the same one route plainly. */
  readonly trustedSubnets: readonly string[];
  /** CIDRs, addresses, or `a-b`: addresses of Service objects of type LoadBalancer. */
  readonly loadBalancerPool: readonly string[];
}

/** As it is written in `Grid.spec.network`. */
export type GridNetworkSpec = {
  -readonly [Field in keyof GridNetwork]?: GridNetwork[Field] extends readonly string[] ? string[] : GridNetwork[Field];
};

export const defaultGridNetwork = {
  podRange: '10.80.0.0/12',
  nodePrefixLength: 24,
  serviceRange: '10.96.0.0/16',
  nodePortRange: '30000-32767',
  overlay: 'wireguard',
} as const;

const defaultOverlayPorts: Readonly<Record<OverlayBackend, number>> = {
  wireguard: 51_820,
  vxlan: 8_472,
  'host-gw': 51_820, // unused until the backend is another one
};

/** What holds for a grid; absent: one whose object says nothing about its network. */
export function gridNetworkOf(spec: GridNetworkSpec | undefined): GridNetwork {
  const overlay = spec?.overlay ?? defaultGridNetwork.overlay;
  return {
    podRange: spec?.podRange ?? defaultGridNetwork.podRange,
    nodePrefixLength: spec?.nodePrefixLength ?? defaultGridNetwork.nodePrefixLength,
    serviceRange: spec?.serviceRange ?? defaultGridNetwork.serviceRange,
    nodePortRange: spec?.nodePortRange ?? defaultGridNetwork.nodePortRange,
    overlay,
    overlayPort: spec?.overlayPort ?? defaultOverlayPorts[overlay],
    trustedSubnets: spec?.trustedSubnets ?? [],
    loadBalancerPool: spec?.loadBalancerPool ?? [],
  };
}

/** The address of `default/kubernetes`, as everywhere: the first of the service range. */
export function apiServiceAddress({ serviceRange }: Pick<GridNetwork, 'serviceRange'>): string {
  const range = parseCidr(serviceRange);
  if (!range) throw new Error(`service range ${serviceRange} is no network`);
  return formatIPv4(range.first + 1);
}

/** Fields that hold for ever: addresses in use cannot follow. */
export const immutableNetworkFields = ['podRange', 'nodePrefixLength', 'serviceRange', 'nodePortRange'] as const;

const shortestPodPrefix = 8;
/** A node needs its gateway and at least a few pods. */
const longestNodePrefix = 28;
const shortestServicePrefix = 12;
const longestServicePrefix = 28;

/** What is wrong with a network that a Grid object describes; defaults hold for what it leaves out. */
export function gridNetworkErrors(spec: GridNetworkSpec, path: string): FieldError[] {
  const network = gridNetworkOf(spec);
  const errors: FieldError[] = [];
  const at = (field: keyof GridNetwork) => `${path}.${field}`;
  const podRange = readCidr(network.podRange, at('podRange'), errors);
  const serviceRange = readCidr(network.serviceRange, at('serviceRange'), errors);
  const { nodePrefixLength } = network;
  if (podRange && podRange.prefixLength < shortestPodPrefix) {
    errors.push(invalid(at('podRange'), network.podRange, `may be /${shortestPodPrefix} at the most`));
  }
  if (podRange && (nodePrefixLength < podRange.prefixLength || nodePrefixLength > longestNodePrefix)) {
    const bounds = `must be between ${podRange.prefixLength}, that of the pod range, and ${longestNodePrefix}, inclusive`;
    errors.push(invalid(at('nodePrefixLength'), nodePrefixLength, bounds));
  }
  if (serviceRange) {
    const { prefixLength } = serviceRange;
    if (prefixLength < shortestServicePrefix || prefixLength > longestServicePrefix) {
      const bounds = `must be between /${shortestServicePrefix} and /${longestServicePrefix}`;
      errors.push(invalid(at('serviceRange'), network.serviceRange, bounds));
    }
  }
  if (podRange && serviceRange && overlaps(podRange, serviceRange)) {
    errors.push(invalid(at('serviceRange'), network.serviceRange, `overlaps the pod range ${network.podRange}`));
  }
  if (!parsePortRange(network.nodePortRange)) {
    errors.push(invalid(at('nodePortRange'), network.nodePortRange, portRangeProblem));
  }
  if (!overlayBackends.includes(network.overlay)) {
    errors.push(notSupported(at('overlay'), network.overlay, overlayBackends));
  }
  for (const [index, subnet] of network.trustedSubnets.entries()) {
    readCidr(subnet, `${at('trustedSubnets')}[${index}]`, errors);
  }
  errors.push(...poolErrors(network, at('loadBalancerPool')));
  return errors;
}

const exactCidrProblem = 'must be an IPv4 network with its first address, such as 10.80.0.0/12';
const portRangeProblem = 'must be two ports from 1 to 65535 with - between them, such as 30000-32767';
const poolProblem = 'must be IPv4 addresses: 10.0.8.0/24, 10.0.8.10-10.0.8.20 or 10.0.8.7';
/** More is a mistake: every address of it is answered for. */
const largestPool = 65_536;

function readCidr(text: string, path: string, errors: FieldError[]) {
  const network = isExactCidr(text) ? parseCidr(text) : undefined;
  if (!network) errors.push(invalid(path, text, exactCidrProblem));
  return network;
}

function poolErrors({ loadBalancerPool, podRange, serviceRange }: GridNetwork, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const known: { readonly what: string; readonly range: AddressRange }[] = [];
  const own = [
    ['the pod range', podRange],
    ['the service range', serviceRange],
  ] as const;
  for (const [what, text] of own) {
    const range = parseCidr(text);
    if (range) known.push({ what: `${what} ${text}`, range });
  }
  for (const [index, text] of loadBalancerPool.entries()) {
    const at = `${path}[${index}]`;
    const range = parseAddressRange(text);
    if (!range) {
      errors.push(invalid(at, text, poolProblem));
      continue;
    }
    if (sizeOf(range) > largestPool) errors.push(invalid(at, text, `has more than ${largestPool} addresses`));
    const other = known.find((one) => overlaps(one.range, range));
    if (other) errors.push(invalid(at, text, `overlaps ${other.what}`));
    known.push({ what: text, range });
  }
  return errors;
}

/** What cannot change about a network once it is set. */
export function gridNetworkChangeErrors(next: GridNetworkSpec, old: GridNetworkSpec, path: string): FieldError[] {
  return immutableNetworkFields.flatMap((field) => {
    const isFree = old[field] === undefined || jsonEqual(next[field], old[field]);
    return isFree ? [] : [invalid(`${path}.${field}`, next[field], 'field is immutable')];
  });
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** `30000-32767`; undefined when it is none. */
export function parsePortRange(text: string): PortRange | undefined {
  const found = /^([1-9]\d{0,4})-([1-9]\d{0,4})$/.exec(text);
  const [first, last] = [Number(found?.[1]), Number(found?.[2])];
  return found && first <= last && last <= 65_535 ? { first, last } : undefined;
}
