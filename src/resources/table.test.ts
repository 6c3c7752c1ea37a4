import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanDuration } from './define-kind.ts';
import type { Kind } from './kind.ts';
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

const deleted = { deletionTimestamp: fiveMinutesAgo };
const gone = { terminated: { exitCode: 0, reason: 'Completed' } };
const twoContainers = (ready: boolean) => ({
  phase: 'Running',
  conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
  containerStatuses: [
    { name: 'c', image: 'i', imageID: '', ready: false, restartCount: 0, state: gone },
    { name: 'd', image: 'i', imageID: '', ready: true, restartCount: 0, state: running },
  ],
});
const initStatus = (state: object, more: object = {}) => ({
  phase: 'Pending',
  initContainerStatuses: [
    { name: 'i0', image: 'i', imageID: '', ready: false, restartCount: 0, state: gone },
    { name: 'i1', image: 'i', imageID: '', ready: false, restartCount: 0, state, ...more },
  ],
});

const words: readonly (readonly [string, Pod['status'], object?])[] = [
  ['Terminating', { phase: 'Running', ...container(running, { ready: true }) }, deleted],
  ['Completed', { phase: 'Succeeded', ...container(gone) }, deleted],
  ['Unknown', { phase: 'Running', reason: 'NodeLost' }, deleted],
  ['NodeLost', { phase: 'Running', reason: 'NodeLost' }],
  ['Error', { phase: 'Failed', ...container({ terminated: { exitCode: 1, reason: 'Error' } }) }],
  ['OOMKilled', { phase: 'Running', ...container({ terminated: { exitCode: 137, reason: 'OOMKilled' } }) }],
  ['ContainerCreating', { phase: 'Pending', ...container({ waiting: { reason: 'ContainerCreating' } }) }],
  ['ImagePullBackOff', { phase: 'Pending', ...container({ waiting: { reason: 'ImagePullBackOff' } }) }],
  ['Running', twoContainers(true)],
  ['NotReady', twoContainers(false)],
  [
    'SchedulingGated',
    { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
  ],
  ['Init:1/2', initStatus(running)],
  ['Init:1/2', initStatus({ waiting: { reason: 'PodInitializing' } })],
  ['Init:CrashLoopBackOff', initStatus({ waiting: { reason: 'CrashLoopBackOff' } })],
  ['Init:Error', initStatus({ terminated: { exitCode: 1, reason: 'Error' } })],
  ['Init:ExitCode:3', initStatus({ terminated: { exitCode: 3 } })],
  ['Init:Signal:9', initStatus({ terminated: { exitCode: 137, signal: 9 } })],
  ['Pending', initStatus(gone)],
];

for (const [word, status, more] of words) {
  test(`STATUS of a pod is ${word}: ${JSON.stringify(status).slice(0, 70)}`, () => {
    const object = pod(status, more);
    object.spec.initContainers = [{ name: 'i0' }, { name: 'i1' }];
    assert.equal(renderTable(pods, [object], { nowMs }).rows[0]?.cells[2], word);
  });
}

test('READY and RESTARTS of a pod with a sidecar and an init container', () => {
  const one = (name: string, more: object) => ({
    name,
    image: 'i',
    imageID: '',
    ready: true,
    restartCount: 0,
    ...more,
  });
  const ended = (finishedAt: string) => ({ lastState: { terminated: { exitCode: 1, finishedAt } } });
  const cells = (status: Pod['status']) => {
    const object = pod(status);
    object.spec.initContainers = [{ name: 'i' }, { name: 's', restartPolicy: 'Always' }];
    return renderTable(pods, [object], { nowMs }).rows[0]?.cells.slice(1, 4);
  };
  const init = one('i', { restartCount: 7, state: gone, ...ended('2025-12-31T21:00:00Z') });
  const sidecar = one('s', { restartCount: 2, started: true, state: running, ...ended('2025-12-31T23:55:00Z') });
  const app = one('c', { restartCount: 1, state: running });
  const initialized = {
    conditions: [
      { type: 'Initialized', status: 'True' },
      { type: 'Ready', status: 'True' },
    ],
  };
  assert.deepEqual(
    cells({ phase: 'Running', ...initialized, initContainerStatuses: [init, sidecar], containerStatuses: [app] }),
    ['2/2', 'Running', '3 (65m ago)'],
  );
  const waiting = { ...init, ready: false, state: { waiting: { reason: 'CrashLoopBackOff' } } };
  assert.deepEqual(cells({ phase: 'Pending', initContainerStatuses: [waiting] }), [
    '0/2',
    'Init:CrashLoopBackOff',
    '7 (4h ago)',
  ]);
});

/** Kubernetes' columns; those behind | with -o wide only. */
const columnsOf: Readonly<Record<string, string>> = {
  Pod: 'Name,Ready,Status,Restarts,Age|IP,Node,Nominated Node,Readiness Gates',
  Deployment: 'Name,Ready,Up-to-date,Available,Age|Containers,Images,Selector',
  ReplicaSet: 'Name,Desired,Current,Ready,Age|Containers,Images,Selector',
  Service: 'Name,Type,Cluster-IP,External-IP,Port(s),Age|Selector',
  Node: 'Name,Status,Roles,Age,Version|Internal-IP,External-IP,OS-Image,Kernel-Version,Container-Runtime',
  Event: 'Last Seen,Type,Reason,Object,Message|Subobject,Source,First Seen,Count,Name',
  Namespace: 'Name,Status,Age|',
  ConfigMap: 'Name,Data,Age|',
  Secret: 'Name,Type,Data,Age|',
  ServiceAccount: 'Name,Secrets,Age|',
  EndpointSlice: 'Name,AddressType,Ports,Endpoints,Age|',
  Lease: 'Name,Holder,Age|',
  Ingress: 'Name,Class,Hosts,Address,Ports,Age|',
  IngressClass: 'Name,Controller,Parameters,Age|',
  NetworkPolicy: 'Name,Pod-Selector,Age|',
  PodDisruptionBudget: 'Name,Min Available,Max Unavailable,Allowed Disruptions,Age|',
  ControllerRevision: 'Name,Controller,Revision,Age|',
  Role: 'Name,Created At|',
  ClusterRole: 'Name,Created At|',
  RoleBinding: 'Name,Role,Age|Users,Groups,ServiceAccounts',
  ClusterRoleBinding: 'Name,Role,Age|Users,Groups,ServiceAccounts',
};

test('every kind of Kubernetes has its columns', () => {
  const names = (kind: Kind, priority: number) =>
    kind.columns.filter((one) => (one.priority ?? 0) === priority).map((one) => one.name);
  const kinds = allKinds.filter((kind) => kind.group !== 'flotilla.dev');
  const found = kinds.map((kind) => [kind.kind, `${names(kind, 0)}|${names(kind, 1)}`]);
  assert.deepEqual(Object.fromEntries(found), columnsOf);
});

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

  const cells = (spec: object, ingress: object[] = []) => {
    const one = { ...service, spec, status: { loadBalancer: { ingress } } };
    return renderTable(services, [one], { nowMs }).rows[0]?.cells.slice(1, 5);
  };
  const nodePorts = [{ port: 80, nodePort: 30_080, protocol: 'TCP' }];
  const ips = ['10.96.0.7'];
  const balancer = { type: 'LoadBalancer', clusterIPs: ips, ports: nodePorts };
  assert.deepEqual(cells({ type: 'NodePort', clusterIPs: ips, ports: nodePorts }), [
    ...['NodePort', '10.96.0.7', '<none>', '80:30080/TCP'],
  ]);
  assert.deepEqual(cells(balancer), ['LoadBalancer', '10.96.0.7', '<pending>', '80:30080/TCP']);
  assert.equal(cells(balancer, [{ ip: '10.1.0.9' }])?.[2], '10.1.0.9');
  assert.equal(cells({ ...balancer, externalIPs: ['9.9.9.9'] }, [{ ip: '10.1.0.9' }])?.[2], '10.1.0.9,9.9.9.9');
  assert.equal(cells(balancer, [{ hostname: 'lb.example.com.internal' }])?.[2], 'lb.example.co...');
  assert.deepEqual(cells({ type: 'ClusterIP', clusterIPs: ips, externalIPs: ['9.9.9.9'] }), [
    ...['ClusterIP', '10.96.0.7', '9.9.9.9', '<none>'],
  ]);
  assert.deepEqual(cells({ type: 'ExternalName', externalName: 'db.example' }), [
    ...['ExternalName', '<none>', 'db.example', '<none>'],
  ]);

  const conditions = [{ type: 'Ready', status: 'True' }];
  const node = { apiVersion: 'v1', kind: 'Node', metadata, spec: { unschedulable: true }, status: { conditions } };
  assert.deepEqual(renderTable(nodes, [node], { nowMs }).rows[0]?.cells.slice(0, 5), [
    ...['x', 'Ready,SchedulingDisabled', '<none>', '5m', ''],
  ]);

  const status = (one: string | undefined, labels: Record<string, string> = {}) => {
    const list = one === undefined ? [] : [{ type: 'Ready', status: one }];
    const object = { ...node, metadata: { ...metadata, labels }, spec: {}, status: { conditions: list } };
    return renderTable(nodes, [object], { nowMs }).rows[0]?.cells.slice(1, 3);
  };
  assert.deepEqual(status('Unknown'), ['NotReady', '<none>'], 'a node that is silent');
  assert.deepEqual(status('False'), ['NotReady', '<none>']);
  assert.deepEqual(status(undefined), ['Unknown', '<none>'], 'a node that never spoke');
  const roles = { 'node-role.kubernetes.io/web': '', 'kubernetes.io/role': 'db', 'node-role.kubernetes.io/db': 'x' };
  assert.deepEqual(status('True', roles), ['Ready', 'db,web']);

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
    ...['5m', 'Warning', 'Failed', 'pod/p', '', '', 'no', '60m', 3, 'x'],
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
