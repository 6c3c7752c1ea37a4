import { type Kind, resourceNameOf } from '../../resources/kind.ts';
import { adminGroup, nodesGroup, nodeUserPrefix } from '../../resources/names.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { Attributes, Authorizer, Decision, PodIndex, User } from '../request.ts';
import { podsUsing } from './pod-references.ts';

export interface AuthorizerOptions {
  readonly pods: PodIndex;
  /** From the cache. */
  readonly find: (grid: string, kind: Kind, namespace: string | undefined, name: string) => ApiObject | undefined;
}

/** Who asks, as a rule sees it. */
interface NodeQuestion {
  readonly nodeName: string;
  readonly attributes: Attributes;
  readonly options: AuthorizerOptions;
}

/** `undefined`: allowed; else why not, in a few words. */
type Rule = (question: NodeQuestion) => string | undefined;

const reads = ['get', 'list', 'watch'];
/** The namespace in which each node keeps its heartbeat Lease, if it does. */
export const nodeLeaseNamespace = 'kube-node-lease';

/** Admins may do everything; a node what the pods on it need; everybody else nothing. Pure but for look-ups in caches. */
export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  return {
    authorize: (user, attributes) => {
      if (user.grid !== undefined && user.grid !== attributes.grid) {
        return refuse(user, attributes, `it belongs to grid "${user.grid}", not to "${attributes.grid}"`);
      }
      if (user.groups.includes(adminGroup)) return { allowed: true };
      if (!user.groups.includes(nodesGroup) || !user.name.startsWith(nodeUserPrefix)) return refuse(user, attributes);
      const rule = nodeRules[resourceNameOf(attributes.kind)];
      if (!rule) return refuse(user, attributes);
      const nodeName = user.name.slice(nodeUserPrefix.length);
      const why = rule({ nodeName, attributes, options });
      return why === undefined ? { allowed: true } : refuse(user, attributes, why);
    },
  };
}

/** Kubernetes' sentence, with the reason at its end. */
function refuse(user: User, attributes: Attributes, why?: string): Decision {
  const { verb, kind, subresource, namespace } = attributes;
  const resource = subresource ? `${kind.plural}/${subresource}` : kind.plural;
  const where = scopeOf(kind, namespace);
  const sentence = `User "${user.name}" cannot ${verb} resource "${resource}" in API group "${kind.group}" ${where}`;
  return { allowed: false, reason: why === undefined ? sentence : `${sentence}: ${why}` };
}

function scopeOf(kind: Kind, namespace: string | undefined): string {
  return kind.namespaced && namespace ? `in the namespace "${namespace}"` : 'at the cluster scope';
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
  const isAsked = (verb === 'get' && !subresource) || (verb === 'delete' && !subresource) || isWrite;
  if (!isAsked || (isWrite && subresource !== 'status')) return 'a node only writes the status of its pods';
  const pod = options.pods.pod(grid, namespace ?? '', name ?? '');
  if (pod?.spec.nodeName !== nodeName) return `it is no pod of node "${nodeName}"`;
  const written = object as { spec?: { nodeName?: string } } | undefined;
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
  if (!object || !isWrite) return undefined;
  const stored = options.find(grid, attributes.kind, undefined, nodeName);
  return stored && specOf(stored) !== specOf(object) ? 'a node does not write the spec of nodes' : undefined;
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
  const { verb, kind, grid, namespace, name, subresource, fieldSelector, object } = attributes;
  if (verb === 'list' || verb === 'watch') {
    return selects(fieldSelector, 'spec.nodeName', nodeName)
      ? undefined
      : `a node lists and watches volumes with the field selector spec.nodeName=${nodeName}`;
  }
  const isStatusWrite = (verb === 'update' || verb === 'patch') && subresource === 'status';
  const isRelease = verb === 'patch' && !subresource;
  if (!isStatusWrite && !isRelease && verb !== 'get')
    return 'a node only writes the status of its volumes, and lets them go';
  const volume = options.find(grid, kind, namespace, name ?? '');
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

const nodeRules: Readonly<Record<string, Rule>> = {
  pods: podRule,
  nodes: nodeRule,
  secrets: referencedRule,
  configmaps: referencedRule,
  'volumes.flotilla.dev': volumeRule,
  services: readOnly,
  'endpointslices.discovery.k8s.io': readOnly,
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
