import type { Node } from '../../resources/kinds.ts';

export type NodeRangeStep =
  | { readonly type: 'assign'; readonly node: Node; readonly podCIDR: string }
  /** The range is used up: said on the node, tried again when a node goes. */
  | { readonly type: 'exhausted'; readonly node: Node; readonly reason: string };

export interface NodeRangeObservation {
  readonly nodes: readonly Node[];
  /** IPv4 CIDR that all shares are cut from. */
  readonly podRange: string;
  readonly nodePrefixLength: number;
  /** Shares given by own writes that the nodes do not show yet, by node name. */
  readonly given: ReadonlyMap<string, string>;
}

/**
 * A share of the pod range for each node that has none: the lowest that is free, oldest node first. A share belongs to
 * its Node object: a host that comes back has it still, since the object stays.
 */
export function planNodeRanges(observed: NodeRangeObservation): NodeRangeStep[] {
  const { nodes, podRange, nodePrefixLength, given } = observed;
  const range = parseRange(podRange, nodePrefixLength);
  const used = new Set<number>();
  for (const node of nodes) {
    for (const cidr of sharesOf(node, given)) for (const index of indexesOf(cidr, range)) used.add(index);
  }
  const waiting = nodes
    .filter((node) => sharesOf(node, given).length === 0 && !node.metadata.deletionTimestamp)
    .sort(byAge);
  let next = 0;
  return waiting.map((node) => {
    while (used.has(next)) next += 1;
    if (next >= range.count) {
      const reason = `no share of the pod range ${podRange} is left for it: all ${range.count} /${nodePrefixLength} networks are in use`;
      return { type: 'exhausted', node, reason };
    }
    used.add(next);
    return { type: 'assign', node, podCIDR: `${textOf(range.base + next * range.size)}/${nodePrefixLength}` };
  });
}

interface Range {
  readonly base: number;
  /** Addresses in one share. */
  readonly size: number;
  readonly count: number;
}

function parseRange(cidr: string, nodePrefixLength: number): Range {
  const [address = '', length = ''] = cidr.split('/');
  const prefix = Number.parseInt(length, 10);
  const base = numberOf(address);
  if (base === undefined || !(prefix >= 0 && prefix <= nodePrefixLength && nodePrefixLength <= 30)) {
    throw new Error(`node range: cannot cut /${nodePrefixLength} networks from ${cidr}`);
  }
  const mask = 2 ** (32 - prefix);
  return { base: base - (base % mask), size: 2 ** (32 - nodePrefixLength), count: 2 ** (nodePrefixLength - prefix) };
}

/** Which shares a network touches; one of another size or from outside takes what it overlaps. */
function indexesOf(cidr: string, range: Range): number[] {
  const [address = '', length = '32'] = cidr.split('/');
  const start = numberOf(address);
  if (start === undefined) return [];
  const end = start + 2 ** (32 - Number.parseInt(length, 10)) - 1;
  const first = Math.max(0, Math.floor((start - range.base) / range.size));
  const last = Math.min(range.count - 1, Math.floor((end - range.base) / range.size));
  return last < first ? [] : Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

function sharesOf(node: Node, given: ReadonlyMap<string, string>): readonly string[] {
  const own = node.spec.podCIDRs ?? (node.spec.podCIDR ? [node.spec.podCIDR] : []);
  if (own.length > 0) return own;
  const pending = given.get(node.metadata.name);
  return pending === undefined ? [] : [pending];
}

function numberOf(address: string): number | undefined {
  const parts = address.split('.').map((part) => Number.parseInt(part, 10));
  if (parts.length !== 4 || parts.some((part) => !(part >= 0 && part <= 255))) return undefined;
  return parts.reduce((total, part) => total * 256 + part, 0);
}

function textOf(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

function byAge(a: Node, b: Node): number {
  const [ofA, ofB] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (ofA !== ofB) return ofA < ofB ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
