import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeValue } from './decode.ts';
import { applyDefaults } from './defaults.ts';
import type { Kind } from './kind.ts';
import { deployments, nodes, pods, services } from './kinds.ts';
import type { ApiObject } from './object.ts';
import type { JsonObject } from './schema.ts';
import { validate } from './validate.ts';
import { warningsOf } from './warnings.ts';

const metadata = { name: 'x', namespace: 'd' };
const containers = [{ name: 'c', image: 'i' }];
const pod = (spec: JsonObject): JsonObject => ({ metadata, spec: { containers, ...spec } });
const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { a: 'b' } } };
const antiAffinity = {
  podAntiAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: term }],
  },
};
const spread = { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' };

const cases: readonly (readonly [Kind, JsonObject, readonly RegExp[]])[] = [
  [pods, pod({}), []],
  [pods, pod({ imagePullSecrets: [] }), []],
  [pods, pod({ imagePullSecrets: [{ name: 's' }] }), [/^spec.imagePullSecrets: accepted, and not done: log /]],
  [
    pods,
    pod({ affinity: antiAffinity }),
    [/^spec.affinity.podAntiAffinity.preferredDuring\w+: accepted, and not done: preferences are not looked at/],
  ],
  [
    pods,
    pod({ topologySpreadConstraints: [spread] }),
    [/^spec.topologySpreadConstraints: accepted, and not done: the/],
  ],
  [
    deployments,
    {
      metadata,
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers, affinity: antiAffinity } },
      },
    },
    [/^spec.template.spec.affinity.podAntiAffinity.preferredDuring\w+: /],
  ],
  [services, { metadata, spec: { ports: [{ port: 80 }] } }, []],
  [
    services,
    { metadata, spec: { ports: [{ port: 80, targetPort: 80 }], trafficDistribution: 'PreferClose' } },
    [/^spec.trafficDistribution: /],
  ],
  [
    services,
    { metadata, spec: { clusterIP: 'None', ports: [{ port: 80, targetPort: 8080 }] } },
    [/^spec.ports\[0\]: the name of this Service object .*: connect to the target port 8080, not to port 80$/],
  ],
  [services, { metadata, spec: { clusterIP: '10.96.0.7', ports: [{ port: 80, targetPort: 8080 }] } }, []],
  [services, { metadata, spec: { type: 'NodePort', ports: [{ port: 80, targetPort: 8080 }] } }, []],
  [
    nodes,
    {
      metadata: { name: 'n' },
      spec: {
        taints: [
          { key: 'a', effect: 'NoSchedule' },
          { key: 'b', effect: 'PreferNoSchedule' },
        ],
      },
    },
    [/^spec.taints\[1\]: PreferNoSchedule changes nothing/],
  ],
];

for (const [kind, value, expected] of cases) {
  test(`${kind.kind} ${JSON.stringify(value.spec).slice(0, 80)} has ${expected.length} warnings`, () => {
    const { object } = decodeValue<ApiObject>(kind, value, { strictness: 'Strict' });
    applyDefaults(kind, object);
    assert.deepEqual(validate(kind, object), [], 'is accepted');
    const warnings = warningsOf(kind, object);
    assert.equal(warnings.length, expected.length, JSON.stringify(warnings));
    for (const [index, pattern] of expected.entries()) assert.match(warnings[index] ?? '', pattern);
  });
}

test('no more warnings than somebody reads', () => {
  const ports = Array.from({ length: 50 }, (_, at) => ({ name: `p${at}`, port: at + 1, targetPort: 9999 }));
  const { object } = decodeValue<ApiObject>(
    services,
    { metadata, spec: { clusterIP: 'None', ports } },
    { strictness: 'Strict' },
  );
  assert.equal(warningsOf(services, object).length, 20);
});
