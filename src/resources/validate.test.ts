import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeValue } from './decode.ts';
import { applyDefaults } from './defaults.ts';
import { invalidError } from './field-errors.ts';
import { isObject } from './json.ts';
import type { Kind } from './kind.ts';
import {
  allKinds,
  configMaps,
  deployments,
  events,
  grids,
  namespaces,
  nodes,
  pods,
  secrets,
  services,
  stacks,
  tokens,
  volumes,
} from './kinds.ts';
import { applyMergePatch } from './merge-patch.ts';
import type { ApiObject } from './object.ts';
import type { JsonObject } from './schema.ts';
import { validate, validateUpdate } from './validate.ts';

const metadata = { name: 'x', namespace: 'd' };
const container = { name: 'c', image: 'i' };
const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [container] } };

function made<T extends ApiObject>(kind: Kind<T>, value: JsonObject): T {
  return applyDefaults(kind, decodeValue(kind, value, { strictness: 'Strict' }).object);
}

function problems<T extends ApiObject>(kind: Kind<T>, value: JsonObject): string[] {
  return validate(kind, made(kind, value)).map((error) => `${error.field}: ${error.message}`);
}

const pod = (spec: JsonObject) => ({ metadata, spec: { containers: [container], ...spec } });
const podWith = (part: JsonObject) => pod({ containers: [{ ...container, ...part }] });
const deployment = (spec: JsonObject) => ({
  metadata,
  spec: { selector: { matchLabels: { a: 'b' } }, template, ...spec },
});
const service = (spec: JsonObject) => ({ metadata, spec });
const stack = (spec: JsonObject) => ({ metadata, spec });

const good: readonly (readonly [Kind, JsonObject])[] = [
  [
    pods,
    pod({
      hostIPC: true,
      securityContext: { runAsUser: 7, runAsNonRoot: true, supplementalGroups: [8] },
      enableServiceLinks: true,
      serviceAccountName: 'default',
      automountServiceAccountToken: false,
    }),
  ],
  [
    pods,
    podWith({ securityContext: { runAsNonRoot: true, runAsUser: 7, seccompProfile: { type: 'RuntimeDefault' } } }),
  ],
  [pods, pod({ tolerations: [{ operator: 'Exists' }], nodeSelector: { 'kubernetes.io/hostname': 'h1' } })],
  [deployments, deployment({})],
  [services, service({ ports: [{ port: 80 }], selector: { a: 'b' } })],
  [services, service({ clusterIP: 'None' })],
  [namespaces, { metadata: { name: 'shop' } }],
  [nodes, { metadata: { name: 'h1.example' }, spec: { podCIDRs: ['10.80.0.0/24'] } }],
  [stacks, stack({ services: { web: { image: 'i', dependsOn: { db: {} } }, db: { image: 'j' } } })],
  [tokens, { metadata: { name: 't' }, spec: { type: 'join', grid: 'main', expiresAt: '2026-01-01T00:00:00Z' } }],
  [grids, { metadata: { name: 'main' }, spec: { failover: { after: '1m30s' } } }],
];

test('right objects have no problems', () => {
  for (const [kind, value] of good) assert.deepEqual(problems(kind, value), [], JSON.stringify(value));
});

const ours = 'Forbidden: not supported by Flotilla: ';

const bad: readonly (readonly [Kind, JsonObject, RegExp])[] = [
  [
    pods,
    { metadata: { name: 'A_b', namespace: 'd' }, spec: { containers: [container] } },
    /^metadata.name: Invalid value: "A_b": a lowercase RFC 1123 subdomain/,
  ],
  [
    pods,
    { metadata: { namespace: 'd' }, spec: { containers: [container] } },
    /^metadata.name: Required value: name or generateName is required$/,
  ],
  [pods, { metadata: { name: 'x' }, spec: { containers: [container] } }, /^metadata.namespace: Required value$/],
  [namespaces, { metadata: { name: 'a.b' } }, /^metadata.name: Invalid value: "a.b": must not contain dots$/],
  [
    namespaces,
    { metadata: { name: 'x', namespace: 'd' } },
    /^metadata.namespace: Forbidden: not allowed on this type$/,
  ],
  [services, { metadata: { name: '1a', namespace: 'd' } }, /^metadata.name: Invalid value: "1a": a DNS-1035 label/],
  [
    pods,
    { ...pod({}), metadata: { ...metadata, labels: { 'a b': 'c' } } },
    /^metadata.labels: Invalid value: "a b": name part must consist/,
  ],
  [
    pods,
    { ...pod({}), metadata: { ...metadata, labels: { a: 'c d' } } },
    /^metadata.labels: Invalid value: "c d": a valid label must be/,
  ],
  [pods, { metadata }, /^spec: Required value$/],
  [pods, pod({ containers: [] }), /^spec.containers: Required value$/],
  [pods, pod({ containers: [container, container] }), /^spec.containers\[1\].name: Duplicate value: "c"$/],
  [
    pods,
    pod({ ephemeralContainers: [container] }),
    /^spec.ephemeralContainers: Forbidden: not supported by Flotilla: add a container to the pod$/,
  ],
  [pods, podWith({ image: '' }), /^spec.containers\[0\].image: Required value$/],
  [pods, podWith({ name: 'C' }), /^spec.containers\[0\].name: Invalid value: "C"/],
  [
    pods,
    podWith({ imagePullPolicy: 'Sometimes' }),
    /^spec.containers\[0\].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"$/,
  ],
  [pods, podWith({ ports: [{ containerPort: 0 }] }), /ports\[0\].containerPort: Required value$/],
  [
    pods,
    podWith({
      ports: [
        { name: 'a', containerPort: 1 },
        { name: 'a', containerPort: 2 },
      ],
    }),
    /ports\[1\].name: Duplicate value: "a"$/,
  ],
  [
    pods,
    podWith({
      ports: [
        { hostPort: 8, containerPort: 1 },
        { hostPort: 8, containerPort: 2 },
      ],
    }),
    /ports\[1\].hostPort: Duplicate value: "TCP\/\/8"$/,
  ],
  [pods, podWith({ env: [{ value: 'x' }] }), /env\[0\].name: Required value$/],
  [pods, podWith({ env: [{ name: 'a=b' }] }), /env\[0\].name: Invalid value: "a=b": a valid environment variable name/],
  [
    pods,
    podWith({ env: [{ name: 'a', valueFrom: { fieldRef: { fieldPath: 'spec.x' } } }] }),
    /fieldRef.fieldPath: Unsupported value: "spec.x": supported values: "metadata.name"/,
  ],
  [
    pods,
    podWith({ env: [{ name: 'a', valueFrom: {} }] }),
    /env\[0\].valueFrom: Invalid value: "": must specify one of/,
  ],
  [
    pods,
    podWith({ env: [{ name: 'a', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] }),
    /valueFrom: Invalid value: "": may not be specified when `value` is not empty$/,
  ],
  [
    pods,
    podWith({ resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } }),
    /resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1$/,
  ],
  [
    pods,
    podWith({ resources: { limits: { cpu: '-1' } } }),
    /limits\[cpu\]: Invalid value: "-1": must be greater than or equal to 0$/,
  ],
  [pods, podWith({ resources: { limits: { 'nvidia.com/gpu': '1' } } }), new RegExp(`${ours}only cpu and memory`)],
  [pods, podWith({ volumeMounts: [{ name: 'v', mountPath: '/a' }] }), /volumeMounts\[0\].name: Not found: "v"$/],
  [
    pods,
    pod({ volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/a' } }] }),
    /^spec.volumes\[0\].emptyDir: Forbidden: may not specify more than 1 volume type$/,
  ],
  [
    pods,
    pod({ volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Gi' } }] }),
    /emptyDir.sizeLimit: Forbidden: not supported by Flotilla: only medium Memory/,
  ],
  [pods, pod({ volumes: [{ name: 'v' }, { name: 'v' }] }), /^spec.volumes\[1\].name: Duplicate value: "v"$/],
  [pods, pod({ volumes: [{ name: 'v', secret: {} }] }), /secret.secretName: Required value$/],
  [pods, pod({ volumes: [{ name: 'v', configMap: {} }] }), /configMap.name: Required value$/],
  [
    pods,
    pod({ volumes: [{ name: 'v', secret: { secretName: 's', items: [{ key: 'k', path: '../x' }] } }] }),
    /items\[0\].path: Invalid value: "..\/x": must not contain '..'$/,
  ],
  [pods, podWith({ livenessProbe: {} }), /livenessProbe: Required value: must specify a handler type$/],
  [
    pods,
    podWith({ livenessProbe: { exec: { command: ['a'] }, successThreshold: 2 } }),
    /successThreshold: Invalid value: 2: must be 1$/,
  ],
  [
    pods,
    podWith({ readinessProbe: { httpGet: { port: 'web' } } }),
    /httpGet.port: Invalid value: "web": must be the name of a port of this container$/,
  ],
  [
    pods,
    podWith({ readinessProbe: { tcpSocket: { port: 80 }, httpGet: { port: 80 } } }),
    /may not specify more than 1 handler type$/,
  ],
  [
    pods,
    podWith({ securityContext: { runAsNonRoot: true } }),
    /runAsNonRoot: Forbidden: not supported by Flotilla: set runAsUser/,
  ],
  [
    pods,
    podWith({ securityContext: { runAsGroup: 7 } }),
    /runAsGroup: Forbidden: not supported by Flotilla: set runAsUser, too$/,
  ],
  [
    pods,
    pod({ hostNetwork: true, hostname: 'web' }),
    /^spec.hostname: Forbidden: not supported by Flotilla: a pod with hostNetwork has the host name of its node$/,
  ],
  [
    pods,
    podWith({ securityContext: { privileged: true, allowPrivilegeEscalation: false } }),
    /securityContext: Invalid value: .*: cannot set `allowPrivilegeEscalation` to false and `privileged` to true$/,
  ],
  [
    pods,
    pod({ securityContext: { fsGroup: 7 } }),
    /^spec.securityContext.fsGroup: Forbidden: not supported by Flotilla: change the owner/,
  ],
  [pods, pod({ dnsPolicy: 'None' }), /^spec.dnsPolicy: Forbidden/],
  [pods, pod({ schedulerName: 'mine' }), /^spec.schedulerName: Forbidden/],
  [
    pods,
    pod({ terminationGracePeriodSeconds: -1 }),
    /^spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0$/,
  ],
  [
    pods,
    pod({ tolerations: [{ operator: 'Equal' }] }),
    /^spec.tolerations\[0\].operator: Invalid value: "Equal": operator must be Exists when `key` is empty/,
  ],
  [pods, pod({ tolerations: [{ key: 'a', tolerationSeconds: 0 }] }), /effect must be 'NoExecute' when/],
  [pods, podWith({ lifecycle: { preStop: {} } }), /preStop: Required value: must specify a handler type/],
  [pods, podWith({ startupProbe: { grpc: { port: 0 } } }), /startupProbe.grpc.port/],
  [pods, podWith({ terminationMessagePolicy: 'Log' }), /terminationMessagePolicy: Unsupported value/],
  [pods, pod({ volumes: [{ name: 'v', projected: { sources: [{}] } }] }), /sources\[0\]: Required value/],
  [
    pods,
    pod({
      volumes: [{ name: 'v', projected: { sources: [{ serviceAccountToken: { expirationSeconds: 5, path: 't' } }] } }],
    }),
    /expirationSeconds: Invalid value: 5/,
  ],
  [
    pods,
    pod({ volumes: [{ name: 'v', downwardAPI: { items: [{ path: 'x', fieldRef: { fieldPath: 'status.podIP' } }] } }] }),
    /fieldPath: Unsupported value: "status.podIP": supported values: /,
  ],
  [
    pods,
    pod({ hostNetwork: true, containers: [{ ...container, ports: [{ containerPort: 1, hostPort: 2 }] }] }),
    /containerPort: Invalid value: 1: must match `hostPort` when `hostNetwork` is true$/,
  ],
  [deployments, deployment({ selector: undefined }), /^spec.selector: Required value$/],
  [deployments, deployment({ selector: {} }), /^spec.selector: Invalid value: {}: empty selector is invalid/],
  [
    deployments,
    deployment({ selector: { matchLabels: { a: 'c' } } }),
    /^spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`$/,
  ],
  [
    deployments,
    deployment({ selector: { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'a', operator: 'In' }] } }),
    /values: Required value: must be specified when `operator` is 'In'/,
  ],
  [deployments, deployment({ replicas: -1 }), /^spec.replicas: Invalid value: -1: must be greater than or equal to 0$/],
  [
    deployments,
    deployment({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } }),
    /maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0$/,
  ],
  [
    deployments,
    deployment({ strategy: { rollingUpdate: { maxSurge: 'x' } } }),
    /maxSurge: Invalid value: "x": a valid percent string/,
  ],
  [
    deployments,
    deployment({ strategy: { type: 'Recreate', rollingUpdate: {} } }),
    /rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'$/,
  ],
  [
    deployments,
    deployment({ template: { ...template, spec: { containers: [container], restartPolicy: 'Never' } } }),
    /restartPolicy: Unsupported value: "Never": supported values: "Always"$/,
  ],
  [
    deployments,
    deployment({ progressDeadlineSeconds: 5, minReadySeconds: 5 }),
    /progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds$/,
  ],
  [services, service({ ports: [{ port: 80 }, { port: 81 }] }), /^spec.ports\[0\].name: Required value$/],
  [configMaps, { metadata, data: { 'a b': 'c' } }, /^data\[a b\]: Invalid value: "a b": a valid config key/],
  [configMaps, { metadata, data: { a: 'x'.repeat(1_048_577) } }, /Too long: may not be more than 1048576 bytes$/],
  [secrets, { metadata, type: 'kubernetes.io/tls', data: { 'tls.crt': '' } }, /^data\[tls.key\]: Required value$/],
  [events, { metadata, involvedObject: { namespace: 'other' } }, /^involvedObject.namespace: Invalid value: "other"/],
  [nodes, { metadata: { name: 'n' }, spec: { podCIDRs: ['10.80.0.0/33'] } }, /^spec.podCIDRs\[0\]: Invalid value/],
  [
    nodes,
    { metadata: { name: 'n' }, spec: { taints: [{ key: 'a', effect: 'Now' }] } },
    /effect: Unsupported value: "Now"/,
  ],
  [
    stacks,
    stack({ services: { Web: { image: 'i' } } }),
    /^spec.services\[Web\]: Invalid value: "Web": a DNS-1035 label/,
  ],
  [stacks, stack({ services: { web: {} } }), /^spec.services\[web\].image: Required value$/],
  [
    stacks,
    stack({ services: { web: { image: 'i', dependsOn: { db: {} } } } }),
    /^spec.services\[web\].dependsOn\[db\]: Not found: "db"$/,
  ],
  [
    stacks,
    stack({ services: { web: { image: 'i', mounts: [{ type: 'volume', source: 'v', target: '/v' }] } } }),
    /mounts\[0\].source: Not found: "v"$/,
  ],
  [
    stacks,
    stack({ services: { web: { image: 'i', ports: [{ containerPort: 70_000 }] } } }),
    /containerPort: Invalid value: 70000/,
  ],
  [
    grids,
    { metadata: { name: 'main' }, spec: { failover: { after: '2s' } } },
    /^spec.failover.after: Invalid value: "2s": must be a duration of at least 3s/,
  ],
  [tokens, { metadata: { name: 't' }, spec: { type: 'join' } }, /^spec.grid: Required value: a join token has a grid$/],
  [
    tokens,
    { metadata: { name: 't' }, spec: { type: 'join', grid: 'main' } },
    /^spec.expiresAt: Required value: a join token ends$/,
  ],
  [
    tokens,
    {
      metadata: { name: 't', creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: { type: 'join', grid: 'main', expiresAt: '2026-02-01T00:00:00Z' },
    },
    /^spec.expiresAt: Invalid value: "2026-02-01T00:00:00Z": a join token is good for 30 days at most$/,
  ],
];

for (const [kind, value, expected] of bad) {
  test(`${kind.kind}: ${String(expected).slice(1, 90)}`, () => {
    const found = problems(kind, value);
    assert.ok(
      found.some((problem) => expected.test(problem)),
      `found ${JSON.stringify(found)}`,
    );
  });
}

const changes: readonly (readonly [Kind, JsonObject, JsonObject, RegExp | undefined])[] = [
  [deployments, deployment({}), { spec: { replicas: 3 } }, undefined],
  [
    deployments,
    deployment({ selector: { matchLabels: { a: 'b' } } }),
    { spec: { selector: { matchLabels: { c: 'd' } }, template: { metadata: { labels: { c: 'd' } } } } },
    /^spec.selector: Invalid value: .*: field is immutable$/,
  ],
  [pods, pod({}), { metadata: { labels: { a: 'b' } } }, undefined],
  [
    pods,
    pod({}),
    { spec: { hostname: 'h' } },
    /^spec: Forbidden: pod updates may not change fields other than `spec.containers\[\*\].image`,`spec.initContainers\[\*\].image`,`spec.tolerations`/,
  ],
  [pods, pod({}), { spec: { containers: [{ ...container, image: 'other' }] } }, undefined],
  [pods, pod({}), { spec: { nodeName: 'h1' } }, /^spec: Forbidden/],
  [configMaps, { metadata, data: { a: 'b' } }, { data: { a: 'c' } }, undefined],
  [
    configMaps,
    { metadata, data: { a: 'b' }, immutable: true },
    { data: { a: 'c' } },
    /^data: Forbidden: field is immutable/,
  ],
  [
    secrets,
    { metadata, data: { a: 'eA==' }, immutable: true },
    { data: { a: 'eQ==' } },
    /^data: Forbidden: field is immutable when `immutable` is set$/,
  ],
  [secrets, { metadata, immutable: true }, { immutable: false }, /^immutable: Forbidden/],
  [secrets, { metadata }, { type: 'mine' }, /^type: Invalid value: "mine": field is immutable$/],
  [volumes, { metadata }, { spec: { nodeName: 'h1' } }, undefined],
  [
    volumes,
    { metadata, spec: { nodeName: 'h1' } },
    { spec: { nodeName: 'h2' } },
    /^spec.nodeName: Invalid value: "h2": field is immutable: the files are on h1$/,
  ],
  [
    nodes,
    { metadata: { name: 'n' }, spec: { podCIDRs: ['10.80.1.0/24'] } },
    { spec: { podCIDRs: ['10.80.2.0/24'] } },
    /^spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid$/,
  ],
  [
    pods,
    { ...pod({}), metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
    { metadata: { finalizers: ['a/b'] } },
    /^metadata.finalizers: Forbidden: no new finalizers/,
  ],
];

for (const [index, [kind, value, patch, expected]] of changes.entries()) {
  test(`${kind.kind}: change ${index} is ${expected ? `refused: ${String(expected).slice(1, 70)}` : 'allowed'}`, () => {
    const old = made(kind, value);
    const patched = applyMergePatch(old, patch);
    assert.ok(isObject(patched));
    const found = validateUpdate(kind, made(kind, patched), old).map((error) => `${error.field}: ${error.message}`);
    if (expected)
      assert.ok(
        found.some((problem) => expected.test(problem)),
        `found ${JSON.stringify(found)}`,
      );
    else assert.deepEqual(found, []);
  });
}

test('a binding places a pod once', () => {
  const old = made(pods, pod({}));
  const bound = made(pods, pod({ nodeName: 'h1' }));
  assert.deepEqual(validateUpdate(pods, bound, old, { subresource: 'binding' }), []);
  const moved = made(pods, pod({ nodeName: 'h2' }));
  const [error] = validateUpdate(pods, moved, bound, { subresource: 'binding' });
  assert.equal(error?.message, 'Invalid value: "h2": the pod is on node h1 already');
});

test('a status may be written whatever the spec is', () => {
  const old = made(pods, pod({ setHostnameAsFQDN: true }));
  assert.deepEqual(validateUpdate(pods, { ...old, status: { phase: 'Running' } }, old, { subresource: 'status' }), []);
});

test('the answer names the object and each field', () => {
  const errors = validate(deployments, made(deployments, deployment({ replicas: -1, minReadySeconds: -1 })));
  const { status } = invalidError(deployments, 'x', errors);
  assert.equal(status.code, 422);
  assert.equal(status.reason, 'Invalid');
  assert.equal(
    status.message,
    'Deployment.apps "x" is invalid: [spec.replicas: Invalid value: -1: must be greater than or equal to 0, ' +
      'spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0]',
  );
  assert.deepEqual(status.details?.causes?.[0], {
    field: 'spec.replicas',
    reason: 'FieldValueInvalid',
    message: 'Invalid value: -1: must be greater than or equal to 0',
  });
});

test('nothing of a kind is validated by a check that throws on an empty object', () => {
  for (const kind of allKinds) {
    const { object } = decodeValue<ApiObject>(kind, { metadata: { name: 'x' } }, { strictness: 'Strict' });
    assert.ok(Array.isArray(validate(kind, applyDefaults(kind, object))), kind.kind);
  }
});
