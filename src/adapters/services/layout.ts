import { hostAddresses } from './ipv4.ts';
import type { ServiceState } from './port.ts';

/**
 * What stands in the kernel before any service does (docs/adr/0023): maps from what is called to a chain, and from what is
 * called and a number to an endpoint. Three kinds of front have a set of maps each:
 * `vip` an address and a port, `any` an address alone, `node` a port on every address of the host.
 */
export const tableName = 'flotilla_services';

export type FrontKind = 'vip' | 'any' | 'node';

interface KindLayout {
  /** What is looked up. */
  readonly key: string;
  /** What must hold before a lookup. 127.0.0.1 is left out: it would need route_localnet, which opens what is bound to it. */
  readonly guard: string;
}

const kinds: Readonly<Record<FrontKind, KindLayout>> = {
  vip: { key: 'ip daddr . meta l4proto . th dport', guard: '' },
  any: { key: 'ip daddr', guard: '' },
  node: { key: 'meta l4proto . th dport', guard: 'fib daddr type local ip daddr != 127.0.0.0/8 ' },
};

/**
 * Endpoints have a map for each protocol: with one for both, nft 1.0.6 takes rules that use it only in the transaction that
 * makes it ("conflicting protocols specified: tcp vs. th").
 */
export type EndpointGroup = 'vip_tcp' | 'vip_udp' | 'any' | 'node_tcp' | 'node_udp';

interface GroupLayout {
  /** What is looked up, beside a number. */
  readonly key: string;
  readonly endpoint: string;
  /** The rule's first words. */
  readonly match: string;
}

const groups: Readonly<Record<EndpointGroup, GroupLayout>> = {
  vip_tcp: { key: 'ip daddr . tcp dport', endpoint: 'ip daddr . tcp dport', match: 'meta l4proto tcp ' },
  vip_udp: { key: 'ip daddr . udp dport', endpoint: 'ip daddr . udp dport', match: 'meta l4proto udp ' },
  any: { key: 'ip daddr', endpoint: 'ip daddr', match: '' },
  node_tcp: { key: 'tcp dport', endpoint: 'ip daddr . tcp dport', match: 'meta l4proto tcp ' },
  node_udp: { key: 'udp dport', endpoint: 'ip daddr . udp dport', match: 'meta l4proto udp ' },
};
const kindNames: readonly FrontKind[] = ['vip', 'any', 'node'];
const addressed: readonly FrontKind[] = ['vip', 'any'];

/** Endpoints for clients outside, where these differ, are numbered from here; no list is longer. */
export const outsideOffset = 32_768;

/** `inside` takes what pods and the host send, and everything where clients outside are not told apart. */
export type Side = 'inside' | 'outside';

export type Frame = Pick<ServiceState, 'podRange' | 'serviceRange' | 'self'>;

export function isSameFrame(one: Frame, other: Frame): boolean {
  return (
    one.podRange === other.podRange &&
    one.serviceRange === other.serviceRange &&
    one.self.podCIDR === other.self.podCIDR &&
    one.self.gateway === other.self.gateway &&
    one.self.bridgeName === other.self.bridgeName
  );
}

/** Chains of the frame with the number of their rules, for finding out whether somebody took one away. */
export const frameChains: ReadonlyMap<string, number> = new Map([
  ['refuse', 2],
  ['restricted', 2],
  ['inside', 3],
  ['outside', 3],
  ['prerouting', 3],
  ['output', 2],
  ['postrouting', 3],
  ['refused', 2],
  ['input', 2],
  ['forward', 2],
  ['filter_output', 2],
]);

/**
 * The empty table. Source addresses are kept wherever the answer comes back this way by itself; otherwise they become the
 * gateway's, which the other hosts accept as a pod's (a node's own address they would not).
 */
export function renderFrame(frame: Frame): string {
  const { podRange, serviceRange, self } = frame;
  // nft cannot compare a packet's two addresses, so all pairs of one address with itself are listed.
  const pairs = hostAddresses(self.podCIDR).map((address) => `${address} . ${address}`);
  const lookup = (kind: FrontKind, map: string) => `${kinds[kind].guard}${kinds[kind].key} vmap @${map}`;
  return `table ip ${tableName} {
${kindNames.map(renderMaps).join('')}${Object.entries(groups).map(renderEndpoints).join('')}${addressed.map(renderRestriction).join('')}  set foreign { type ipv4_addr; }
  set hairpin { typeof ip saddr . ip daddr; elements = { ${pairs.join(', ')} }; }
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject
  }
  chain restricted {
${addressed.map((kind) => `    ${kinds[kind].key} @${kind}_restricted ${kinds[kind].key} . ip saddr != @${kind}_allowed drop\n`).join('')}  }
  chain inside {
${kindNames.map((kind) => `    ${lookup(kind, kind)}\n`).join('')}  }
  chain outside {
${kindNames.map((kind) => `    ${lookup(kind, `${kind}_outside`)}\n`).join('')}  }
  chain prerouting {
    type nat hook prerouting priority dstnat - 5; policy accept;
    jump restricted
    ip saddr != ${podRange} fib saddr type != local jump outside
    jump inside
  }
  chain output {
    type nat hook output priority -105; policy accept;
    jump restricted
    jump inside
  }
  chain postrouting {
    type nat hook postrouting priority srcnat - 5; policy accept;
    ct status dnat ip saddr . ip daddr @hairpin snat to ${self.gateway}
    ct status dnat ip saddr != ${self.podCIDR} ip daddr ${podRange} ip daddr != ${self.podCIDR} snat to ${self.gateway}
    ct status dnat ip daddr @foreign masquerade
  }
  chain refused {
${addressed.map((kind) => `    ${kinds[kind].key} @${kind}_refused goto refuse\n`).join('')}  }
  chain input {
    type filter hook input priority filter - 5; policy accept;
    ct state new ip daddr != 127.0.0.0/8 ${kinds.node.key} @node_refused goto refuse
    ct state new jump refused
  }
  chain forward {
    type filter hook forward priority filter - 5; policy accept;
    ip daddr ${serviceRange} goto refuse
    ct state new jump refused
  }
  chain filter_output {
    type filter hook output priority filter - 5; policy accept;
    ip daddr ${serviceRange} goto refuse
    ct state new jump refused
  }
}
`;
}

function renderMaps(kind: FrontKind): string {
  const { key } = kinds[kind];
  return `  map ${kind} { typeof ${key} : verdict; }
  map ${kind}_outside { typeof ${key} : verdict; }
  set ${kind}_refused { typeof ${key}; }
`;
}

function renderEndpoints([group, { key, endpoint }]: [string, GroupLayout]): string {
  return `  map ${group}_endpoints { typeof ${key} . numgen random mod 2 : ${endpoint}; }\n`;
}

function renderRestriction(kind: FrontKind): string {
  const { key } = kinds[kind];
  return `  set ${kind}_restricted { typeof ${key}; }
  set ${kind}_allowed { typeof ${key} . ip saddr; flags interval; }
`;
}

/** The chain that picks one of `count` endpoints, whoever was called. */
export function countChain(group: EndpointGroup, side: Side, count: number): string {
  return `${group}_${side}_${count}`;
}

/** Its only rule. */
export function renderPick(group: EndpointGroup, side: Side, count: number): string {
  const { key, match } = groups[group];
  const number = `numgen random mod ${count}${side === 'outside' ? ` offset ${outsideOffset}` : ''}`;
  return `${match}dnat ip to ${key} . ${number} map @${group}_endpoints`;
}
