import type { IPBlock, NetworkPolicyPeer, NetworkPolicyPort } from 'kubernetes-types/networking/v1.js';
import type {
  ConnectionRule,
  PeerNetwork,
  PodRules,
  PolicyRules,
  PolicyState,
  PortRange,
  RulePeer,
} from '../../adapters/policy/port.ts';
import { parseCidr } from '../../lib/cidr.ts';
import {
  allowsHosts,
  groupNameOf,
  hostsSelector,
  type NamedPort,
  namedPortPeers,
  namedPortsOf,
  policyConcerns,
  selectorOfPeer,
} from '../../resources/address-groups.ts';
import type { AddressGroup, NetworkPolicy, Pod } from '../../resources/kinds.ts';
import { matchesSelector } from '../../resources/selectors.ts';
import { endpointsName, GroupMembers } from './group-members.ts';

/** What network policies of a node follow from; objects that are the same (by identity) are taken as unchanged. */
export interface PolicyView {
  /** Pods of this node that have an address of their own, from before their containers start until these are gone. */
  readonly ownPods: Iterable<{ readonly pod: Pod; readonly address: string }>;
  /** All of the grid. */
  readonly policies: Iterable<NetworkPolicy>;
  /** All parts of all groups. */
  readonly groups: Iterable<AddressGroup>;
}

/**
 * Turns policies into what each pod of this node may, as Kubernetes means it: a pod that a policy selects may only what one
 * of its policies allows, in the directions that they are about. Remembers what it gave last: what has not changed is the
 * same object, so that the enforcer sees at once what differs. No effects.
 */
export class PodPolicies {
  readonly #members = new GroupMembers();
  /** Policy → direction and named ports of the pod → its rules. */
  #compiled = new WeakMap<NetworkPolicy, Map<string, PolicyRules>>();
  #last: PolicyState = { pods: new Map(), groups: new Map(), endpoints: new Map() };

  stateOf(view: PolicyView): PolicyState {
    const byNamespace = new Map<string, NetworkPolicy[]>();
    for (const policy of view.policies) {
      const namespace = policy.metadata.namespace ?? '';
      const list = byNamespace.get(namespace);
      if (list) list.push(policy);
      else byNamespace.set(namespace, [policy]);
    }
    const pods = new Map<string, PodRules>();
    for (const { pod, address } of view.ownPods) {
      const policies = byNamespace.get(pod.metadata.namespace ?? '') ?? [];
      const rules = this.#rulesOf(pod, policies);
      if (rules) pods.set(address, sameOr(this.#last.pods.get(address), rules, isSameRules));
    }
    const used = [...pods.values()].flatMap(({ ingress = [], egress = [] }) => [...ingress, ...egress]);
    const { groups, endpoints } = this.#members.of(new Set(used), view.groups);
    this.#last = sameOr(this.#last, { pods, groups, endpoints }, (a, b) =>
      [isSameMap(a.pods, b.pods), isSameMap(a.groups, b.groups), isSameMap(a.endpoints, b.endpoints)].every(Boolean),
    );
    return this.#last;
  }

  #rulesOf(pod: Pod, policies: readonly NetworkPolicy[]): PodRules | undefined {
    const own = policies.filter(({ spec }) => matchesSelector(spec.podSelector ?? {}, pod.metadata.labels));
    if (own.length === 0) return undefined;
    const ports = namedPortsOf(pod);
    const ofDirection = (type: 'Ingress' | 'Egress') => {
      const concerned = own.filter((policy) => policyConcerns(policy, type));
      return concerned.length > 0 ? concerned.map((policy) => this.#compile(policy, type, ports)) : undefined;
    };
    const [ingress, egress] = [ofDirection('Ingress'), ofDirection('Egress')];
    return { ...(ingress ? { ingress } : {}), ...(egress ? { egress } : {}) };
  }

  #compile(policy: NetworkPolicy, type: 'Ingress' | 'Egress', ports: readonly NamedPort[]): PolicyRules {
    const key = `${type} ${type === 'Ingress' ? JSON.stringify(ports) : ''}`;
    const known = this.#compiled.get(policy) ?? new Map<string, PolicyRules>();
    this.#compiled.set(policy, known);
    const found = known.get(key);
    if (found) return found;
    const rules = { rules: type === 'Ingress' ? ingressRules(policy, ports) : egressRules(policy) };
    known.set(key, rules);
    return rules;
  }
}

/** Named ports are those of the pod itself: numbers from here on. */
function ingressRules(policy: NetworkPolicy, named: readonly NamedPort[]): ConnectionRule[] {
  const namespace = policy.metadata.namespace ?? '';
  const rules = (policy.spec.ingress ?? []).flatMap((rule): ConnectionRule[] => {
    const ports = rule.ports?.length ? rule.ports.flatMap((one) => portRanges(one, named)) : undefined;
    return ports?.length === 0
      ? []
      : rulePeers(namespace, rule.from).map((peer) => ({ peer, ...(ports ? { ports } : {}) }));
  });
  if (!allowsHosts(policy)) return rules;
  return [...rules, { peer: { type: 'group', group: groupNameOf(hostsSelector) } }];
}

/** Named ports are those of the peers: addresses with a number each. */
function egressRules(policy: NetworkPolicy): ConnectionRule[] {
  const namespace = policy.metadata.namespace ?? '';
  return (policy.spec.egress ?? []).flatMap((rule): ConnectionRule[] => {
    if (!rule.ports?.length) return rulePeers(namespace, rule.to).map((peer) => ({ peer }));
    const ports = rule.ports.flatMap((one) => portRanges(one, []));
    const numbered = ports.length > 0 ? rulePeers(namespace, rule.to).map((peer) => ({ peer, ports })) : [];
    const named = rule.ports.flatMap(({ port, protocol = 'TCP' }) =>
      typeof port === 'string' ? [{ port, protocol }] : [],
    );
    return [
      ...numbered,
      ...namedPortPeers(namespace, rule).flatMap(({ selector, ipBlock }) => {
        const within = ipBlock && networkOf(ipBlock);
        if (ipBlock && !within) return [];
        return named.map(({ port, protocol }): ConnectionRule => {
          const endpoints = endpointsName(groupNameOf(selector), port, protocol);
          return { peer: { type: 'endpoints', endpoints, ...(within ? { within } : {}) } };
        });
      }),
    ];
  });
}

function rulePeers(namespace: string, peers: readonly NetworkPolicyPeer[] | undefined): RulePeer[] {
  if (!peers?.length) return [{ type: 'anybody' }];
  return peers.flatMap((peer): RulePeer[] => {
    const selector = selectorOfPeer(namespace, peer);
    if (selector) return [{ type: 'group', group: groupNameOf(selector) }];
    const network = peer.ipBlock && networkOf(peer.ipBlock);
    return network ? [{ type: 'network', ...network }] : [];
  });
}

/** Pods have no IPv6 addresses: nobody of such a network calls them, and they call nobody there. */
function networkOf({ cidr, except = [] }: IPBlock): PeerNetwork | undefined {
  return parseCidr(cidr) ? { cidr, except: except.filter((one) => parseCidr(one)) } : undefined;
}

function portRanges({ port, protocol = 'TCP', endPort }: NetworkPolicyPort, named: readonly NamedPort[]): PortRange[] {
  if (protocol !== 'TCP' && protocol !== 'UDP' && protocol !== 'SCTP') return [];
  if (port === undefined) return [{ protocol }];
  if (typeof port === 'number') return [{ protocol, first: port, ...(endPort === undefined ? {} : { last: endPort }) }];
  const own = named.filter((one) => one.name === port && one.protocol === protocol);
  return own.map((one) => ({ protocol, first: one.port }));
}

function sameOr<T>(last: T | undefined, fresh: T, isSame: (a: T, b: T) => boolean): T {
  return last !== undefined && isSame(last, fresh) ? last : fresh;
}

function isSameRules(a: PodRules, b: PodRules): boolean {
  return isSameList(a.ingress, b.ingress) && isSameList(a.egress, b.egress);
}

function isSameList<T>(a: readonly T[] | undefined, b: readonly T[] | undefined): boolean {
  return a === b || (a?.length === b?.length && (a?.every((one, at) => one === b?.[at]) ?? false));
}

function isSameMap<K, V>(a: ReadonlyMap<K, V>, b: ReadonlyMap<K, V>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
