import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
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
  secrets,
  services,
} from './kinds.ts';
import type { JsonObject } from './schema.ts';
import { validateUpdate } from './validate.ts';
import {
  configKeyText,
  dns1035,
  label,
  labels,
  labelText,
  long,
  made,
  metadata,
  named,
  namePart,
  notNegative,
  pod,
  port,
  sentences,
  service,
  subdomain,
  template,
  testCases,
  workload,
} from './validation-cases.ts';

testCases(
  {
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
    services: [
      services,
      [
        [
          { metadata: { name: '1a', namespace: 'd' }, spec: { ports: [{ port: 80 }] } },
          `metadata.name: Invalid value: "1a": ${dns1035}`,
        ],
        [
          { metadata: { name: 'a.b', namespace: 'd' }, spec: { ports: [{ port: 80 }] } },
          `metadata.name: Invalid value: "a.b": ${dns1035}`,
        ],
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
              { name: 'a', port: 53 },
              { name: 'b', port: 53, protocol: 'UDP' },
            ],
          }),
        ],
        [
          service({ ports: [{ port: 80, appProtocol: 'a b' }] }),
          `spec.ports[0].appProtocol: Invalid value: "a b": ${namePart}`,
        ],
        [
          service({ ports: [{ port: 80 }], selector: { a: 'b c' } }),
          `spec.selector: Invalid value: "b c": ${labelText}`,
        ],
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
        [{ metadata, type: 'flotilla.dev/basic-auth' }, 'data[auth]: Required value'],
        ...[
          ['', 'must have 1 to 1000 lines name:hash'],
          ['ada:$6$salt$hash\nbob:hunter2\n', 'line 2 must be name:hash, with a hash such as openssl passwd -6 makes'],
          ['ada:$apr1$salt$hash', 'line 1 must be name:hash, with a hash such as openssl passwd -6 makes'],
          ['a"b:$6$salt$hash', 'line 1 must be name:hash, with a hash such as openssl passwd -6 makes'],
          ['ada:$6$salt$hash\n\nada:$5$salt$hash', 'line 3 names a user a second time'],
        ].map(([auth = '', why = '']): [JsonObject, string] => [
          { metadata, type: 'flotilla.dev/basic-auth', stringData: { auth } },
          `data[auth]: Invalid value: "<secret contents redacted>": ${why}`,
        ]),
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
        [
          { metadata: { name: 'n' }, spec: { taints: [{ effect: 'NoSchedule' }] } },
          'spec.taints[0].key: Required value',
        ],
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
  },
  70,
);

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
    'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.tolerations` (only additions to existing tolerations)',
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
