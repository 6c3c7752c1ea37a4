/**
 * Which pods a NetworkPolicy names as peers, as AddressGroups: the leader finds the pods of each and writes their addresses,
 * nodes read them, and need to know no pods but their own. Policies that name the same pods share a group.
 */
import { createHash } from 'node:crypto';
import type { LabelSelector, LabelSelectorRequirement } from 'kubernetes-types/meta/v1.js';
import type { IPBlock, NetworkPolicyPeer, NetworkPolicyPort } from 'kubernetes-types/networking/v1.js';
import type { NetworkPolicy, Pod } from './kinds.ts';
import { annotations } from './names.ts';
import type { ApiObject } from './object.ts';

/** One part of the addresses of a group. Written by the address group controller only; read by agents. */
export interface AddressGroup extends ApiObject {
  spec: AddressGroupSpec;
  /** Pods with the same named ports stand together. */
  subsets?: AddressSubset[];
}

export interface AddressGroupSpec extends GroupSelector {
  /** From 0; part 0 is always there. */
  part: number;
}

/** Exactly one of `namespace`, `namespaceSelector` and `hosts` is there. */
export interface GroupSelector {
  /** Pods of this namespace. */
  namespace?: string;
  /** Pods of the namespaces with these labels. */
  namespaceSelector?: LabelSelector;
  /** Of those, the ones with these labels; absent: all. */
  podSelector?: LabelSelector;
  /** The hosts themselves, by the address with which they call pods. */
  hosts?: true;
}

export interface AddressSubset {
  /** Sorted. */
  addresses: string[];
  ports?: NamedPort[];
}

export interface NamedPort {
  name: string;
  protocol: string;
  port: number;
}

/** The hosts: a stack that is isolated lets them in, since what they balance comes from them. */
export const hostsSelector: GroupSelector = { hosts: true };

/** The pods that a peer names; undefined for an `ipBlock`. */
export function selectorOfPeer(namespace: string, peer: NetworkPolicyPeer): GroupSelector | undefined {
  if (!peer.podSelector && !peer.namespaceSelector) return undefined;
  const podSelector = peer.podSelector && normalised(peer.podSelector);
  return {
    ...(peer.namespaceSelector ? { namespaceSelector: normalised(peer.namespaceSelector) } : { namespace }),
    ...(podSelector?.matchExpressions ? { podSelector } : {}),
  };
}

/** Every pod: any of them may have the named port that is meant. */
const anyPod: GroupSelector = { namespaceSelector: {} };

/** Whose named ports an egress rule is about; for everywhere and for addresses, those of all pods. Empty without named ports. */
export function namedPortPeers(
  namespace: string,
  rule: { to?: NetworkPolicyPeer[]; ports?: NetworkPolicyPort[] },
): { readonly selector: GroupSelector; readonly ipBlock?: IPBlock }[] {
  if (!rule.ports?.some((one) => typeof one.port === 'string')) return [];
  if (!rule.to?.length) return [{ selector: anyPod }];
  return rule.to.map((peer) => ({
    selector: selectorOfPeer(namespace, peer) ?? anyPod,
    ...(peer.ipBlock ? { ipBlock: peer.ipBlock } : {}),
  }));
}

/** The groups that a policy uses, by their names. */
export function groupsOf(policy: NetworkPolicy): Map<string, GroupSelector> {
  const found = new Map<string, GroupSelector>();
  const add = (selector: GroupSelector | undefined) => selector && found.set(groupNameOf(selector), selector);
  const namespace = policy.metadata.namespace ?? '';
  const { ingress = [], egress = [] } = policy.spec;
  if (policyConcerns(policy, 'Ingress')) {
    for (const rule of ingress) for (const peer of rule.from ?? []) add(selectorOfPeer(namespace, peer));
    if (allowsHosts(policy)) add(hostsSelector);
  }
  if (policyConcerns(policy, 'Egress')) {
    for (const rule of egress) {
      for (const peer of rule.to ?? []) add(selectorOfPeer(namespace, peer));
      for (const { selector } of namedPortPeers(namespace, rule)) add(selector);
    }
  }
  return found;
}

export function policyConcerns(policy: NetworkPolicy, type: 'Ingress' | 'Egress'): boolean {
  return policy.spec.policyTypes?.includes(type) ?? type === 'Ingress';
}

/** Hosts may connect to its pods, on all ports. */
export function allowsHosts(policy: NetworkPolicy): boolean {
  return policy.metadata.annotations?.[annotations.fromHosts] === 'true';
}

/** Ports of a pod that have a name, its sidecars' too; sorted. */
export function namedPortsOf({ spec }: Pod): NamedPort[] {
  const sidecars = spec.initContainers?.filter((one) => one.restartPolicy === 'Always') ?? [];
  const ports = [...spec.containers, ...sidecars].flatMap((one) => one.ports ?? []);
  return ports
    .flatMap(({ name, protocol = 'TCP', containerPort: port }) => (name ? [{ name, protocol, port }] : []))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.port - b.port));
}

/** The same for selectors that mean the same: 20 hexadecimal digits. */
export function groupNameOf({ namespace, namespaceSelector, podSelector, hosts }: GroupSelector): string {
  const parts = [namespace ?? null, namespaceSelector ?? null, podSelector ?? null, hosts ?? null];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 20);
}

export function partName(group: string, part: number): string {
  return `${group}-${part}`;
}

/** One form for all selectors that mean the same: terms sorted, each once. Empty: `{}`. */
function normalised(selector: LabelSelector): LabelSelector {
  const equal = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
    key,
    operator: 'In',
    values: [value],
  }));
  const terms = new Map<string, LabelSelectorRequirement>();
  for (const { key, operator, values = [] } of [...equal, ...(selector.matchExpressions ?? [])]) {
    const unique = [...new Set(values)].sort();
    const term = { key, operator, ...(unique.length > 0 ? { values: unique } : {}) };
    terms.set(JSON.stringify(term), term);
  }
  const sorted = [...terms].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, term]) => term);
  return sorted.length > 0 ? { matchExpressions: sorted } : {};
}
