import { contains, formatCidr, type Network, parseCidr } from '../../lib/cidr.ts';
import type { Node } from '../../resources/kinds.ts';
import { nodeConditions } from '../../resources/names.ts';

export type NodeRangeStep =
  | { readonly type: 'assign'; readonly node: Node; readonly podCIDR: string }
  /** The range is used up: said on the node, tried again when a node goes. */
  | { readonly type: 'exhausted'; readonly node: Node; readonly reason: string }
  /** It has a share now, and still says that there is none. */
  | { readonly type: 'supplied'; readonly node: Node };

export interface NodeRangeObservation {
  readonly nodes: readonly Node[];
  /** IPv4 CIDR that all shares are cut from. */
  readonly podRange: string;
  readonly nodePrefixLength: number;
  /** Shares given by own writes that the nodes do not show yet, by node name. */
  readonly given: ReadonlyMap<string, string>;
  /** Shares of nodes that are gone, by node name, the one that went last at the end: they have them back when they return. */
  readonly former?: ReadonlyMap<string, string>;
}

/**
 * A share of the pod range for each node that has none: the one it had before it was removed, if that is free; else the lowest
 * that nobody had; else the one whose node has been gone for longest. Oldest node first. The share of a host that was away
 * belongs to its Node object all the time.
 */
export function planNodeRanges(observed: NodeRangeObservation): NodeRangeStep[] {
  const { nodes, podRange, nodePrefixLength, given, former = new Map<string, string>() } = observed;
  const range = parseRange(podRange, nodePrefixLength);
  const used = new Set<number>();
  for (const node of nodes) {
    for (const cidr of sharesOf(node, given)) for (const index of indexesOf(cidr, range)) used.add(index);
  }
  const remembered = new Map<string, number>();
  for (const [name, cidr] of former) {
    const [index, ...more] = indexesOf(cidr, range);
    if (index !== undefined && more.length === 0) remembered.set(name, index);
  }
  const spoken = new Set(remembered.values());
  let next = 0;
  const unused = (): number | undefined => {
    while (used.has(next) || spoken.has(next)) next += 1;
    return next < range.count ? next : [...remembered.values()].find((index) => !used.has(index));
  };
  const steps: NodeRangeStep[] = [];
  for (const node of [...nodes].sort(byAge)) {
    if (sharesOf(node, given).length > 0) {
      if (node.spec.podCIDRs?.length && saysExhausted(node)) steps.push({ type: 'supplied', node });
      continue;
    }
    if (node.metadata.deletionTimestamp) continue;
    const own = remembered.get(node.metadata.name);
    const index = own !== undefined && !used.has(own) ? own : unused();
    if (index === undefined) {
      const reason = `no share of the pod range ${podRange} is left for it: all ${range.count} /${nodePrefixLength} networks are in use`;
      steps.push({ type: 'exhausted', node, reason });
      continue;
    }
    used.add(index);
    const first = range.network.first + index * range.size;
    steps.push({ type: 'assign', node, podCIDR: formatCidr({ first, prefixLength: nodePrefixLength }) });
  }
  return steps;
}

export function saysExhausted(node: Node): boolean {
  const condition = node.status?.conditions?.find((one) => one.type === nodeConditions.podRangeExhausted);
  return condition?.status === 'True';
}

interface Range {
  readonly network: Network;
  /** Addresses in one share. */
  readonly size: number;
  readonly count: number;
}

function parseRange(cidr: string, nodePrefixLength: number): Range {
  const network = parseCidr(cidr);
  if (!network || network.prefixLength > nodePrefixLength || nodePrefixLength > 30) {
    throw new Error(`node range: cannot cut /${nodePrefixLength} networks from ${cidr}`);
  }
  return { network, size: 2 ** (32 - nodePrefixLength), count: 2 ** (nodePrefixLength - network.prefixLength) };
}

/** Which shares a network touches; one of another size or from outside takes what it overlaps. */
function indexesOf(cidr: string, { network, size, count }: Range): number[] {
  const taken = parseCidr(cidr.includes('/') ? cidr : `${cidr}/32`);
  if (!taken || (!contains(network, taken.first) && !contains(taken, network.first))) return [];
  const first = Math.max(0, Math.floor((taken.first - network.first) / size));
  const last = Math.min(count - 1, Math.floor((taken.last - network.first) / size));
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

function sharesOf(node: Node, given: ReadonlyMap<string, string>): readonly string[] {
  const own = node.spec.podCIDRs ?? (node.spec.podCIDR ? [node.spec.podCIDR] : []);
  if (own.length > 0) return own;
  const pending = given.get(node.metadata.name);
  return pending === undefined ? [] : [pending];
}

function byAge(a: Node, b: Node): number {
  const [ofA, ofB] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (ofA !== ofB) return ofA < ofB ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
