import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanDuration } from './define-kind.ts';
import { allKinds, deployments, endpointSlices, events, nodes, type Pod, pods, services, stacks } from './kinds.ts';
import { renderTable } from './table.ts';

const nowMs = Date.UTC(2026, 0, 1, 1);
const fiveMinutesAgo = '2026-01-01T00:55:00Z';

const pod = (status: Pod['status'], metadata: object = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', creationTimestamp: fiveMinutesAgo, ...metadata },
  spec: { containers: [{ name: 'c' }], nodeName: 'h1' },
  ...(status ? { status } : {}),
});

const container = (state: object, more: object = {}) => ({
  containerStatuses: [{ name: 'c', image: 'i', imageID: '', ready: false, restartCount: 0, state, ...more }],
});

const running = { running: { startedAt: fiveMinutesAgo } };
const lost = [{ type: 'flotilla.dev/NodeLost', status: 'True' }];

const rows: readonly (readonly [Pod, string, string, string])[] = [
  [pod({ phase: 'Pending' }), '0/1', 'Pending', '0'],
  [pod(undefined), '0/1', 'Pending', '0'],
  [pod({ phase: 'Running', ...container(running, { ready: true }) }), '1/1', 'Running', '0'],
  [pod({ phase: 'Running', ...container(running) }), '0/1', 'Running', '0'],
  [pod({ phase: 'Pending', ...container({ waiting: { reason: 'ErrImagePull' } }) }), '0/1', 'ErrImagePull', '0'],
  [
    pod({
      phase: 'Running',
      ...container(
        { waiting: { reason: 'CrashLoopBackOff' } },
        { restartCount: 3, lastState: { terminated: { exitCode: 1, finishedAt: fiveMinutesAgo } } },
      ),
    }),
    '0/1',
    'CrashLoopBackOff',
    '3 (5m ago)',
  ],
  [
    pod({ phase: 'Succeeded', ...container({ terminated: { exitCode: 0, reason: 'Completed' } }) }),
    '0/1',
    'Completed',
    '0',
  ],
  [pod({ phase: 'Failed', ...container({ terminated: { exitCode: 3 } }) }), '0/1', 'ExitCode:3', '0'],
  [pod({ phase: 'Failed', ...container({ terminated: { exitCode: 137, signal: 9 } }) }), '0/1', 'Signal:9', '0'],
  [pod({ phase: 'Failed', reason: 'Evicted' }), '0/1', 'Evicted', '0'],
  [pod({ phase: 'Running' }, { deletionTimestamp: fiveMinutesAgo }), '0/1', 'Terminating', '0'],
  [pod({ phase: 'Running', conditions: lost, ...container(running, { ready: true }) }), '1/1', 'NodeLost', '0'],
];

for (const [object, ready, status, restarts] of rows) {
  test(`a pod that is ${status}, ${ready}`, () => {
    const [row] = renderTable(pods, [object], { nowMs }).rows;
    assert.deepEqual(row?.cells, ['p', ready, status, restarts, '5m', '<none>', 'h1', '<none>', '<none>']);
  });
}

test('the shape of a table', () => {
  const table = renderTable(pods, [pod({ phase: 'Running' })], { nowMs, resourceVersion: '7', continue: 'x' });
  assert.deepEqual(table.metadata, { resourceVersion: '7', continue: 'x' });
  assert.deepEqual(table.columnDefinitions?.[0], {
    name: 'Name',
    type: 'string',
    format: 'name',
    description: 'Unique in its namespace.',
    priority: 0,
  });
  assert.deepEqual(
    table.columnDefinitions?.map((one) => `${one.name}${one.priority ? '|' : ''}`),
    ['Name', 'Ready', 'Status', 'Restarts', 'Age', 'IP|', 'Node|', 'Nominated Node|', 'Readiness Gates|'],
  );
  assert.deepEqual(table.rows[0]?.object, {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { name: 'p', creationTimestamp: fiveMinutesAgo },
  });
  const one = pod({});
  assert.equal(renderTable(pods, [one], { nowMs, includeObject: 'Object' }).rows[0]?.object, one);
  const bare = renderTable(pods, [one], { nowMs, includeObject: 'None', hasColumnDefinitions: false });
  assert.equal('object' in (bare.rows[0] ?? {}), false);
  assert.equal(bare.columnDefinitions, null);
});

const metadata = { name: 'x', creationTimestamp: fiveMinutesAgo };

test('cells of other kinds', () => {
  const spec = {
    selector: { matchLabels: { a: 'b' } },
    template: { spec: { containers: [{ name: 'c', image: 'i' }] } },
  };
  const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { ...spec, replicas: 3 } };
  const ready = { ...deployment, status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1 } };
  assert.deepEqual(renderTable(deployments, [ready], { nowMs }).rows[0]?.cells, [
    'x',
    '2/3',
    3,
    1,
    '5m',
    'c',
    'i',
    'a=b',
  ]);

  const ports = [
    { port: 80, protocol: 'TCP' },
    { port: 53, protocol: 'UDP' },
  ];
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { type: 'ClusterIP', clusterIP: 'None', ports },
  };
  assert.deepEqual(renderTable(services, [service], { nowMs }).rows[0]?.cells, [
    ...['x', 'ClusterIP', 'None', '<none>', '80/TCP,53/UDP', '5m', '<none>'],
  ]);

  const conditions = [{ type: 'Ready', status: 'True' }];
  const node = { apiVersion: 'v1', kind: 'Node', metadata, spec: { unschedulable: true }, status: { conditions } };
  assert.deepEqual(renderTable(nodes, [node], { nowMs }).rows[0]?.cells.slice(0, 5), [
    ...['x', 'Ready,SchedulingDisabled', '<none>', '5m', ''],
  ]);

  const endpoints = ['1', '2', '3', '4', '5'].map((last) => ({ addresses: [`10.80.0.${last}`] }));
  const slice = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, addressType: 'IPv4', endpoints };
  assert.equal(
    renderTable(endpointSlices, [slice], { nowMs }).rows[0]?.cells[3],
    '10.80.0.1,10.80.0.2,10.80.0.3 + 2 more...',
  );

  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata,
    involvedObject: { kind: 'Pod', name: 'p' },
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: fiveMinutesAgo,
    count: 3,
    type: 'Warning',
    reason: 'Failed',
    message: 'no\n',
  };
  assert.deepEqual(renderTable(events, [event], { nowMs }).rows[0]?.cells, [
    ...['5m (x3 over 60m)', 'Warning', 'Failed', 'pod/p', '', '<none>', 'no', '60m', 3, 'x'],
  ]);

  const stack = {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata,
    spec: { services: { web: { image: 'i', instances: 3 }, db: { image: 'j', instances: 1 } } },
    status: { services: { web: { instances: 3, updated: 3, ready: 2 } }, conditions: [] },
  };
  assert.deepEqual(renderTable(stacks, [stack], { nowMs }).rows[0]?.cells, ['x', 2, '2/4', 'Pending', '5m']);
});

test('every kind has a name and an age or what stands for it, and a cell for each column', () => {
  for (const kind of allKinds) {
    const names = kind.columns.map((one) => one.name);
    assert.equal(new Set(names).size, names.length, kind.kind);
    assert.ok(
      names.includes('Name') && ['Age', 'Last Seen', 'Created At'].some((one) => names.includes(one)),
      kind.kind,
    );
  }
});

for (const [seconds, expected] of [
  [-5, '<invalid>'],
  [-1, '0s'],
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [150, '2m30s'],
  [600, '10m'],
  [10_799, '179m'],
  [10_800, '3h'],
  [12_600, '3h30m'],
  [28_800, '8h'],
  [172_799, '47h'],
  [172_800, '2d'],
  [180_000, '2d2h'],
  [691_200, '8d'],
  [63_072_000, '2y'],
  [65_000_000, '2y22d'],
  [252_288_000, '8y'],
] as const) {
  test(`${seconds} seconds are ${expected}`, () => assert.equal(humanDuration(seconds * 1000), expected));
}
