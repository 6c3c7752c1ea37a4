import type { Condition } from 'kubernetes-types/meta/v1.js';
import { parseIPv4 } from '../../lib/cidr.ts';
import { setCondition } from '../../resources/conditions.ts';
import { isNodeLost, isNodeReady } from '../../resources/failover.ts';
import { targetOf } from '../../resources/ingress-backend.ts';
import { backendsOf, ingressConditions } from '../../resources/ingress-facts.ts';
import { isIngressNode } from '../../resources/ingress-node.ts';
import type { Ingress, Node, Service } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';

export interface IngressObservation {
  readonly ingress: Ingress;
  /** Those that let the world in and are ready. */
  readonly nodes: readonly Node[];
  readonly service: (name: string) => Service | undefined;
  /** What proxies do not do as the object asks for it, by node. */
  readonly told: readonly { readonly node: string; readonly message: string }[];
  readonly nowMs: number;
}

export interface IngressOutcome {
  readonly status: NonNullable<Ingress['status']>;
  /** To be told to people; undefined: nothing new. */
  readonly warning?: { readonly reason: string; readonly message: string };
}

/** Where an Ingress object is reached, and what keeps parts of it from being served. */
export function statusOf(observed: IngressObservation): IngressOutcome {
  const { ingress, nodes, nowMs } = observed;
  const old = ingress.status?.conditions ?? [];
  const served = judge(observed);
  const condition = { type: ingressConditions.served, ...served };
  const was = old.find(({ type }) => type === condition.type);
  const conditions = setCondition<Condition>(old, condition, nowMs);
  const addresses = addressesOf(nodes);
  const isNew = served.status === 'False' && (was?.status !== 'False' || was.message !== served.message);
  return {
    status: {
      ...ingress.status,
      loadBalancer: addresses.length > 0 ? { ingress: addresses.map((ip) => ({ ip })) } : {},
      conditions,
    },
    ...(isNew ? { warning: { reason: served.reason, message: served.message } } : {}),
  };
}

/** So many sentences are told; the rest is a number. */
const maxSentences = 5;

function judge({ ingress, nodes, service, told }: IngressObservation) {
  const missing = new Set(backendProblems(ingress, service));
  const refused = new Map<string, Set<string>>();
  for (const { node, message } of told) {
    if (missing.has(message)) continue;
    const names = refused.get(message) ?? new Set();
    refused.set(message, names.add(node));
  }
  const others = [...refused]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([message, names]) =>
      names.size === nodes.length ? message : `${message} (on ${[...names].sort().join(', ')})`,
    );
  const sentences = [...missing, ...others];
  if (sentences.length > 0) {
    const shown = sentences.slice(0, maxSentences).join('; ');
    const message = sentences.length > maxSentences ? `${shown}; and ${sentences.length - maxSentences} more` : shown;
    return { status: 'False', reason: missing.size > 0 ? 'BackendMissing' : 'NotServed', message };
  }
  if (nodes.length === 0) {
    const how = `flotilla node label NODE ${labels.ingress}=true`;
    return { status: 'False', reason: 'NoIngressNode', message: `no node that is ready lets requests in: ${how}` };
  }
  return { status: 'True', reason: 'Served', message: 'the ingress nodes let requests in as it says' };
}

/** In the words of nodes, who find the same. */
function backendProblems(ingress: Ingress, service: IngressObservation['service']): string[] {
  return backendsOf(ingress).flatMap(({ backend }) => {
    const named = backend.service;
    if (!named) return [];
    const found = service(named.name);
    if (!found) return [`there is no Service ${ingress.metadata.namespace ?? ''}/${named.name}`];
    const target = targetOf(found, named.port ?? {});
    return 'problem' in target ? [target.problem] : [];
  });
}

/** Each node's address for the outside, in the order of numbers. */
function addressesOf(nodes: readonly Node[]): string[] {
  const found = nodes.flatMap(({ status }) => {
    const addresses = status?.addresses ?? [];
    const of = (type: string) => addresses.find((one) => one.type === type)?.address;
    return of('ExternalIP') ?? of('InternalIP') ?? [];
  });
  return [...new Set(found)].sort((a, b) => (parseIPv4(a) ?? 0) - (parseIPv4(b) ?? 0));
}

/** It has the label, is heard, and is not being emptied for good. */
export function letsIn(node: Node): boolean {
  return isIngressNode(node) && isNodeReady(node) && !isNodeLost(node) && !node.metadata.deletionTimestamp;
}
