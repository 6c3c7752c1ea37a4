// All kinds of objects that are served. Each table has a file of its own in kinds/.
import type {
  ControllerRevision as ControllerRevisionV1,
  Deployment as DeploymentV1,
  ReplicaSet as ReplicaSetV1,
} from 'kubernetes-types/apps/v1.js';
import type { Lease as LeaseV1 } from 'kubernetes-types/coordination/v1.js';
import type {
  ConfigMap as ConfigMapV1,
  Event as EventV1,
  Namespace as NamespaceV1,
  Node as NodeV1,
  Pod as PodV1,
  Secret as SecretV1,
  ServiceAccount as ServiceAccountV1,
  Service as ServiceV1,
} from 'kubernetes-types/core/v1.js';
import type { EndpointSlice as EndpointSliceV1 } from 'kubernetes-types/discovery/v1.js';
import type { Condition } from 'kubernetes-types/meta/v1.js';
import type {
  IngressClass as IngressClassV1,
  Ingress as IngressV1,
  NetworkPolicy as NetworkPolicyV1,
} from 'kubernetes-types/networking/v1.js';
import type { PodDisruptionBudget as PodDisruptionBudgetV1 } from 'kubernetes-types/policy/v1.js';
import type {
  ClusterRoleBinding as ClusterRoleBindingV1,
  ClusterRole as ClusterRoleV1,
  RoleBinding as RoleBindingV1,
  Role as RoleV1,
} from 'kubernetes-types/rbac/v1.js';
import type { AddressGroup } from './address-groups.ts';
import type { Certificate } from './certificates.ts';
import type { Kind } from './kind.ts';
import { addressGroups } from './kinds/address-group.ts';
import { certificates } from './kinds/certificate.ts';
import { configMaps } from './kinds/config-map.ts';
import { controllerRevisions } from './kinds/controller-revision.ts';
import { deployments } from './kinds/deployment.ts';
import { endpointSlices } from './kinds/endpoint-slice.ts';
import { events } from './kinds/event.ts';
import { grids } from './kinds/grid.ts';
import { ingresses } from './kinds/ingress.ts';
import { ingressClasses } from './kinds/ingress-class.ts';
import { leases } from './kinds/lease.ts';
import { namespaces } from './kinds/namespace.ts';
import { networkPolicies } from './kinds/network-policy.ts';
import { nodes } from './kinds/node.ts';
import { pods } from './kinds/pod.ts';
import { podDisruptionBudgets } from './kinds/pod-disruption-budget.ts';
import { replicaSets } from './kinds/replica-set.ts';
import { clusterRoles, roles } from './kinds/role.ts';
import { clusterRoleBindings, roleBindings } from './kinds/role-binding.ts';
import { secrets } from './kinds/secret.ts';
import { services } from './kinds/service.ts';
import { serviceAccounts } from './kinds/service-account.ts';
import { stacks } from './kinds/stack.ts';
import { tokens } from './kinds/token.ts';
import { volumes } from './kinds/volume-object.ts';
import type { Served } from './object.ts';
import type { Grid, Stack, Token, Volume } from './stack-types.ts';

export type Namespace = Served<NamespaceV1>;
export type Node = Served<NodeV1, 'spec'>;
export type Pod = Served<PodV1, 'spec'>;
export type ReplicaSet = Served<ReplicaSetV1, 'spec'>;
export type Deployment = Served<DeploymentV1, 'spec'>;
export type ConfigMap = Served<ConfigMapV1>;
export type Secret = Served<SecretV1>;
export type Service = Served<ServiceV1, 'spec'>;
export type EndpointSlice = Served<EndpointSliceV1>;
export type Event = Served<EventV1>;
export type Lease = Served<LeaseV1, 'spec'>;
export type ServiceAccount = Served<ServiceAccountV1>;
export type ControllerRevision = Served<ControllerRevisionV1>;
export type NetworkPolicy = Served<NetworkPolicyV1, 'spec'>;
export type Ingress = Served<IngressV1, 'spec'> & {
  /** Ours: `flotilla.dev/Served`. */
  status?: { conditions?: Condition[] };
};
export type IngressClass = Served<IngressClassV1, 'spec'>;
export type PodDisruptionBudget = Served<PodDisruptionBudgetV1, 'spec'>;
export type Role = Served<RoleV1>;
export type ClusterRole = Served<ClusterRoleV1>;
export type RoleBinding = Served<RoleBindingV1>;
export type ClusterRoleBinding = Served<ClusterRoleBindingV1>;
export type { AddressGroup, Certificate, Grid, Stack, Token, Volume };

export {
  addressGroups,
  certificates,
  clusterRoleBindings,
  clusterRoles,
  configMaps,
  controllerRevisions,
  deployments,
  endpointSlices,
  events,
  grids,
  ingressClasses,
  ingresses,
  leases,
  namespaces,
  networkPolicies,
  nodes,
  podDisruptionBudgets,
  pods,
  replicaSets,
  roleBindings,
  roles,
  secrets,
  serviceAccounts,
  services,
  stacks,
  tokens,
  volumes,
};

/** In the order in which discovery lists them. */
export const allKinds: readonly Kind[] = [
  configMaps,
  events,
  namespaces,
  nodes,
  pods,
  secrets,
  serviceAccounts,
  services,
  controllerRevisions,
  deployments,
  replicaSets,
  leases,
  endpointSlices,
  ingressClasses,
  ingresses,
  networkPolicies,
  podDisruptionBudgets,
  clusterRoleBindings,
  clusterRoles,
  roleBindings,
  roles,
  addressGroups,
  certificates,
  grids,
  stacks,
  tokens,
  volumes,
];

const byPath = new Map(allKinds.map((kind) => [pathKey(kind.group, kind.version, kind.plural), kind]));
const byType = new Map(allKinds.map((kind) => [pathKey(kind.group, kind.version, kind.kind), kind]));

/** By the parts of a URL: `''`, `v1`, `pods`. */
export function kindFor(group: string, version: string, plural: string): Kind | undefined {
  return byPath.get(pathKey(group, version, plural));
}

/** By what an object says of itself: `apps/v1`, `Deployment`. */
export function kindOfObject(apiVersion: string, kind: string): Kind | undefined {
  const slash = apiVersion.indexOf('/');
  return byType.get(pathKey(apiVersion.slice(0, Math.max(slash, 0)), apiVersion.slice(slash + 1), kind));
}

function pathKey(group: string, version: string, name: string): string {
  return `${group}/${version}/${name}`;
}
