import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from './api-error.ts';
import { deleteOptionsBody } from './bodies.ts';
import { configMaps, deployments, events, leases, namespaces, pods, secrets, services } from './kinds.ts';
import { decodeProtobuf, isKubernetesProtobuf } from './protobuf.ts';

const strict = { strictness: 'Strict' } as const;

/** Bodies as kubectl 1.35 sends them. */
const recorded = {
  deployment:
    'azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50EsEBCiMKA3dlYhIAGgRzaG9wIgAqADIAOABCAFoKCgNhcHASA3dlYhKLAQgAEgwKCgoDYXBwEgN3' +
    'ZWIacQocCgASABoAIgAqADIAOABCAFoKCgNhcHASA3dlYhJREjMKBW5naW54EgpuZ2lueDoxLjI3KgAyCgoAEAAYUCIAKgBCAGoAcgCAAQCIAQCQ' +
    'AQCiAQAaADIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAIgIKACgAOAAaDAgAEAAYACAAKAA4ABoAIgA=',
  configMap: 'azhzAAoPCgJ2MRIJQ29uZmlnTWFwEioKFQoBYxIAGgRzaG9wIgAqADIAOABCABIGCgFhEgFiEgkKBWVtcHR5EgAaACIA',
  secret: 'azhzAAoMCgJ2MRIGU2VjcmV0Ei4KFQoBcxIAGgRzaG9wIgAqADIAOABCABITCghwYXNzd29yZBIHaHVudGVyMhoAGgAiAA==',
  service:
    'azhzAAoNCgJ2MRIHU2VydmljZRJtCiMKA3dlYhIAGgRzaG9wIgAqADIAOABCAFoKCgNhcHASA3dlYhJCChsKBzgwLTgwODASA1RDUBhQIgcIABCQ' +
    'PxoAKAASCgoDYXBwEgN3ZWIaACIJQ2x1c3RlcklQOgBCAFIAWgBgAGgAGgIKABoAIgA=',
  namespace: 'azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhwKFAoEc2hvcBIAGgAiACoAMgA4AEIAEgAaAgoAGgAiAA==',
};

const bytesOf = (base64: string) => Buffer.from(base64, 'base64');

test('a deployment of kubectl: zero values are dropped, but for an explicit replicas: 0', () => {
  assert.deepEqual(decodeProtobuf(deployments, bytesOf(recorded.deployment), strict), {
    warnings: [],
    object: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' } },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            containers: [{ name: 'nginx', image: 'nginx:1.27', ports: [{ containerPort: 80 }], resources: {} }],
          },
        },
        strategy: {},
      },
      status: {},
    },
  });
});

test('maps of texts and of bytes, an int-or-string', () => {
  const configMap = decodeProtobuf(configMaps, bytesOf(recorded.configMap), strict).object;
  assert.deepEqual(configMap.data, { a: 'b', empty: '' });
  const secret = decodeProtobuf(secrets, bytesOf(recorded.secret), strict).object;
  assert.deepEqual(secret.data, { password: Buffer.from('hunter2').toString('base64') });
  const service = decodeProtobuf(services, bytesOf(recorded.service), strict).object;
  assert.deepEqual(service.spec, {
    ports: [{ name: '80-8080', protocol: 'TCP', port: 80, targetPort: 8080 }],
    selector: { app: 'web' },
    type: 'ClusterIP',
  });
  const namespace = decodeProtobuf(namespaces, bytesOf(recorded.namespace), strict).object;
  assert.equal(namespace.metadata.name, 'shop');
});

// A writer, just enough to say what no command of kubectl sends.
const number = (field: number, value: number) => [...varint(field << 3), ...varint(value)];
const bytes = (field: number, value: readonly number[]) => [
  ...varint((field << 3) | 2),
  ...varint(value.length),
  ...value,
];
const text = (field: number, value: string) => bytes(field, [...Buffer.from(value)]);

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  return [...out, Number(rest)];
}

function envelope(apiVersion: string, kind: string, raw: readonly number[]): Uint8Array {
  return Uint8Array.from([
    0x6b,
    0x38,
    0x73,
    0,
    ...bytes(1, [...text(1, apiVersion), ...text(2, kind)]),
    ...bytes(2, raw),
  ]);
}

const pod = (spec: readonly number[]) => envelope('v1', 'Pod', [...bytes(1, text(1, 'p')), ...bytes(2, spec)]);

test('embedded structs stand among the fields of their parent', () => {
  const volume = [...text(1, 'v'), ...bytes(2, bytes(19, [...bytes(1, text(1, 'cm')), ...number(4, 0)]))];
  const exec = bytes(1, bytes(1, [...text(1, 'a'), ...text(1, 'b')]));
  const probe = [...exec, ...number(4, 5)];
  const env = [...text(1, 'E'), ...bytes(3, bytes(4, [...bytes(1, text(1, 's')), ...text(2, 'k')]))];
  const limits = bytes(1, [...text(1, 'cpu'), ...bytes(2, text(1, '500m'))]);
  const context = [...number(4, 0), ...number(6, 1)];
  const container = [
    ...text(1, 'c'),
    ...bytes(7, env),
    ...bytes(8, limits),
    ...bytes(11, probe),
    ...bytes(15, context),
  ];
  const { object } = decodeProtobuf(pods, pod([...bytes(1, volume), ...bytes(2, container)]), strict);
  assert.deepEqual(object.spec, {
    volumes: [{ name: 'v', configMap: { name: 'cm', optional: false } }],
    containers: [
      {
        name: 'c',
        env: [{ name: 'E', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }],
        resources: { limits: { cpu: '500m' } },
        readinessProbe: { exec: { command: ['a', 'b'] }, periodSeconds: 5 },
        securityContext: { runAsUser: 0, readOnlyRootFilesystem: true },
      },
    ],
  });
});

test('what is not supported keeps its name, so that it can be refused', () => {
  const gates = bytes(28, bytes(1, bytes(1, [])));
  const { object } = decodeProtobuf(pods, pod([...gates, ...number(12, 1), ...bytes(26, [])]), strict);
  assert.deepEqual(object.spec, { readinessGates: ['(protobuf)'], hostPID: true });
});

test('times, with and without fractions; the zero time is absent', () => {
  const time = [...number(1, 1_767_225_600), ...number(2, 123_456_789)];
  const lease = envelope('coordination.k8s.io/v1', 'Lease', bytes(2, [...bytes(4, time), ...number(2, 15)]));
  assert.deepEqual(decodeProtobuf(leases, lease, strict).object.spec, {
    renewTime: '2026-01-01T00:00:00.123456Z',
    leaseDurationSeconds: 15,
  });
  const event = envelope('v1', 'Event', [...bytes(6, time), ...bytes(7, []), ...number(8, 2)]);
  const { firstTimestamp, lastTimestamp, count } = decodeProtobuf(events, event, strict).object;
  assert.deepEqual(
    { firstTimestamp, lastTimestamp, count },
    {
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: undefined,
      count: 2,
    },
  );
});

test('delete options of helm', () => {
  const body = envelope('v1', 'DeleteOptions', [...number(1, 0), ...text(4, 'Background'), ...text(5, 'All')]);
  assert.deepEqual(decodeProtobuf(deleteOptionsBody, body, strict).object, {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    gracePeriodSeconds: 0,
    propagationPolicy: 'Background',
    dryRun: ['All'],
  });
});

test('an unknown number is refused when strict, otherwise warned about', () => {
  const body = pod(number(99, 1));
  assert.throws(() => decodeProtobuf(pods, body, strict), /strict decoding error: unknown field "spec.#99"/);
  assert.deepEqual(decodeProtobuf(pods, body, { strictness: 'Warn' }).warnings, ['unknown field "spec.#99"']);
});

test('any bytes give an object or an ApiError', () => {
  assert.equal(isKubernetesProtobuf(bytesOf(recorded.secret)), true);
  assert.equal(isKubernetesProtobuf(Buffer.from('{"a":1}')), false);
  const whole = bytesOf(recorded.deployment);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, length) => {
      const broken = Uint8Array.from(whole).subarray(0, length);
      if (at >= 4 && at < length) broken[at] = byte;
      try {
        decodeProtobuf(deployments, broken, { strictness: 'Warn' });
      } catch (error) {
        assert.ok(error instanceof ApiError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});
