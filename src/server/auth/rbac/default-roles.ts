// The roles that every grid has from its first start, with Kubernetes' names and labels.
import type { PolicyRule } from 'kubernetes-types/rbac/v1.js';
import { rbacGroup } from '../../../resources/kinds/role.ts';
import type { ClusterRole, ClusterRoleBinding } from '../../../resources/kinds.ts';
import { adminGroup } from '../../../resources/names.ts';
import { authenticatedGroup } from '../service-account/service-account-user.ts';

const read = ['get', 'list', 'watch'];
const write = ['create', 'delete', 'deletecollection', 'patch', 'update'];

/** Of Kubernetes: a role with it is brought up to date at each start; `false` leaves it alone. */
export const autoUpdateAnnotation = 'rbac.authorization.kubernetes.io/autoupdate';
const bootstrapLabels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
const aggregateTo = (role: string) => `rbac.authorization.k8s.io/aggregate-to-${role}`;

const on = (group: string, resources: readonly string[], verbs: readonly string[]): PolicyRule => ({
  verbs: [...verbs],
  apiGroups: [group],
  resources: [...resources],
});
const paths = (...nonResourceURLs: string[]): PolicyRule => ({ verbs: ['get'], nonResourceURLs });

const ours = 'flotilla.dev';
const workloads = ['deployments', 'deployments/scale', 'replicasets', 'replicasets/scale'];
/** What a viewer of a namespace sees: everything but Secrets, and who may do what. */
const visible: readonly PolicyRule[] = [
  on('', ['configmaps', 'pods', 'serviceaccounts', 'services', 'services/status'], read),
  on('', ['events', 'namespaces', 'namespaces/status', 'pods/log', 'pods/status'], read),
  on('apps', ['controllerrevisions', 'deployments/status', 'replicasets/status', ...workloads], read),
  on('discovery.k8s.io', ['endpointslices'], read),
  on('networking.k8s.io', ['ingresses', 'ingresses/status', 'networkpolicies'], read),
  on('policy', ['poddisruptionbudgets', 'poddisruptionbudgets/status'], read),
  on(ours, ['certificates', 'certificates/status', 'stacks', 'stacks/status', 'volumes', 'volumes/status'], read),
];
const editable: readonly PolicyRule[] = [
  on('', ['pods/attach', 'pods/exec', 'pods/portforward', 'secrets'], read),
  on('', ['serviceaccounts'], ['impersonate']),
  on('', ['pods', 'pods/attach', 'pods/exec', 'pods/portforward'], write),
  on('', ['pods/eviction', 'serviceaccounts/token'], ['create']),
  on('', ['configmaps', 'secrets', 'serviceaccounts', 'services', 'events'], write),
  on('apps', workloads, write),
  on('networking.k8s.io', ['ingresses', 'networkpolicies'], write),
  on('policy', ['poddisruptionbudgets'], write),
  on(ours, ['certificates', 'stacks', 'volumes'], write),
  on('coordination.k8s.io', ['leases'], [...write, ...read]),
];
const administrable: readonly PolicyRule[] = [
  on('authorization.k8s.io', ['localsubjectaccessreviews'], ['create']),
  on(rbacGroup, ['roles', 'rolebindings'], [...write, ...read]),
];

/** Those with an aggregation rule get their rules from the controller that adds up. */
export const defaultClusterRoles: readonly ClusterRole[] = [
  role('cluster-admin', [
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
    { verbs: ['*'], nonResourceURLs: ['*'] },
  ]),
  aggregated('admin', {}, [...administrable, ...editable, ...visible]),
  aggregated('edit', { [aggregateTo('admin')]: 'true' }, [...editable, ...visible]),
  aggregated('view', { [aggregateTo('edit')]: 'true' }, visible),
  role('system:aggregate-to-admin', administrable, { [aggregateTo('admin')]: 'true' }),
  role('system:aggregate-to-edit', editable, { [aggregateTo('edit')]: 'true' }),
  role('system:aggregate-to-view', visible, { [aggregateTo('view')]: 'true' }),
  role('system:discovery', [
    paths('/api', '/api/*', '/apis', '/apis/*', '/healthz', '/livez', '/openapi', '/openapi/*', '/readyz', '/version'),
  ]),
  role('system:basic-user', [
    on('authorization.k8s.io', ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'], ['create']),
    on('authentication.k8s.io', ['selfsubjectreviews'], ['create']),
  ]),
  role('system:auth-delegator', [
    on('authentication.k8s.io', ['tokenreviews'], ['create']),
    on('authorization.k8s.io', ['subjectaccessreviews'], ['create']),
  ]),
];

export const defaultClusterRoleBindings: readonly ClusterRoleBinding[] = [
  binding('cluster-admin', adminGroup),
  binding('system:discovery', authenticatedGroup),
  binding('system:basic-user', authenticatedGroup),
];

function role(name: string, rules: readonly PolicyRule[], labels: Readonly<Record<string, string>> = {}): ClusterRole {
  return {
    apiVersion: `${rbacGroup}/v1`,
    kind: 'ClusterRole',
    metadata: {
      name,
      labels: { ...bootstrapLabels, ...labels },
      annotations: { [autoUpdateAnnotation]: 'true' },
    },
    rules: [...rules],
  };
}

function aggregated(name: string, labels: Readonly<Record<string, string>>, rules: readonly PolicyRule[]): ClusterRole {
  const clusterRoleSelectors = [{ matchLabels: { [aggregateTo(name)]: 'true' } }];
  return { ...role(name, rules, labels), aggregationRule: { clusterRoleSelectors } };
}

function binding(name: string, group: string): ClusterRoleBinding {
  return {
    apiVersion: `${rbacGroup}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name, labels: bootstrapLabels, annotations: { [autoUpdateAnnotation]: 'true' } },
    roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name },
    subjects: [{ kind: 'Group', apiGroup: rbacGroup, name: group }],
  };
}
