import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from './api-error.ts';
import { configMaps, deployments, nodes, pods } from './kinds.ts';
import { applyStrategicMerge } from './strategic-merge.ts';

const pod = (spec: object) => ({ spec });
const containers = (...list: object[]) => pod({ containers: list });

const cases = [
  {
    name: 'items of a list are merged by their key, in the order of the patch, the others where they stood',
    kind: pods,
    original: containers({ name: 'a', image: '1', tty: true }, { name: 'b', image: '1' }),
    patch: containers({ name: 'c', image: '3' }, { name: 'a', image: '2' }),
    expected: containers({ name: 'c', image: '3' }, { name: 'a', image: '2', tty: true }, { name: 'b', image: '1' }),
  },
  {
    name: 'null deletes, also what is not there',
    kind: configMaps,
    original: { data: { a: '1', b: '2' } },
    patch: { data: { a: null, c: null }, metadata: { labels: { x: null } } },
    expected: { data: { b: '2' }, metadata: { labels: {} } },
  },
  {
    name: '$patch: delete takes an item away',
    kind: pods,
    original: containers({ name: 'a' }, { name: 'b' }),
    patch: containers({ name: 'a', $patch: 'delete' }, { name: 'z', $patch: 'delete' }),
    expected: containers({ name: 'b' }),
  },
  {
    name: '$patch: replace in a list replaces all of it',
    kind: pods,
    original: containers({ name: 'a' }, { name: 'b' }),
    patch: containers({ name: 'c' }, { $patch: 'replace' }),
    expected: containers({ name: 'c' }),
  },
  {
    name: '$patch: replace in an object replaces it, as kubectl rollout undo does',
    kind: deployments,
    original: { spec: { replicas: 3, template: { metadata: { labels: { a: 'b' } }, spec: { hostname: 'h' } } } },
    patch: { spec: { template: { $patch: 'replace', spec: { hostNetwork: true } } } },
    expected: { spec: { replicas: 3, template: { spec: { hostNetwork: true } } } },
  },
  {
    name: '$retainKeys keeps only what it names',
    kind: deployments,
    original: { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } },
    patch: { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
    expected: { spec: { strategy: { type: 'Recreate' } } },
  },
  {
    name: '$retainKeys of a volume changes its source',
    kind: pods,
    original: pod({ volumes: [{ name: 'v', emptyDir: {} }] }),
    patch: pod({ volumes: [{ $retainKeys: ['name', 'hostPath'], name: 'v', hostPath: { path: '/x' } }] }),
    expected: pod({ volumes: [{ name: 'v', hostPath: { path: '/x' } }] }),
  },
  {
    name: '$setElementOrder orders, items that only the server knows keep their place',
    kind: pods,
    original: containers({ name: 'a' }, { name: 'server' }, { name: 'b' }),
    patch: pod({
      '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }, { name: 'b' }],
      containers: [{ name: 'c' }],
    }),
    expected: containers({ name: 'c' }, { name: 'a' }, { name: 'server' }, { name: 'b' }),
  },
  {
    name: '$setElementOrder alone',
    kind: pods,
    original: containers({ name: 'a' }, { name: 'b' }),
    patch: pod({ '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] }),
    expected: containers({ name: 'b' }, { name: 'a' }),
  },
  {
    name: 'finalizers are added, and taken away by value',
    kind: nodes,
    original: { metadata: { finalizers: ['a/x', 'b/x'] } },
    patch: { metadata: { finalizers: ['c/x', 'a/x'], '$deleteFromPrimitiveList/finalizers': ['b/x'] } },
    expected: { metadata: { finalizers: ['c/x', 'a/x'] } },
  },
  {
    name: '$deleteFromPrimitiveList alone',
    kind: nodes,
    original: { metadata: { finalizers: ['a/x', 'b/x'] } },
    patch: { metadata: { '$deleteFromPrimitiveList/finalizers': ['a/x'] } },
    expected: { metadata: { finalizers: ['b/x'] } },
  },
  {
    name: 'lists without a key are replaced: taints, command',
    kind: nodes,
    original: { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } },
    patch: { spec: { unschedulable: null, taints: [{ key: 'b', effect: 'NoExecute' }] } },
    expected: { spec: { taints: [{ key: 'b', effect: 'NoExecute' }] } },
  },
  {
    name: 'lists inside items of lists',
    kind: pods,
    original: containers({ name: 'a', env: [{ name: 'X', value: '1' }], ports: [{ containerPort: 80, name: 'w' }] }),
    patch: containers({ name: 'a', env: [{ name: 'Y', value: '2' }], ports: [{ containerPort: 80, name: 'web' }] }),
    expected: containers({
      name: 'a',
      env: [
        { name: 'Y', value: '2' },
        { name: 'X', value: '1' },
      ],
      ports: [{ containerPort: 80, name: 'web' }],
    }),
  },
];

for (const { name, kind, original, patch, expected } of cases) {
  test(name, () => {
    const before = structuredClone(original);
    assert.deepEqual(applyStrategicMerge(kind, original, patch), expected);
    assert.deepEqual(original, before);
  });
}

test('a patch that cannot be understood is refused', () => {
  const refused: [unknown, RegExp][] = [
    [[], /is an object/],
    [containers({ image: 'x' }), /does not contain declared merge key: name/],
    [{ spec: { $patch: 'remove' } }, /unknown value "remove" of \$patch/],
    [{ spec: { $retainKeys: ['a'], b: 1 } }, /\$retainKeys does not name "b"/],
    [JSON.parse('{"metadata":{"__proto__":{"x":1}}}'), /"__proto__" is not allowed/],
  ];
  for (const [patch, expected] of refused) {
    assert.throws(
      () => applyStrategicMerge(pods, {}, patch),
      (error: unknown) => error instanceof ApiError && error.status.code === 400 && expected.test(error.message),
    );
  }
});
