import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeValue } from './decode.ts';
import { applyDefaults, prepareForCreate } from './defaults.ts';
import type { Kind } from './kind.ts';
import { configMaps, deployments, namespaces, nodes, pods, secrets, services, stacks } from './kinds.ts';
import type { ApiObject } from './object.ts';
import type { JsonObject } from './schema.ts';

function defaulted<T extends ApiObject>(kind: Kind<T>, value: JsonObject): T {
  return applyDefaults(kind, decodeValue(kind, value, { strictness: 'Strict' }).object);
}

const metadata = { name: 'x', namespace: 'd' };

test('a deployment gets what Kubernetes would fill in', () => {
  const template = { spec: { containers: [{ name: 'c', image: 'i' }] } };
  const { spec } = defaulted(deployments, { metadata, spec: { template } });
  const { template: pod, ...rest } = spec;
  assert.deepEqual(rest, {
    replicas: 1,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
  });
  assert.deepEqual(pod.spec, {
    containers: [
      {
        name: 'c',
        image: 'i',
        resources: {},
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        imagePullPolicy: 'Always',
      },
    ],
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
  });
});

test('what was said stays, zeros too', () => {
  const strategy = { type: 'Recreate' };
  const template = { spec: { terminationGracePeriodSeconds: 0, containers: [] } };
  const { spec } = defaulted(deployments, { metadata, spec: { replicas: 0, strategy, template } });
  assert.equal(spec.replicas, 0);
  assert.deepEqual(spec.strategy, { type: 'Recreate' });
  assert.equal(spec.template.spec?.terminationGracePeriodSeconds, 0);
  const surge = { strategy: { rollingUpdate: { maxSurge: 0 } } };
  assert.deepEqual(defaulted(deployments, { metadata, spec: surge }).spec.strategy?.rollingUpdate, {
    maxSurge: 0,
    maxUnavailable: '25%',
  });
});

for (const [image, policy] of [
  ['nginx', 'Always'],
  ['nginx:latest', 'Always'],
  ['nginx:1.27', 'IfNotPresent'],
  ['registry:5000/nginx', 'Always'],
  ['registry:5000/a/nginx:1', 'IfNotPresent'],
  ['nginx@sha256:0123', 'IfNotPresent'],
  ['nginx:latest@sha256:0123', 'Always'],
  ['nginx:1.27@sha256:0123', 'IfNotPresent'],
] as const) {
  test(`image ${image} is pulled ${policy}`, () => {
    const pod = defaulted(pods, { metadata, spec: { containers: [{ name: 'c', image }] } });
    assert.equal(pod.spec.containers[0]?.imagePullPolicy, policy);
  });
}

test('probes, ports, volumes and requests', () => {
  const container = {
    name: 'c',
    image: 'i:1',
    ports: [{ containerPort: 80 }],
    resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } },
    readinessProbe: { httpGet: { port: 80 }, timeoutSeconds: 0 },
    env: [{ name: 'N', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
  };
  const volumes = [{ name: 'e' }, { name: 'c', configMap: { name: 'c' } }];
  const { spec } = defaulted(pods, { metadata, spec: { containers: [container], volumes } });
  const [one] = spec.containers;
  assert.equal(one?.ports?.[0]?.protocol, 'TCP');
  assert.deepEqual(one?.resources?.requests, { cpu: '500m', memory: '1Gi' });
  assert.deepEqual(one?.readinessProbe, {
    httpGet: { port: 80, path: '/', scheme: 'HTTP' },
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  assert.equal(one?.env?.[0]?.valueFrom?.fieldRef?.apiVersion, 'v1');
  assert.deepEqual(spec.volumes, [
    { name: 'e', emptyDir: {} },
    { name: 'c', configMap: { name: 'c', defaultMode: 0o644 } },
  ]);
});

test('the address of a service that says nothing is left to the server', () => {
  const spec = (sent: object) => defaulted(services, { metadata, spec: { ports: [{ port: 80 }], ...sent } }).spec;
  for (const sent of [{}, { clusterIP: '' }, { type: 'NodePort' }]) {
    assert.deepEqual([spec(sent).clusterIP, spec(sent).clusterIPs], [undefined, undefined]);
  }
  assert.deepEqual(spec({ clusterIP: 'None' }).clusterIPs, ['None']);
});

test('a service without an address, in full', () => {
  const ports = [{ port: 80 }, { port: 81, targetPort: 'web', protocol: 'UDP' }];
  assert.deepEqual(defaulted(services, { metadata, spec: { clusterIP: 'None', ports } }).spec, {
    clusterIP: 'None',
    clusterIPs: ['None'],
    type: 'ClusterIP',
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    ports: [
      { port: 80, protocol: 'TCP', targetPort: 80 },
      { port: 81, protocol: 'UDP', targetPort: 'web' },
    ],
  });
});

test('stringData of a secret becomes data', () => {
  const secret = defaulted(secrets, { metadata, data: { a: 'eA==' }, stringData: { a: 'y', b: 'ü' } });
  assert.deepEqual(secret.data, { a: 'eQ==', b: Buffer.from('ü').toString('base64') });
  assert.equal(secret.stringData, undefined);
  assert.equal(secret.type, 'Opaque');
});

test('a stack is what the command line left out', () => {
  const services = { web: { image: 'i', ports: [{ containerPort: 80 }], dependsOn: { db: {} } } };
  const [web] = Object.values(defaulted(stacks, { metadata, spec: { services } }).spec.services);
  assert.deepEqual(web, {
    image: 'i',
    instances: 1,
    ports: [{ containerPort: 80, protocol: 'TCP' }],
    dependsOn: { db: { condition: 'service_started' } },
  });
});

test('twice is once, and two objects share nothing', () => {
  const value = { metadata, spec: { template: { spec: { containers: [{ name: 'c', image: 'i' }] } } } };
  const once = defaulted(deployments, value);
  assert.deepEqual(applyDefaults(deployments, structuredClone(once)), once);
  const other = defaulted(deployments, value);
  assert.notEqual(other.spec.template.spec?.securityContext, once.spec.template.spec?.securityContext);
});

test('the status that an object starts with', () => {
  const pod = defaulted(pods, { metadata, spec: { containers: [] }, status: { phase: 'Running' } });
  assert.deepEqual(prepareForCreate(pods, pod).status, { phase: 'Pending', qosClass: 'BestEffort' });
  const namespace = defaulted(namespaces, { metadata: { name: 'x' } });
  assert.deepEqual(prepareForCreate(namespaces, namespace).status, { phase: 'Active' });
  const stack = defaulted(stacks, { metadata, spec: {}, status: { inventory: ['x'] } });
  assert.equal(prepareForCreate(stacks, stack).status, undefined);
  const node = defaulted(nodes, { metadata: { name: 'h1' }, status: { capacity: { cpu: '2' } } });
  assert.deepEqual(prepareForCreate(nodes, node).status, { capacity: { cpu: '2' } });
  const configMap = defaulted(configMaps, { metadata, data: { a: 'b' } });
  assert.deepEqual(prepareForCreate(configMaps, configMap), configMap);
});

test('empty lists and maps of the metadata are not there', () => {
  const empty = { ...metadata, labels: {}, annotations: {}, ownerReferences: [], finalizers: [] };
  assert.deepEqual(defaulted(configMaps, { metadata: empty }).metadata, metadata);
});
