// Kubernetes' own default values, kind by kind, written down from its documentation: each of them is filled in, and no
// other one is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeValue } from './decode.ts';
import { applyDefaults } from './defaults.ts';
import type { Kind } from './kind.ts';
import {
  allKinds,
  deployments,
  endpointSlices,
  networkPolicies,
  pods,
  replicaSets,
  roleBindings,
  secrets,
  services,
} from './kinds.ts';
import type { ApiObject } from './object.ts';
import { type FieldType, type JsonObject, messageIn } from './schema.ts';

const metadata = { name: 'x', namespace: 'd' };
const handler = { exec: { command: ['true'] } };

const containerDefaults = {
  resources: {},
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  imagePullPolicy: 'IfNotPresent',
};
const podSpecDefaults = {
  restartPolicy: 'Always',
  terminationGracePeriodSeconds: 30,
  dnsPolicy: 'ClusterFirst',
  securityContext: {},
  schedulerName: 'default-scheduler',
};
const probeDefaults = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 };

const given = { name: 'c', image: 'i:1' };
const container = (part: JsonObject) => ({ containers: [{ ...given, ...part }] });
const filled = (part: JsonObject) => ({
  containers: [{ ...given, ...containerDefaults, ...part }],
  ...podSpecDefaults,
});
const selector = { matchLabels: { a: 'b' } };
const template = { metadata: { labels: { a: 'b' } }, spec: container({}) };
const filledTemplate = { metadata: { labels: { a: 'b' } }, spec: filled({}) };

/** Kind, title, spec as it is sent, spec as it is read back. */
const cases: readonly (readonly [Kind, string, JsonObject, JsonObject])[] = [
  [pods, 'a pod', container({}), { ...filled({}), enableServiceLinks: true }],
  [
    pods,
    'an init container and a sidecar',
    {
      ...container({}),
      initContainers: [
        { ...given, name: 'i', resources: { limits: { cpu: '1' } } },
        { ...given, name: 's', restartPolicy: 'Always', ports: [{ containerPort: 80 }] },
      ],
      hostNetwork: true,
    },
    {
      ...filled({}),
      initContainers: [
        { ...given, ...containerDefaults, name: 'i', resources: { limits: { cpu: '1' }, requests: { cpu: '1' } } },
        {
          ...{ ...given, ...containerDefaults, name: 's', restartPolicy: 'Always' },
          ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }],
        },
      ],
      hostNetwork: true,
      enableServiceLinks: true,
    },
  ],
  [
    pods,
    'ports',
    container({ ports: [{ containerPort: 80 }, { containerPort: 53, protocol: 'UDP' }] }),
    {
      ...filled({
        ports: [
          { containerPort: 80, protocol: 'TCP' },
          { containerPort: 53, protocol: 'UDP' },
        ],
      }),
      enableServiceLinks: true,
    },
  ],
  [
    pods,
    'ports in the network of the node',
    { ...container({ ports: [{ containerPort: 80 }, { containerPort: 81, hostPort: 81 }] }), hostNetwork: true },
    {
      ...filled({
        ports: [
          { containerPort: 80, hostPort: 80, protocol: 'TCP' },
          { containerPort: 81, hostPort: 81, protocol: 'TCP' },
        ],
      }),
      hostNetwork: true,
      enableServiceLinks: true,
    },
  ],
  [
    pods,
    'requests of a pod with limits',
    container({ resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } } }),
    {
      ...filled({ resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m', memory: '1Gi' } } }),
      enableServiceLinks: true,
    },
  ],
  [
    deployments,
    'requests in a template are left alone',
    { selector, template: { ...template, spec: container({ resources: { limits: { cpu: '1' } } }) } },
    deploymentWith(filled({ resources: { limits: { cpu: '1' } } })),
  ],
  [
    pods,
    'probes',
    container({
      livenessProbe: { ...handler, initialDelaySeconds: 3 },
      readinessProbe: { httpGet: { port: 80 }, timeoutSeconds: 0, periodSeconds: 2 },
    }),
    {
      ...filled({
        livenessProbe: { ...handler, initialDelaySeconds: 3, ...probeDefaults },
        readinessProbe: { httpGet: { port: 80, path: '/', scheme: 'HTTP' }, ...probeDefaults, periodSeconds: 2 },
      }),
      enableServiceLinks: true,
    },
  ],
  [
    pods,
    'volumes',
    {
      ...container({}),
      volumes: [
        { name: 'e' },
        { name: 'c', configMap: { name: 'c' } },
        { name: 's', secret: { secretName: 's', defaultMode: 0 } },
        { name: 'h', hostPath: { path: '/h' } },
      ],
    },
    {
      ...filled({}),
      volumes: [
        { name: 'e', emptyDir: {} },
        { name: 'c', configMap: { name: 'c', defaultMode: 420 } },
        { name: 's', secret: { secretName: 's', defaultMode: 0 } },
        { name: 'h', hostPath: { path: '/h', type: '' } },
      ],
      enableServiceLinks: true,
    },
  ],
  [
    pods,
    'variables from fields',
    container({ env: [{ name: 'N', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] }),
    {
      ...filled({ env: [{ name: 'N', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } }] }),
      enableServiceLinks: true,
    },
  ],
  [replicaSets, 'a ReplicaSet', { selector, template }, { replicas: 1, selector, template: filledTemplate }],
  [deployments, 'a Deployment', { selector, template }, deploymentWith(filled({}))],
  [
    deployments,
    'half a strategy',
    { selector, template, replicas: 0, strategy: { rollingUpdate: { maxSurge: 0 } }, revisionHistoryLimit: 0 },
    {
      ...deploymentWith(filled({})),
      replicas: 0,
      revisionHistoryLimit: 0,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: '25%' } },
    },
  ],
  [
    deployments,
    'Recreate',
    { selector, template, strategy: { type: 'Recreate' } },
    { ...deploymentWith(filled({})), strategy: { type: 'Recreate' } },
  ],
  [
    networkPolicies,
    'a NetworkPolicy',
    { ingress: [{ ports: [{ port: 80 }] }] },
    { podSelector: {}, ingress: [{ ports: [{ port: 80, protocol: 'TCP' }] }], policyTypes: ['Ingress'] },
  ],
  [
    services,
    'a Service (its address: ADR 0021)',
    { ports: [{ port: 80 }, { name: 'a', port: 81, targetPort: 'web' }] },
    {
      ports: [
        { port: 80, protocol: 'TCP', targetPort: 80 },
        { name: 'a', port: 81, protocol: 'TCP', targetPort: 'web' },
      ],
      type: 'ClusterIP',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
    },
  ],
  [
    services,
    'a Service with affinity, for clients outside',
    { type: 'LoadBalancer', clusterIP: '10.96.0.7', sessionAffinity: 'ClientIP' },
    {
      clusterIP: '10.96.0.7',
      clusterIPs: ['10.96.0.7'],
      type: 'LoadBalancer',
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } },
      allocateLoadBalancerNodePorts: true,
      externalTrafficPolicy: 'Cluster',
      internalTrafficPolicy: 'Cluster',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
    },
  ],
  [
    services,
    'a Service that is a name of something outside',
    { type: 'ExternalName', externalName: 'db.example' },
    { type: 'ExternalName', externalName: 'db.example', sessionAffinity: 'None' },
  ],
];

function deploymentWith(spec: JsonObject): JsonObject {
  return {
    replicas: 1,
    selector,
    template: { ...template, spec },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
  };
}

function defaulted(kind: Kind, value: JsonObject): JsonObject {
  return applyDefaults(kind, decodeValue<ApiObject>(kind, value, { strictness: 'Strict' }).object) as ApiObject &
    JsonObject;
}

for (const [kind, title, sent, expected] of cases) {
  test(`defaults: ${title}`, () => {
    const object = defaulted(kind, { metadata, spec: sent });
    assert.deepEqual(object.spec, expected);
    assert.deepEqual(applyDefaults(kind, structuredClone(object) as never), object, 'twice is once');
  });
}

test('defaults outside of a spec', () => {
  assert.equal(defaulted(secrets, { metadata }).type, 'Opaque');
  const slice = defaulted(endpointSlices, { metadata, addressType: 'IPv4', ports: [{ port: 80 }] });
  assert.deepEqual(slice.ports, [{ port: 80, name: '', protocol: 'TCP' }]);
  const roleRef = { kind: 'Role', name: 'r' };
  const subjects = [
    { kind: 'User', name: 'u' },
    { kind: 'ServiceAccount', name: 's', namespace: 'd' },
  ];
  const binding = defaulted(roleBindings, { metadata, roleRef, subjects });
  assert.equal((binding.roleRef as JsonObject).apiGroup, 'rbac.authorization.k8s.io');
  assert.deepEqual(binding.subjects, [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'u' }, subjects[1]]);
});

/** Fixed values, by message and field. What follows from other fields is in the cases above. */
const fixed: Readonly<Record<string, unknown>> = {
  'Container.resources': {},
  'Container.terminationMessagePath': '/dev/termination-log',
  'Container.terminationMessagePolicy': 'File',
  'ContainerPort.protocol': 'TCP',
  'ConfigMapVolumeSource.defaultMode': 420,
  'SecretVolumeSource.defaultMode': 420,
  'HostPathVolumeSource.type': '',
  'HTTPGetAction.path': '/',
  'HTTPGetAction.scheme': 'HTTP',
  'ObjectFieldSelector.apiVersion': 'v1',
  'Probe.timeoutSeconds': 1,
  'Probe.periodSeconds': 10,
  'Probe.successThreshold': 1,
  'Probe.failureThreshold': 3,
  'PodSpec.restartPolicy': 'Always',
  'PodSpec.terminationGracePeriodSeconds': 30,
  'PodSpec.dnsPolicy': 'ClusterFirst',
  'PodSpec.securityContext': {},
  'PodSpec.schedulerName': 'default-scheduler',
  'ReplicaSetSpec.replicas': 1,
  'DeploymentSpec.replicas': 1,
  'DeploymentSpec.strategy': {},
  'DeploymentSpec.revisionHistoryLimit': 10,
  'DeploymentSpec.progressDeadlineSeconds': 600,
  'DeploymentStrategy.type': 'RollingUpdate',
  'RollingUpdateDeployment.maxSurge': '25%',
  'RollingUpdateDeployment.maxUnavailable': '25%',
  'Secret.type': 'Opaque',
  'Service.spec': {},
  'ServiceSpec.type': 'ClusterIP',
  'ServiceSpec.sessionAffinity': 'None',
  'ServicePort.protocol': 'TCP',
  'DownwardAPIVolumeSource.defaultMode': 420,
  'GRPCAction.service': '',
  'ProjectedVolumeSource.defaultMode': 420,
  'ServiceAccountTokenProjection.expirationSeconds': 3600,
  'EndpointPort.name': '',
  'EndpointPort.protocol': 'TCP',
  'Node.spec': {},
  'Lease.spec': {},
  'Ingress.spec': {},
  'IngressClass.spec': {},
  'IngressClassParametersReference.scope': 'Cluster',
  'NetworkPolicy.spec': {},
  'NetworkPolicySpec.podSelector': {},
  'NetworkPolicyPort.protocol': 'TCP',
  'PodDisruptionBudget.spec': {},
  'RoleBinding.roleRef': {},
  'ClusterRoleBinding.roleRef': {},
  'RoleRef.apiGroup': 'rbac.authorization.k8s.io',
};

test('the tables of Kubernetes’ own kinds have these fixed defaults and no others', () => {
  const found: Record<string, unknown> = {};
  const visit = (type: FieldType) => {
    const message = messageIn(type);
    for (const one of message?.fields.values() ?? []) {
      if (one.default !== undefined) found[`${message?.name}.${one.name}`] = one.default;
      visit(one.type);
    }
  };
  for (const kind of allKinds) if (kind.group !== 'flotilla.dev') visit(kind.message);
  assert.deepEqual(sorted(found), sorted(fixed));
});

function sorted(record: Readonly<Record<string, unknown>>) {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
