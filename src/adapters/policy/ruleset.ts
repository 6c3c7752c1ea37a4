import { createHash } from 'node:crypto';
import { contains, formatCidr, type Network, parseCidr } from '../../lib/cidr.ts';
import type { ConnectionRule, PeerNetwork, PodRules, PolicyRules, PolicyState, PortRange } from './port.ts';

/** The table's changing part, as names and lines of nft(8). Chains never change: their names are made from what is in them. */
export interface Ruleset {
  /** By direction: pod address → its chain. */
  readonly pods: Readonly<Record<Direction, ReadonlyMap<string, string>>>;
  /** Chain → its rules. Those of policies come before those of pods, which jump to them. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** Set → what is in it; the type follows from the name. */
  readonly sets: ReadonlyMap<string, ReadonlySet<string>>;
}

export type Direction = 'ingress' | 'egress';
export const directions: readonly Direction[] = ['egress', 'ingress'];

export const emptyRuleset: Ruleset = {
  pods: { ingress: new Map(), egress: new Map() },
  chains: new Map(),
  sets: new Map(),
};

const groupPrefix = 'g_';
const endpointsPrefix = 'n_';

export function setTypeOf(name: string): string {
  return name.startsWith(groupPrefix) ? 'ipv4_addr' : 'ipv4_addr . inet_proto . inet_service';
}

/** An element as nft(8) writes it; those of groups are addresses already. */
export function renderElement(member: string): string {
  const [address = '', protocol, port] = member.split(' ');
  return protocol === undefined ? address : `${address} . ${protocol.toLowerCase()} . ${port}`;
}

/** The rules of a state; sets that no rule names are left out. Pure. */
export function rulesetOf(state: PolicyState): Ruleset {
  const pods = { ingress: new Map<string, string>(), egress: new Map<string, string>() };
  const policyChains = new Map<string, readonly string[]>();
  const podChains = new Map<string, readonly string[]>();
  const sets = new Map<string, ReadonlySet<string>>();

  const policyChain = (policy: PolicyRules, direction: Direction): string => {
    const lines = policy.rules.flatMap((rule) => renderRule(rule, direction));
    const name = `r_${hashOf(lines)}`;
    policyChains.set(name, lines);
    for (const { peer } of policy.rules) {
      if (peer.type === 'group') sets.set(`${groupPrefix}${peer.group}`, state.groups.get(peer.group) ?? none);
      if (peer.type === 'endpoints') {
        sets.set(`${endpointsPrefix}${peer.endpoints}`, state.endpoints.get(peer.endpoints) ?? none);
      }
    }
    return name;
  };
  const podChain = (policies: readonly PolicyRules[], direction: Direction): string => {
    const names = [...new Set(policies.map((policy) => policyChain(policy, direction)))].sort();
    const lines = [...names.map((name) => `jump ${name}`), 'counter drop'];
    const name = `p_${hashOf(lines)}`;
    podChains.set(name, lines);
    return name;
  };
  const add = (address: string, rules: PodRules, direction: Direction) => {
    const policies = rules[direction];
    if (policies) pods[direction].set(address, podChain(policies, direction));
  };
  for (const [address, rules] of state.pods) for (const direction of directions) add(address, rules, direction);
  return { pods, chains: new Map([...policyChains, ...podChains]), sets };
}

const none: ReadonlySet<string> = new Set();

/** Lines that accept what the rule allows. */
function renderRule({ peer, ports }: ConnectionRule, direction: Direction): string[] {
  const side = direction === 'ingress' ? 'ip saddr' : 'ip daddr';
  if (peer.type === 'endpoints') {
    const within = peer.within ? renderNetwork(peer.within, side) : '';
    return [`${within}ip daddr . meta l4proto . th dport @${endpointsPrefix}${peer.endpoints} accept`];
  }
  let match = '';
  if (peer.type === 'group') match = `${side} @${groupPrefix}${peer.group} `;
  if (peer.type === 'network') match = renderNetwork(peer, side);
  return renderPorts(ports).map((portMatch) => `${match}${portMatch}accept`);
}

function renderNetwork({ cidr, except }: PeerNetwork, side: string): string {
  const network = cidr === '0.0.0.0/0' ? '' : `${side} ${cidr} `;
  return except.length === 0 ? network : `${network}${side} != { ${outermost(except).join(', ')} } `;
}

/** Networks without those that lie in another one: nft(8) refuses a set of overlapping ones. */
function outermost(cidrs: readonly string[]): string[] {
  const found = new Map<string, Network>();
  for (const cidr of cidrs) {
    const network = parseCidr(cidr);
    if (network) found.set(formatCidr(network), network);
  }
  const all = [...found];
  const holds = (a: Network, b: Network) => a.prefixLength < b.prefixLength && contains(a, b.first);
  return all.filter(([, one]) => !all.some(([, other]) => holds(other, one))).map(([text]) => text);
}

/** One match a protocol; none for no ports at all. */
function renderPorts(ports: readonly PortRange[] | undefined): string[] {
  if (ports === undefined) return [''];
  return (['TCP', 'UDP', 'SCTP'] as const).flatMap((protocol) => {
    const own = ports.filter((one) => one.protocol === protocol);
    if (own.length === 0) return [];
    const word = protocol.toLowerCase();
    if (own.some((one) => one.first === undefined)) return [`meta l4proto ${word} `];
    return [`${word} dport { ${mergedRanges(own).join(', ')} } `];
  });
}

/** nft(8) refuses ranges that overlap. */
function mergedRanges(ports: readonly PortRange[]): string[] {
  const ranges = ports
    .map(({ first = 0, last = first }) => ({ first, last }))
    .sort((a, b) => a.first - b.first || a.last - b.last);
  const merged: { first: number; last: number }[] = [];
  for (const { first, last } of ranges) {
    const before = merged.at(-1);
    if (before && first <= before.last + 1) before.last = Math.max(before.last, last);
    else merged.push({ first, last });
  }
  return merged.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
}

function hashOf(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 20);
}
