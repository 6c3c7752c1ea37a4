// Placeholder tables: identity of each kind. The field tables take their place.
import type { Deployment as DeploymentV1, ReplicaSet as ReplicaSetV1 } from 'kubernetes-types/apps/v1.js';
import type { Lease as LeaseV1 } from 'kubernetes-types/coordination/v1.js';
import type {
  ConfigMap as ConfigMapV1,
  Event as EventV1,
  Namespace as NamespaceV1,
  Node as NodeV1,
  Pod as PodV1,
  Secret as SecretV1,
  Service as ServiceV1,
} from 'kubernetes-types/core/v1.js';
import type { EndpointSlice as EndpointSliceV1 } from 'kubernetes-types/discovery/v1.js';
import type { Kind } from './kind.ts';
import type { ApiObject, Served } from './object.ts';
import type { Stack, Token, Volume } from './stack-types.ts';

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
export type { Stack, Token, Volume };

function kind<T extends ApiObject>(
  group: string,
  version: string,
  name: string,
  plural: string,
  shortNames: string[],
  namespaced = true,
): Kind<T> {
  return { group, version, kind: name, plural, singular: name.toLowerCase(), shortNames, categories: [], namespaced };
}

export const namespaces = kind<Namespace>('', 'v1', 'Namespace', 'namespaces', ['ns'], false);
export const nodes = kind<Node>('', 'v1', 'Node', 'nodes', ['no'], false);
export const pods = kind<Pod>('', 'v1', 'Pod', 'pods', ['po']);
export const replicaSets = kind<ReplicaSet>('apps', 'v1', 'ReplicaSet', 'replicasets', ['rs']);
export const deployments = kind<Deployment>('apps', 'v1', 'Deployment', 'deployments', ['deploy']);
export const configMaps = kind<ConfigMap>('', 'v1', 'ConfigMap', 'configmaps', ['cm']);
export const secrets = kind<Secret>('', 'v1', 'Secret', 'secrets', []);
export const services = kind<Service>('', 'v1', 'Service', 'services', ['svc']);
export const endpointSlices = kind<EndpointSlice>('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices', []);
export const events = kind<Event>('', 'v1', 'Event', 'events', ['ev']);
export const leases = kind<Lease>('coordination.k8s.io', 'v1', 'Lease', 'leases', []);
export const stacks = kind<Stack>('flotilla.dev', 'v1alpha1', 'Stack', 'stacks', []);
export const volumes = kind<Volume>('flotilla.dev', 'v1alpha1', 'Volume', 'volumes', ['vol']);
export const tokens = kind<Token>('flotilla.dev', 'v1alpha1', 'Token', 'tokens', [], false);
