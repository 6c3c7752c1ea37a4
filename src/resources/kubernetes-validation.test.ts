// What Kubernetes says about wrong objects, word for word: tools and people look for these sentences. Each case lists all
// that is said.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeValue } from './decode.ts';
import { applyDefaults } from './defaults.ts';
import type { Kind } from './kind.ts';
import {
  configMaps,
  deployments,
  endpointSlices,
  events,
  leases,
  namespaces,
  nodes,
  pods,
  replicaSets,
  secrets,
  services,
} from './kinds.ts';
import type { ApiObject } from './object.ts';
import type { JsonObject } from './schema.ts';
import { validate, validateUpdate } from './validate.ts';

const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an " +
  "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end " +
  "with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const dns1035 =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end " +
  "with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const namePart =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
  "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const labelText =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with " +
  "an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is " +
  "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const configKeyText =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or " +
  "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const percent =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for " +
  "validation is '[0-9]+%')";
const header =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is " +
  "'[-A-Za-z0-9]+')";
const variable = "a valid environment variable name must consist only of printable ASCII characters other than '='";
const port = 'must be between 1 and 65535, inclusive';
const notNegative = 'must be greater than or equal to 0';
const ip = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const mode = 'must be a number between 0 and 0777 (octal), both inclusive';
const unixId = 'must be between 0 and 4294967295, inclusive';

type Case = readonly [object: JsonObject, ...problems: string[]];

const metadata = { name: 'x', namespace: 'd' };
const container = { name: 'c', image: 'i' };
const exec = { exec: { command: ['true'] } };
const pod = (spec: JsonObject): JsonObject => ({ metadata, spec: { containers: [container], ...spec } });
const podWith = (part: JsonObject): JsonObject => pod({ containers: [{ ...container, ...part }] });
const named = (more: JsonObject): JsonObject => ({ metadata: { ...metadata, ...more } });
const volumes = (...given: JsonObject[]): JsonObject => pod({ volumes: given.map((one) => ({ name: 'v', ...one })) });
const mounted = (...mounts: JsonObject[]): JsonObject =>
  pod({ containers: [{ ...container, volumeMounts: mounts }], volumes: [{ name: 'v' }, { name: 'w' }] });
const variables = (...env: JsonObject[]): JsonObject => podWith({ env });
const ports = (...given: JsonObject[]): JsonObject => podWith({ ports: given });
const probed = (probe: JsonObject): JsonObject => podWith({ readinessProbe: probe });
const labels = { a: 'b' };
const template = { metadata: { labels }, spec: { containers: [container] } };
const workload = (spec: JsonObject): JsonObject => ({
  metadata,
  spec: { selector: { matchLabels: labels }, template, ...spec },
});
const rolling = (rollingUpdate: JsonObject): JsonObject => workload({ strategy: { rollingUpdate } });
const selecting = (...matchExpressions: JsonObject[]): JsonObject =>
  workload({ selector: { matchLabels: labels, matchExpressions } });
const service = (spec: JsonObject): JsonObject => ({ metadata, spec });
const long = (length: number) => 'x'.repeat(length);

const cases: Readonly<Record<string, readonly [Kind, readonly Case[]]>> = {
  'names and metadata': [
    configMaps,
    [
      [{ metadata: { namespace: 'd' } }, 'metadata.name: Required value: name or generateName is required'],
      [named({ name: 'A' }), `metadata.name: Invalid value: "A": ${subdomain}`],
      [named({ name: 'a_b' }), `metadata.name: Invalid value: "a_b": ${subdomain}`],
      [named({ name: '-a' }), `metadata.name: Invalid value: "-a": ${subdomain}`],
      [named({ name: 'a..b' }), `metadata.name: Invalid value: "a..b": ${subdomain}`],
      [
        named({ name: long(254) }),
        `metadata.name: Invalid value: "${long(200 - 1)}…: must be no more than 253 characters`,
      ],
      [named({ name: 'a.b-c.0' })],
      [named({ generateName: 'A-' }), `metadata.generateName: Invalid value: "A-": ${subdomain}`],
      [named({ generateName: 'a-' })],
      [{ metadata: { name: 'x' } }, 'metadata.namespace: Required value'],
      [named({ namespace: 'D' }), `metadata.namespace: Invalid value: "D": ${label}`],
      [named({ namespace: 'a.b' }), 'metadata.namespace: Invalid value: "a.b": must not contain dots'],
      [named({ labels: { 'a/b/c': 'x' } }), `metadata.labels: Invalid value: "a/b/c": ${namePart}`],
      [named({ labels: { '/a': 'x' } }), 'metadata.labels: Invalid value: "/a": prefix part must be non-empty'],
      [named({ labels: { 'A/a': 'x' } }), `metadata.labels: Invalid value: "A/a": prefix part ${subdomain}`],
      [named({ labels: { 'a/': 'x' } }), 'metadata.labels: Invalid value: "a/": name part must be non-empty'],
      [
        named({ labels: { [long(64)]: 'x' } }),
        `metadata.labels: Invalid value: "${long(64)}": name part must be no more than 63 characters`,
      ],
      [named({ labels: { a: '-' } }), `metadata.labels: Invalid value: "-": ${labelText}`],
      [
        named({ labels: { a: long(64) } }),
        `metadata.labels: Invalid value: "${long(64)}": must be no more than 63 characters`,
      ],
      [named({ labels: { 'example.com/a': '' } })],
      [named({ annotations: { 'a b': 'x' } }), `metadata.annotations: Invalid value: "a b": ${namePart}`],
      [named({ annotations: { A: 'x y\n{}' } })],
      [
        named({ annotations: { a: long(262_144) } }),
        'metadata.annotations: Too long: may not be more than 262144 bytes',
      ],
      [named({ finalizers: ['a b'] }), `metadata.finalizers: Invalid value: "a b": ${namePart}`],
      [
        named({ finalizers: ['mine'] }),
        'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
      ],
      [named({ finalizers: ['example.com/mine', 'orphan'] })],
      [
        named({ finalizers: ['orphan', 'foregroundDeletion'] }),
        'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
      ],
      [
        named({ ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: '', uid: 'u' }] }),
        'metadata.ownerReferences[0].name: Invalid value: "": name must not be empty',
      ],
      [
        named({
          ownerReferences: ['a', 'b'].map((name) => ({
            apiVersion: 'v1',
            kind: 'Pod',
            name,
            uid: name,
            controller: true,
          })),
        }),
        'metadata.ownerReferences: Invalid value: [{"apiVersion":"v1","kind":"Pod","name":"a","uid":"a","controller":true},' +
          '{"apiVersion":"v1","kind":"Pod","name":"b","uid":"b","controller":true}]: Only one reference can have Controller ' +
          'set to true. Found "true" in references for Pod/a and Pod/b',
      ],
    ],
  ],
  namespaces: [
    namespaces,
    [
      [{ metadata: { name: 'a.b' } }, 'metadata.name: Invalid value: "a.b": must not contain dots'],
      [{ metadata: { name: 'A' } }, `metadata.name: Invalid value: "A": ${label}`],
      [{ metadata: { name: 'a', namespace: 'd' } }, 'metadata.namespace: Forbidden: not allowed on this type'],
      [
        { metadata: { name: 'a' }, spec: { finalizers: ['a b'] } },
        `spec.finalizers[0]: Invalid value: "a b": ${namePart}`,
      ],
    ],
  ],
  pods: [
    pods,
    [
      [{ metadata }, 'spec: Required value'],
      [pod({ containers: [] }), 'spec.containers: Required value'],
      [
        pod({ restartPolicy: 'Sometimes' }),
        'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
      ],
      [pod({ nodeName: 'A' }), `spec.nodeName: Invalid value: "A": ${subdomain}`],
      [pod({ hostname: 'a.b' }), 'spec.hostname: Invalid value: "a.b": must not contain dots'],
      [pod({ nodeSelector: { 'a b': 'c' } }), `spec.nodeSelector: Invalid value: "a b": ${namePart}`],
      [
        pod({ tolerations: [{ value: 'x' }] }),
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
      [
        pod({ tolerations: [{ key: 'a', operator: 'Exists', value: 'x' }] }),
        'spec.tolerations[0].operator: Invalid value: {"key":"a","operator":"Exists","value":"x"}: value must be empty when `operator` is \'Exists\'',
      ],
      [
        pod({ tolerations: [{ key: 'a', operator: 'Has' }] }),
        'spec.tolerations[0].operator: Unsupported value: "Has": supported values: "Equal", "Exists"',
      ],
      [
        pod({ tolerations: [{ key: 'a', effect: 'Now' }] }),
        'spec.tolerations[0].effect: Unsupported value: "Now": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
      ],
      [pod({ tolerations: [{ key: 'a b' }] }), `spec.tolerations[0].key: Invalid value: "a b": ${namePart}`],
      [
        pod({ hostAliases: [{ ip: '1.2.3', hostnames: ['a'] }] }),
        `spec.hostAliases[0].ip: Invalid value: "1.2.3": ${ip}`,
      ],
      [
        pod({ hostNetwork: true, containers: [{ ...container, ports: [{ containerPort: 1, hostPort: 2 }] }] }),
        'spec.containers[0].ports[0].containerPort: Invalid value: 1: must match `hostPort` when `hostNetwork` is true',
      ],
    ],
  ],
  containers: [
    pods,
    [
      [podWith({ name: '' }), 'spec.containers[0].name: Required value'],
      [podWith({ name: 'C' }), `spec.containers[0].name: Invalid value: "C": ${label}`],
      [podWith({ name: 'a.b' }), 'spec.containers[0].name: Invalid value: "a.b": must not contain dots'],
      [
        podWith({ name: long(64) }),
        `spec.containers[0].name: Invalid value: "${long(64)}": must be no more than 63 characters`,
      ],
      [podWith({ image: '' }), 'spec.containers[0].image: Required value'],
      [
        podWith({ image: ' i' }),
        'spec.containers[0].image: Invalid value: " i": must not have leading or trailing whitespace',
      ],
      [
        podWith({ imagePullPolicy: 'Often' }),
        'spec.containers[0].imagePullPolicy: Unsupported value: "Often": supported values: "Always", "IfNotPresent", "Never"',
      ],
      [
        podWith({ securityContext: { runAsUser: -1 } }),
        `spec.containers[0].securityContext.runAsUser: Invalid value: -1: ${unixId}`,
      ],
      [
        podWith({ securityContext: { runAsUser: 1, runAsGroup: 2 ** 32 } }),
        `spec.containers[0].securityContext.runAsGroup: Invalid value: 4294967296: ${unixId}`,
      ],
    ],
  ],
  'container ports': [
    pods,
    [
      [ports({}), 'spec.containers[0].ports[0].containerPort: Required value'],
      [ports({ containerPort: 0 }), 'spec.containers[0].ports[0].containerPort: Required value'],
      [ports({ containerPort: 65_536 }), `spec.containers[0].ports[0].containerPort: Invalid value: 65536: ${port}`],
      [ports({ containerPort: -1 }), `spec.containers[0].ports[0].containerPort: Invalid value: -1: ${port}`],
      [
        ports({ containerPort: 80, hostPort: 65_536 }),
        `spec.containers[0].ports[0].hostPort: Invalid value: 65536: ${port}`,
      ],
      [ports({ containerPort: 80, hostPort: 0 })],
      [
        ports({ containerPort: 80, protocol: 'ICMP' }),
        'spec.containers[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP"',
      ],
      [
        ports({ containerPort: 80, name: long(16) }),
        `spec.containers[0].ports[0].name: Invalid value: "${long(16)}": must be no more than 15 characters`,
      ],
      [
        ports({ containerPort: 80, name: 'Web' }),
        'spec.containers[0].ports[0].name: Invalid value: "Web": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
      ],
      [
        ports({ containerPort: 80, name: '80' }),
        'spec.containers[0].ports[0].name: Invalid value: "80": must contain at least one letter (a-z)',
      ],
      [
        ports({ containerPort: 80, name: 'a--b' }),
        'spec.containers[0].ports[0].name: Invalid value: "a--b": must not contain consecutive hyphens',
      ],
      [
        ports({ containerPort: 80, name: 'a-' }),
        'spec.containers[0].ports[0].name: Invalid value: "a-": must not begin or end with a hyphen',
      ],
      [
        ports({ containerPort: 80, name: 'a' }, { containerPort: 81, name: 'a' }),
        'spec.containers[0].ports[1].name: Duplicate value: "a"',
      ],
      [
        ports({ containerPort: 80, hostPort: 80 }, { containerPort: 81, hostPort: 80 }),
        'spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"',
      ],
      [ports({ containerPort: 80, hostPort: 80 }, { containerPort: 80, hostPort: 80, protocol: 'UDP' })],
    ],
  ],
  variables: [
    pods,
    [
      [variables({ value: 'x' }), 'spec.containers[0].env[0].name: Required value'],
      [variables({ name: 'a=b' }), `spec.containers[0].env[0].name: Invalid value: "a=b": ${variable}`],
      [variables({ name: '1A' }, { name: 'a.b-c' })],
      [
        variables({ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }),
        'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
      ],
      [
        variables({
          name: 'A',
          valueFrom: { secretKeyRef: { name: 's', key: 'k' }, configMapKeyRef: { name: 'c', key: 'k' } },
        }),
        'spec.containers[0].env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time',
      ],
      [
        variables({ name: 'A', valueFrom: { fieldRef: {} } }),
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Required value',
      ],
      [
        variables({ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.x' } } }),
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.x": supported values: "metadata.name", ' +
          '"metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
      ],
      [
        variables({ name: 'A', valueFrom: { secretKeyRef: { key: 'k' } } }),
        'spec.containers[0].env[0].valueFrom.secretKeyRef.name: Required value',
      ],
      [
        variables({ name: 'A', valueFrom: { secretKeyRef: { name: 's' } } }),
        'spec.containers[0].env[0].valueFrom.secretKeyRef.key: Required value',
      ],
      [
        variables({ name: 'A', valueFrom: { configMapKeyRef: { name: 's', key: 'a b' } } }),
        `spec.containers[0].env[0].valueFrom.configMapKeyRef.key: Invalid value: "a b": ${configKeyText}`,
      ],
      [
        podWith({ envFrom: [{}] }),
        'spec.containers[0].envFrom[0]: Invalid value: "": must specify one of: `configMapRef` or `secretRef`',
      ],
      [
        podWith({ envFrom: [{ configMapRef: { name: 'a' }, secretRef: { name: 'b' } }] }),
        'spec.containers[0].envFrom[0]: Invalid value: "": may not have more than one field specified at a time',
      ],
      [podWith({ envFrom: [{ secretRef: {} }] }), 'spec.containers[0].envFrom[0].secretRef.name: Required value'],
    ],
  ],
  resources: [
    pods,
    [
      [
        podWith({ resources: { limits: { memory: '-1Gi' } } }),
        `spec.containers[0].resources.limits[memory]: Invalid value: "-1Gi": ${notNegative}`,
        `spec.containers[0].resources.requests[memory]: Invalid value: "-1Gi": ${notNegative}`,
      ],
      [
        podWith({ resources: { limits: { cpu: '500m' }, requests: { cpu: '1' } } }),
        'spec.containers[0].resources.requests: Invalid value: "1": must be less than or equal to cpu limit of 500m',
      ],
      [
        podWith({ resources: { limits: { memory: '1G' }, requests: { memory: '1Gi' } } }),
        'spec.containers[0].resources.requests: Invalid value: "1Gi": must be less than or equal to memory limit of 1G',
      ],
      [podWith({ resources: { limits: { cpu: '1' }, requests: { cpu: '1000m' } } })],
    ],
  ],
  probes: [
    pods,
    [
      [probed({}), 'spec.containers[0].readinessProbe: Required value: must specify a handler type'],
      [
        probed({ ...exec, tcpSocket: { port: 80 } }),
        'spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type',
      ],
      ...['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'].map(
        (name): Case => [
          probed({ ...exec, [name]: -1 }),
          `spec.containers[0].readinessProbe.${name}: Invalid value: -1: ${notNegative}`,
        ],
      ),
      [
        podWith({ livenessProbe: { ...exec, successThreshold: 2 } }),
        'spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1',
      ],
      [probed({ exec: {} }), 'spec.containers[0].readinessProbe.exec.command: Required value'],
      [probed({ httpGet: { port: 0 } }), `spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: ${port}`],
      [
        probed({ httpGet: { port: 80, scheme: 'FTP' } }),
        'spec.containers[0].readinessProbe.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"',
      ],
      [
        probed({ httpGet: { port: 80, httpHeaders: [{ name: 'A_b', value: 'x' }] } }),
        `spec.containers[0].readinessProbe.httpGet.httpHeaders[0].name: Invalid value: "A_b": ${header}`,
      ],
      [
        probed({ tcpSocket: { port: 65_536 } }),
        `spec.containers[0].readinessProbe.tcpSocket.port: Invalid value: 65536: ${port}`,
      ],
    ],
  ],
  volumes: [
    pods,
    [
      [volumes({ name: '' }), 'spec.volumes[0].name: Required value'],
      [volumes({ name: 'V' }), `spec.volumes[0].name: Invalid value: "V": ${label}`],
      [volumes({}, {}), 'spec.volumes[1].name: Duplicate value: "v"'],
      [
        volumes({ emptyDir: {}, secret: { secretName: 's' } }),
        'spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type',
      ],
      [volumes({ hostPath: { path: '' } }), 'spec.volumes[0].hostPath.path: Required value'],
      [
        volumes({ hostPath: { path: '/a/../b' } }),
        'spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain \'..\'',
      ],
      [volumes({ secret: {} }), 'spec.volumes[0].secret.secretName: Required value'],
      [
        volumes({ secret: { secretName: 's', defaultMode: 0o1000 } }),
        `spec.volumes[0].secret.defaultMode: Invalid value: 512: ${mode}`,
      ],
      [
        volumes({ configMap: { name: 'c', defaultMode: -1 } }),
        `spec.volumes[0].configMap.defaultMode: Invalid value: -1: ${mode}`,
      ],
      [volumes({ configMap: {} }), 'spec.volumes[0].configMap.name: Required value'],
      [
        volumes({ configMap: { name: 'c', items: [{ path: 'p' }] } }),
        'spec.volumes[0].configMap.items[0].key: Required value',
      ],
      [
        volumes({ configMap: { name: 'c', items: [{ key: 'k' }] } }),
        'spec.volumes[0].configMap.items[0].path: Required value',
      ],
      [
        volumes({ configMap: { name: 'c', items: [{ key: 'k', path: '/p' }] } }),
        'spec.volumes[0].configMap.items[0].path: Invalid value: "/p": must be a relative path',
      ],
      [
        volumes({ configMap: { name: 'c', items: [{ key: 'k', path: 'a/../b' }] } }),
        'spec.volumes[0].configMap.items[0].path: Invalid value: "a/../b": must not contain \'..\'',
      ],
      [
        volumes({ configMap: { name: 'c', items: [{ key: 'k', path: '..b' }] } }),
        'spec.volumes[0].configMap.items[0].path: Invalid value: "..b": must not start with \'..\'',
      ],
      [
        volumes({ configMap: { name: 'c', items: [{ key: 'k', path: 'p', mode: 512 }] } }),
        `spec.volumes[0].configMap.items[0].mode: Invalid value: 512: ${mode}`,
      ],
      [volumes({ persistentVolumeClaim: {} }), 'spec.volumes[0].persistentVolumeClaim.claimName: Required value'],
      [mounted({ mountPath: '/a' }), 'spec.containers[0].volumeMounts[0].name: Required value'],
      [mounted({ name: 'v' }), 'spec.containers[0].volumeMounts[0].mountPath: Required value'],
      [mounted({ name: 'none', mountPath: '/a' }), 'spec.containers[0].volumeMounts[0].name: Not found: "none"'],
      [
        mounted({ name: 'v', mountPath: '/a' }, { name: 'w', mountPath: '/a' }),
        'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique',
      ],
    ],
  ],
  deployments: [
    deployments,
    [
      [workload({ replicas: -1 }), `spec.replicas: Invalid value: -1: ${notNegative}`],
      [workload({ minReadySeconds: -1 }), `spec.minReadySeconds: Invalid value: -1: ${notNegative}`],
      [workload({ revisionHistoryLimit: -1 }), `spec.revisionHistoryLimit: Invalid value: -1: ${notNegative}`],
      [
        workload({ progressDeadlineSeconds: 7, minReadySeconds: 7 }),
        'spec.progressDeadlineSeconds: Invalid value: 7: must be greater than minReadySeconds',
      ],
      [workload({ selector: undefined }), 'spec.selector: Required value'],
      [workload({ selector: {} }), 'spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
      [
        workload({ selector: { matchLabels: { a: 'c' } } }),
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
      ],
      [
        workload({ template: { spec: { containers: [container] } } }),
        'spec.template.metadata.labels: Invalid value: {}: `selector` does not match template `labels`',
      ],
      [
        workload({ template: { ...template, spec: { containers: [container], restartPolicy: 'OnFailure' } } }),
        'spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"',
      ],
      [
        selecting({ key: 'a', operator: 'In' }),
        "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
      ],
      [
        selecting({ key: 'a', operator: 'Exists', values: ['x'] }),
        "spec.selector.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      ],
      [
        workload({ strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } }),
        "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
      ],
      [
        workload({ strategy: { type: 'Blue' } }),
        'spec.strategy.type: Unsupported value: "Blue": supported values: "Recreate", "RollingUpdate"',
      ],
      [rolling({ maxSurge: -1 }), `spec.strategy.rollingUpdate.maxSurge: Invalid value: -1: ${notNegative}`],
      [rolling({ maxSurge: '1.5%' }), `spec.strategy.rollingUpdate.maxSurge: Invalid value: "1.5%": ${percent}`],
      [rolling({ maxUnavailable: 'x' }), `spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "x": ${percent}`],
      [
        rolling({ maxUnavailable: '101%' }),
        'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
      ],
      [
        rolling({ maxUnavailable: '0%', maxSurge: 0 }),
        'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0',
      ],
      [
        workload({ template: { ...template, spec: { containers: [{ name: 'c' }] } } }),
        'spec.template.spec.containers[0].image: Required value',
      ],
      [
        workload({ template: { metadata: { labels: { a: 'b', c: 'd e' } }, spec: template.spec } }),
        `spec.template.metadata.labels: Invalid value: "d e": ${labelText}`,
      ],
    ],
  ],
  replicasets: [
    replicaSets,
    [
      [workload({ selector: {} }), 'spec.selector: Invalid value: {}: empty selector is invalid for ReplicaSet'],
      [
        selecting({ key: 'a', operator: 'Is', values: ['b'] }),
        'spec.selector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator',
        'spec.selector: Invalid value: {"matchLabels":{"a":"b"},"matchExpressions":[{"key":"a","operator":"Is","values":["b"]}]}: invalid label selector',
      ],
      [
        selecting({ key: 'a', operator: 'NotIn', values: ['x y'] }),
        `spec.selector.matchExpressions[0].values[0]: Invalid value: "x y": ${labelText}`,
      ],
    ],
  ],
  services: [
    services,
    [
      [{ metadata: { name: '1a', namespace: 'd' } }, `metadata.name: Invalid value: "1a": ${dns1035}`],
      [{ metadata: { name: 'a.b', namespace: 'd' } }, `metadata.name: Invalid value: "a.b": ${dns1035}`],
      [
        service({ ports: [{ port: 0 }] }),
        `spec.ports[0].port: Invalid value: 0: ${port}`,
        `spec.ports[0].targetPort: Invalid value: 0: ${port}`,
      ],
      [
        service({ ports: [{ port: 80, protocol: 'HTTP' }] }),
        'spec.ports[0].protocol: Unsupported value: "HTTP": supported values: "TCP", "UDP"',
      ],
      [
        service({ ports: [{ port: 80, targetPort: 65_536 }] }),
        `spec.ports[0].targetPort: Invalid value: 65536: ${port}`,
      ],
      [
        service({ ports: [{ port: 80, targetPort: 'Web' }] }),
        'spec.ports[0].targetPort: Invalid value: "Web": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
      ],
      [service({ ports: [{ port: 80, name: 'A' }] }), `spec.ports[0].name: Invalid value: "A": ${label}`],
      [
        service({ ports: [{ port: 80 }, { port: 81 }] }),
        'spec.ports[0].name: Required value',
        'spec.ports[1].name: Required value',
      ],
      [
        service({
          ports: [
            { name: 'a', port: 80 },
            { name: 'a', port: 81 },
          ],
        }),
        'spec.ports[1].name: Duplicate value: "a"',
      ],
      [
        service({
          ports: [
            { name: 'a', port: 80 },
            { name: 'b', port: 80 },
          ],
        }),
        'spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}',
      ],
      [
        service({
          ports: [
            { name: 'a', port: 53 },
            { name: 'b', port: 53, protocol: 'UDP' },
          ],
        }),
      ],
      [
        service({ ports: [{ port: 80, appProtocol: 'a b' }] }),
        `spec.ports[0].appProtocol: Invalid value: "a b": ${namePart}`,
      ],
      [service({ selector: { a: 'b c' } }), `spec.selector: Invalid value: "b c": ${labelText}`],
    ],
  ],
  'config maps': [
    configMaps,
    [
      [{ metadata, data: { 'a b': 'x' } }, `data[a b]: Invalid value: "a b": ${configKeyText}`],
      [{ metadata, data: { '..': 'x' } }, 'data[..]: Invalid value: "..": must not be \'..\''],
      [{ metadata, data: { '.': 'x' } }, 'data[.]: Invalid value: ".": must not be \'.\''],
      [{ metadata, data: { '..a': 'x' } }, 'data[..a]: Invalid value: "..a": must not start with \'..\''],
      [
        { metadata, data: { a: 'x' }, binaryData: { a: 'eA==' } },
        'data[a]: Invalid value: "a": duplicate of key present in binaryData',
        'binaryData[a]: Invalid value: "a": duplicate of key present in data',
      ],
      [{ metadata, data: { a: long(1_048_577) } }, ': Too long: may not be more than 1048576 bytes'],
    ],
  ],
  secrets: [
    secrets,
    [
      [{ metadata, data: { 'a/b': 'eA==' } }, `data[a/b]: Invalid value: "a/b": ${configKeyText}`],
      [{ metadata, type: 'kubernetes.io/tls' }, 'data[tls.crt]: Required value', 'data[tls.key]: Required value'],
      [{ metadata, type: 'kubernetes.io/ssh-auth' }, 'data[ssh-privatekey]: Required value'],
      [
        { metadata, type: 'kubernetes.io/basic-auth' },
        'data[username]: Required value',
        'data[password]: Required value',
      ],
      [{ metadata, type: 'kubernetes.io/basic-auth', data: { username: 'eA==' } }],
      [{ metadata, type: 'kubernetes.io/dockerconfigjson' }, 'data[.dockerconfigjson]: Required value'],
      [
        { metadata, type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': 'hunter2' } },
        'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": must be a JSON object',
      ],
      [
        { metadata, data: { a: Buffer.alloc(1_048_577).toString('base64') } },
        'data: Too long: may not be more than 1048576 bytes',
      ],
    ],
  ],
  nodes: [
    nodes,
    [
      [{ metadata: { name: 'A' } }, `metadata.name: Invalid value: "A": ${subdomain}`],
      [{ metadata: { name: 'n' }, spec: { taints: [{ effect: 'NoSchedule' }] } }, 'spec.taints[0].key: Required value'],
      [{ metadata: { name: 'n' }, spec: { taints: [{ key: 'a' }] } }, 'spec.taints[0].effect: Required value'],
      [
        { metadata: { name: 'n' }, spec: { taints: [{ key: 'a', effect: 'Now' }] } },
        'spec.taints[0].effect: Unsupported value: "Now": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
      ],
      [
        { metadata: { name: 'n' }, spec: { taints: [{ key: 'a', value: 'b c', effect: 'NoSchedule' }] } },
        `spec.taints[0].value: Invalid value: "b c": ${labelText}`,
      ],
      [
        { metadata: { name: 'n' }, spec: { taints: [1, 2].map(() => ({ key: 'a', effect: 'NoSchedule' })) } },
        'spec.taints[1]: Duplicate value: {"key":"a","effect":"NoSchedule"}: taints must be unique by key and effect pair',
      ],
      [
        { metadata: { name: 'n' }, spec: { podCIDRs: ['10.0.0.0/33'] } },
        'spec.podCIDRs[0]: Invalid value: "10.0.0.0/33": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
      ],
    ],
  ],
  leases: [
    leases,
    [
      [
        { metadata, spec: { leaseDurationSeconds: 0 } },
        'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
      ],
      [{ metadata, spec: { leaseTransitions: -1 } }, `spec.leaseTransitions: Invalid value: -1: ${notNegative}`],
    ],
  ],
  'endpoint slices': [
    endpointSlices,
    [
      [{ metadata }, 'addressType: Required value'],
      [
        { metadata, addressType: 'IPv5' },
        'addressType: Unsupported value: "IPv5": supported values: "FQDN", "IPv4", "IPv6"',
      ],
      [
        { metadata, addressType: 'IPv4', endpoints: [{ addresses: [] }] },
        'endpoints[0].addresses: Required value: must contain at least 1 address',
      ],
      [
        { metadata, addressType: 'IPv4', endpoints: [{ addresses: ['fd00::1'] }] },
        'endpoints[0].addresses[0]: Invalid value: "fd00::1": must be an IPv4 address',
      ],
      [
        { metadata, addressType: 'FQDN', endpoints: Array.from({ length: 1001 }, () => ({ addresses: ['a'] })) },
        'endpoints: Too many: 1001: must have at most 1000 items',
      ],
      [{ metadata, addressType: 'IPv4', ports: [{ port: 80 }, { port: 81 }] }, 'ports[1].name: Duplicate value: ""'],
    ],
  ],
  events: [
    events,
    [
      [
        { metadata, involvedObject: { namespace: 'e' } },
        'involvedObject.namespace: Invalid value: "e": does not match event.namespace',
      ],
    ],
  ],
};

function made(kind: Kind, value: JsonObject): ApiObject {
  return applyDefaults(kind, decodeValue<ApiObject>(kind, value, { strictness: 'Strict' }).object);
}

const sentences = (errors: ReturnType<typeof validate>) => errors.map(({ field, message }) => `${field}: ${message}`);

for (const [title, [kind, list]] of Object.entries(cases)) {
  describe(`what is said about ${title}`, () => {
    for (const [object, ...problems] of list) {
      test((problems[0] ?? `nothing: ${JSON.stringify(object)}`).slice(0, 110), () => {
        assert.deepEqual(sentences(validate(kind, made(kind, object))), problems);
      });
    }
  });
}

const changes: readonly (readonly [string, Kind, JsonObject, JsonObject, ...string[]])[] = [
  [
    'a selector',
    deployments,
    workload({}),
    workload({ selector: { matchLabels: labels, matchExpressions: [{ key: 'a', operator: 'Exists' }] } }),
    'spec.selector: Invalid value: {"matchLabels":{"a":"b"},"matchExpressions":[{"key":"a","operator":"Exists"}]}: field is immutable',
  ],
  [
    'a size and a template',
    deployments,
    workload({}),
    workload({ replicas: 3, template: { ...template, spec: { containers: [{ name: 'x', image: 'y' }] } } }),
  ],
  [
    'a pod',
    pods,
    pod({}),
    pod({ hostname: 'h' }),
    'spec: Forbidden: pod updates may not change fields other than `spec.tolerations` (only additions to existing tolerations)',
  ],
  ['one more toleration', pods, pod({}), pod({ tolerations: [{ operator: 'Exists' }] })],
  [
    'one toleration less',
    pods,
    pod({ tolerations: [{ key: 'a' }] }),
    pod({}),
    'spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds',
  ],
  [
    'a type of secret',
    secrets,
    { metadata },
    { metadata, type: 'x/y' },
    'type: Invalid value: "x/y": field is immutable',
  ],
  [
    'immutable data',
    configMaps,
    { metadata, immutable: true, data: { a: 'b' } },
    { metadata, immutable: true, data: { a: 'c' } },
    'data: Forbidden: field is immutable when `immutable` is set',
  ],
  [
    'immutable itself',
    configMaps,
    { metadata, immutable: true },
    { metadata },
    'immutable: Forbidden: field is immutable when `immutable` is set',
  ],
  [
    'an address type',
    endpointSlices,
    { metadata, addressType: 'IPv4' },
    { metadata, addressType: 'IPv6' },
    'addressType: Invalid value: "IPv6": field is immutable',
  ],
  [
    'a provider',
    nodes,
    { metadata: { name: 'n' }, spec: { providerID: 'a' } },
    { metadata: { name: 'n' }, spec: { providerID: 'b' } },
    'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
  ],
];

describe('what is said about changes', () => {
  for (const [title, kind, before, after, ...problems] of changes) {
    test(title, () => {
      assert.deepEqual(sentences(validateUpdate(kind, made(kind, after), made(kind, before))), problems);
    });
  }
});

test('there are enough cases', () => {
  const count = Object.values(cases).reduce((sum, [, list]) => sum + list.length, changes.length);
  assert.ok(count >= 150, `${count} cases`);
});
