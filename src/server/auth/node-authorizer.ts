import type { BoundObjectReference } from 'kubernetes-types/authentication/v1.js';
import { isIngressNode } from '../../resources/ingress-node.ts';
import { type Kind, resourceNameOf } from '../../resources/kind.ts';
import { basicAuthType, tlsType } from '../../resources/kinds/secret.ts';
import { grids, type Node, nodes, type Pod, volumes } from '../../resources/kinds.ts';
import { labels, nodesGroup, nodeUserPrefix, systemGrid } from '../../resources/names.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { AccessQuestion, PodIndex, User } from '../request.ts';
import { podsUsing } from './pod-references.ts';

export interface NodeAuthorizerOptions {
  readonly pods: PodIndex;
  /** From the cache. */
  readonly find: (grid: string, kind: Kind, namespace: string | undefined, name: string) => ApiObject | undefined;
}

/** Who asks, as a rule sees it. */
interface NodeQuestion {
  readonly nodeName: string;
  readonly attributes: AccessQuestion;
  readonly options: NodeAuthorizerOptions;
}

/** `undefined`: allowed; else why not, in a few words. */
type Rule = (question: NodeQuestion) => string | undefined;

const reads = ['get', 'list', 'watch'];
/** The namespace in which each node keeps its heartbeat Lease, if it does. */
export const nodeLeaseNamespace = 'kube-node-lease';

/** `why` is absent when who asks is no node, or there is nothing to say. */
export type NodeDecision = { readonly isAllowed: true } | { readonly isAllowed: false; readonly why?: string };

/** A node may do what the pods on it need. */
export function decideForNode(options: NodeAuthorizerOptions, user: User, attributes: AccessQuestion): NodeDecision {
  if (!isNode(user)) return { isAllowed: false };
  const rule = nodeRules[resourceNameOf(attributes.kind)];
  if (!rule) return { isAllowed: false };
  const why = rule({ nodeName: user.name.slice(nodeUserPrefix.length), attributes, options });
  return why === undefined ? { isAllowed: true } : { isAllowed: false, why };
}

/** The one thing outside of its grid that a node may read: the settings of its own grid. */
export function isOwnGridRead(
  user: User,
  { grid, verb, kind, name, subresource, fieldSelector }: AccessQuestion,
): boolean {
  const isAboutGrids = grid === systemGrid && resourceNameOf(kind) === resourceNameOf(grids) && !subresource;
  if (!isNode(user) || user.grid === undefined || !isAboutGrids || !reads.includes(verb)) return false;
  return (verb === 'get' ? name : selectedName(fieldSelector)) === user.grid;
}

/** Whether a request may be about that: whose it is shows once it has been read. */
export function isGridPath(user: User, grid: string, pathname: string): boolean {
  return isNode(user) && grid === systemGrid && gridPaths.test(pathname);
}

const gridPaths = /^\/apis\/flotilla\.dev\/v1alpha1\/grids(\/[^/]+)?$/;

function isNode(user: User): boolean {
  return user.groups.includes(nodesGroup) && user.name.startsWith(nodeUserPrefix);
}

const readOnly: Rule = ({ attributes }) =>
  reads.includes(attributes.verb) && !attributes.subresource ? undefined : 'nodes only read it';

const podRule: Rule = ({ nodeName, attributes, options }) => {
  const { verb, grid, namespace, name, subresource, fieldSelector, object } = attributes;
  if (verb === 'list' || verb === 'watch') {
    return selects(fieldSelector, 'spec.nodeName', nodeName)
      ? undefined
      : `a node lists and watches pods with the field selector spec.nodeName=${nodeName}`;
  }
  const isWrite = verb === 'update' || verb === 'patch';
  const isEviction = verb === 'create' && subresource === 'eviction';
  const isAsked = (verb === 'get' && !subresource) || (verb === 'delete' && !subresource) || isEviction || isWrite;
  if (!isAsked || (isWrite && subresource !== 'status')) return 'a node only writes the status of its pods';
  const pod = options.pods.pod(grid, namespace ?? '', name ?? '');
  if (pod?.spec.nodeName !== nodeName) return `it is no pod of node "${nodeName}"`;
  const written = isEviction ? undefined : (object as { spec?: { nodeName?: string } } | undefined);
  return written && written.spec?.nodeName !== nodeName ? 'a node does not move pods' : undefined;
};

const nodeRule: Rule = ({ nodeName, attributes, options }) => {
  const { verb, subresource, name, object, grid } = attributes;
  if (reads.includes(verb) && !subresource) return undefined;
  const isWrite = verb === 'update' || verb === 'patch';
  const isOwnKind = (verb === 'create' && !subresource) || (isWrite && (!subresource || subresource === 'status'));
  if (!isOwnKind) return 'a node does not remove nodes';
  const written = name ?? object?.metadata.name;
  if (written !== undefined && written !== nodeName) return 'a node writes itself only';
  if (!object) return undefined;
  const stored = options.find(grid, nodes as Kind, undefined, nodeName);
  if (object.metadata.labels?.[labels.ingress] !== stored?.metadata.labels?.[labels.ingress]) {
    return `a node does not make itself an ingress node: the label ${labels.ingress} is an operator's`;
  }
  if (!isWrite) return undefined;
  return stored && specOf(stored) !== specOf(object) ? 'a node does not write the spec of nodes' : undefined;
};

/** What a node that lets the world in needs to know of all namespaces of its grid. */
const ingressRule: Rule = (question) => {
  const { verb, subresource } = question.attributes;
  if (!reads.includes(verb) || subresource) return 'nodes only read it';
  return mayLetIn(question) ? undefined : `only nodes with the label ${labels.ingress} read it`;
};

function mayLetIn({ nodeName, attributes, options }: NodeQuestion): boolean {
  return isIngressNode(options.find(attributes.grid, nodes as Kind, undefined, nodeName) as Node | undefined);
}

/** Certificates with their keys, and who may pass a proxy. */
const shownSecretTypes = [tlsType, basicAuthType];

const secretRule: Rule = (question) => {
  const { verb, subresource, fieldSelector } = question.attributes;
  const isShown = shownSecretTypes.some((type) => selects(fieldSelector, 'type', type));
  const isList = (verb === 'list' || verb === 'watch') && !subresource;
  return isList && isShown && mayLetIn(question) ? undefined : referencedRule(question);
};

/** Secrets and ConfigMaps: one at a time, and only what a pod on the node refers to. */
const referencedRule: Rule = ({ nodeName, attributes, options }) => {
  const { verb, kind, grid, namespace, subresource, fieldSelector } = attributes;
  if (!reads.includes(verb) || subresource) return 'nodes only read it';
  const name = verb === 'get' ? attributes.name : selectedName(fieldSelector);
  if (!namespace || !name) return 'a node reads these one by one';
  const isUsed = podsUsing(options.pods.podsOnNode(grid, nodeName), kind.plural, namespace, name);
  return isUsed ? undefined : `no pod on node "${nodeName}" uses it`;
};

const volumeRule: Rule = ({ nodeName, attributes, options }) => {
  const { verb, grid, namespace, name, subresource, fieldSelector, object } = attributes;
  if (verb === 'list' || verb === 'watch') {
    return selects(fieldSelector, 'spec.nodeName', nodeName)
      ? undefined
      : `a node lists and watches volumes with the field selector spec.nodeName=${nodeName}`;
  }
  const isStatusWrite = (verb === 'update' || verb === 'patch') && subresource === 'status';
  const isRelease = verb === 'patch' && !subresource;
  if (!isStatusWrite && !isRelease && verb !== 'get')
    return 'a node only writes the status of its volumes, and lets them go';
  const volume = options.find(grid, volumes as Kind, namespace, name ?? '');
  if (isRelease && volume && !volume.metadata.deletionTimestamp)
    return 'a node lets go only volumes that are being deleted';
  if (isRelease && volume && object && specOf(volume) !== specOf(object)) return 'a node does not move volumes';
  if ((volume as { spec?: { nodeName?: string } } | undefined)?.spec?.nodeName === nodeName) return undefined;
  const isUsed = podsUsing(options.pods.podsOnNode(grid, nodeName), 'volumes', namespace ?? '', name ?? '');
  return isUsed && verb === 'get' ? undefined : `it is no volume of node "${nodeName}"`;
};

const eventRule: Rule = ({ attributes }) =>
  ['create', 'update', 'patch'].includes(attributes.verb) && !attributes.subresource
    ? undefined
    : 'a node only writes events';

const leaseRule: Rule = ({ nodeName, attributes }) => {
  const { verb, namespace, name, object, subresource } = attributes;
  if (!['get', 'create', 'update', 'patch', 'delete'].includes(verb) || subresource)
    return 'a node has its own lease only';
  if (namespace !== nodeLeaseNamespace) return `leases of nodes are in the namespace "${nodeLeaseNamespace}"`;
  const written = name ?? object?.metadata.name;
  if (written === undefined) return verb === 'create' ? undefined : 'a node has its own lease only';
  return written === nodeName ? undefined : 'a node has its own lease only';
};

/** Tokens of service accounts: bound to a pod that runs on the node and uses the account. */
const tokenRule: Rule = ({ nodeName, attributes, options }) => {
  const { verb, grid, namespace, name, subresource, object } = attributes;
  if (verb !== 'create' || subresource !== 'token') return 'a node only asks for tokens of its pods';
  const uses = (pod: Pod) => pod.metadata.namespace === namespace && accountOf(pod) === name;
  if (!object) {
    for (const pod of options.pods.podsOnNode(grid, nodeName)) if (uses(pod)) return undefined;
    return `no pod on node "${nodeName}" uses it`;
  }
  const ref = (object as { spec?: { boundObjectRef?: BoundObjectReference } }).spec?.boundObjectRef;
  if (ref?.kind !== 'Pod' || !ref.name || !ref.uid) return 'node requested token not bound to a pod';
  const pod = options.pods.pod(grid, namespace ?? '', ref.name);
  if (pod?.metadata.uid !== ref.uid) return `node requested token bound to a pod that is not there: ${ref.name}`;
  if (pod.spec.nodeName !== nodeName) return 'node requested token bound to a pod scheduled on a different node';
  return uses(pod) ? undefined : 'node requested token of an account that the pod does not use';
};

function accountOf(pod: Pod): string {
  return pod.spec.serviceAccountName || 'default';
}

const nodeRules: Readonly<Record<string, Rule>> = {
  pods: podRule,
  nodes: nodeRule,
  serviceaccounts: tokenRule,
  secrets: secretRule,
  configmaps: referencedRule,
  'volumes.flotilla.dev': volumeRule,
  services: readOnly,
  'endpointslices.discovery.k8s.io': readOnly,
  'networkpolicies.networking.k8s.io': readOnly,
  'addressgroups.flotilla.dev': readOnly,
  'ingresses.networking.k8s.io': ingressRule,
  'ingressclasses.networking.k8s.io': ingressRule,
  'certificates.flotilla.dev': ingressRule,
  events: eventRule,
  'leases.coordination.k8s.io': leaseRule,
};

function selects(fieldSelector: string | undefined, field: string, value: string): boolean {
  return (fieldSelector ?? '').split(',').some((part) => part === `${field}=${value}` || part === `${field}==${value}`);
}

function selectedName(fieldSelector: string | undefined): string | undefined {
  return /^metadata\.name==?([^,=!]+)$/.exec(fieldSelector ?? '')?.[1];
}

/** What a node may not change about itself: address ranges, taints, whether it takes new pods. */
function specOf(object: ApiObject): string {
  const { spec } = object as { spec?: Record<string, unknown> };
  return JSON.stringify(Object.entries(spec ?? {}).sort(([left], [right]) => (left < right ? -1 : 1)));
}
