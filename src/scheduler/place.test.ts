import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Node, Pod } from '../resources/kinds.ts';
import type { NodeState, PodDemand } from './node-state.ts';
import { place } from './place.ts';
import { nodeFacts, podDemand } from './pod-demand.ts';
import { applyNode, applyPod, applyVolume, createSnapshot, forgetPod, type Snapshot } from './snapshot.ts';

function node(
  name: string,
  spec: Node['spec'] = {},
  more: { memory?: string; cpu?: string; pods?: string; labels?: Record<string, string>; ready?: string } = {},
): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: more.labels ?? {} },
    spec,
    status: {
      allocatable: { cpu: more.cpu ?? '4', memory: more.memory ?? '4Gi', pods: more.pods ?? '100' },
      conditions: [{ type: 'Ready', status: more.ready ?? 'True' }],
    },
  };
}

interface Wanted {
  readonly memory?: string;
  readonly cpu?: string;
  readonly owner?: string;
  readonly app?: string;
  readonly hostPort?: number;
  readonly hostIP?: string;
  readonly volume?: string;
  readonly spec?: Partial<Pod['spec']>;
}

function demand(name: string, wanted: Wanted = {}): PodDemand {
  const requests = { ...(wanted.memory ? { memory: wanted.memory } : {}), ...(wanted.cpu ? { cpu: wanted.cpu } : {}) };
  const ports = wanted.hostPort
    ? [{ containerPort: 80, hostPort: wanted.hostPort, ...(wanted.hostIP ? { hostIP: wanted.hostIP } : {}) }]
    : [];
  return podDemand({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: name,
      labels: { app: wanted.app ?? 'web' },
      ...(wanted.owner
        ? {
            ownerReferences: [
              { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: wanted.owner, controller: true },
            ],
          }
        : {}),
    },
    spec: {
      containers: [{ name: 'web', image: 'web', resources: { requests }, ports }],
      ...(wanted.volume ? { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: wanted.volume } }] } : {}),
      ...wanted.spec,
    },
  });
}

function snapshotOf(nodes: readonly Node[]): Snapshot {
  const snapshot = createSnapshot();
  for (const one of nodes) applyNode(snapshot, one.metadata.name, nodeFacts(one));
  return snapshot;
}

function outcome(pod: PodDemand, snapshot: Snapshot): string {
  const [one] = place([pod], snapshot);
  return one?.placed ? one.nodeName : (one?.reason ?? '');
}

describe('placement', () => {
  const three = () => snapshotOf([node('h1'), node('h2'), node('h3')]);
  const cordoned = { unschedulable: true };
  const taint = { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] };

  const failures: [string, readonly Node[], Wanted, string][] = [
    ['no node at all', [], {}, 'no node has joined this grid'],
    ['not ready', [node('h1', {}, { ready: 'Unknown' })], {}, '0 of 1 node can run it: 1 is not ready'],
    [
      'counts, commonest first',
      [node('h1', {}, { memory: '256Mi' }), node('h2', {}, { memory: '256Mi' }), node('h3', cordoned)],
      { memory: '512Mi' },
      '0 of 3 nodes can run it: 2 have less than 512 MiB memory left, 1 is cordoned',
    ],
    ['cpu', [node('h1', {}, { cpu: '1' })], { cpu: '1500m' }, '0 of 1 node can run it: 1 has less than 1500m cpu left'],
    ['pod slots', [node('h1', {}, { pods: '0' })], {}, '0 of 1 node can run it: 1 runs as many pods as it may (0)'],
    [
      'taint',
      [node('h1', taint)],
      {},
      '0 of 1 node can run it: 1 has the taint gpu=yes:NoSchedule, which it does not tolerate',
    ],
    [
      'node selector',
      [node('h1'), node('h2')],
      { spec: { nodeSelector: { disk: 'ssd' } } },
      '0 of 2 nodes can run it: 2 lack the label disk=ssd',
    ],
    ['no such volume', [node('h1')], { volume: 'data' }, 'its volume data does not exist'],
  ];
  for (const [name, nodes, wanted, expected] of failures) {
    it(`explains: ${name}`, () => assert.equal(outcome(demand('a', wanted), snapshotOf(nodes)), expected));
  }

  it('tolerates what it says it tolerates', () => {
    const tolerant = demand('a', { spec: { tolerations: [{ key: 'gpu', operator: 'Exists' }] } });
    assert.equal(outcome(tolerant, snapshotOf([node('h1', taint)])), 'h1');
  });

  it('spreads the replicas of one set, then other templates of the service, then load', () => {
    const snapshot = three();
    const placed = place(
      ['a', 'b', 'c'].map((name) => demand(name, { owner: 'rs1' })),
      snapshot,
    );
    assert.deepEqual(placed.map((one) => one.placed && one.nodeName).sort(), ['h1', 'h2', 'h3']);
    forgetPod(snapshot, 'shop/b');
    const freed = placed[1]?.placed ? placed[1].nodeName : '';
    assert.equal(outcome(demand('next', { owner: 'rs2' }), snapshot), freed);
  });

  it('prefers the emptier node', () => {
    const snapshot = three();
    applyPod(snapshot, demand('x', { memory: '2Gi', app: 'x' }), 'h1');
    applyPod(snapshot, demand('y', { memory: '1Gi', app: 'y' }), 'h2');
    assert.equal(outcome(demand('a'), snapshot), 'h3');
  });

  it('gives a host port once a node, unless the addresses differ', () => {
    const snapshot = snapshotOf([node('h1')]);
    assert.equal(outcome(demand('a', { hostPort: 80, hostIP: '10.0.0.1' }), snapshot), 'h1');
    assert.equal(outcome(demand('b', { hostPort: 80, hostIP: '10.0.0.2' }), snapshot), 'h1');
    assert.equal(
      outcome(demand('c', { hostPort: 80 }), snapshot),
      '0 of 1 node can run it: 1 has host port 80/TCP in use',
    );
  });

  it('keeps pods with their volume, from the first placement on', () => {
    const snapshot = three();
    applyVolume(snapshot, 'shop/data', '');
    const [first, second] = place(
      [demand('a', { volume: 'data', owner: 'r' }), demand('b', { volume: 'data', owner: 'r' })],
      snapshot,
    );
    assert.ok(first?.placed && second?.placed);
    assert.deepEqual([first.volumesToOwn, second.volumesToOwn], [['shop/data'], []]);
    assert.equal(second.nodeName, first.nodeName);
  });

  it('says where the volume is when its node cannot take the pod', () => {
    const snapshot = snapshotOf([node('h1', cordoned), node('h2')]);
    applyVolume(snapshot, 'shop/data', 'h1');
    const expected = '0 of 2 nodes can run it: 1 is cordoned, 1 does not hold its volume data, which is on h1';
    assert.equal(outcome(demand('a', { volume: 'data' }), snapshot), expected);
  });

  it('counts pods of a node that appears later', () => {
    const snapshot = createSnapshot();
    applyPod(snapshot, demand('x', { memory: '4Gi' }), 'h1');
    applyNode(snapshot, 'h1', nodeFacts(node('h1')));
    assert.match(outcome(demand('a', { memory: '1Mi' }), snapshot), /1 has less than 1 MiB memory left/);
  });
});

const clusters = fc.record({
  nodes: fc.array(fc.record({ cpu: fc.integer({ min: 1, max: 4 }), memory: fc.integer({ min: 1, max: 8 }) }), {
    minLength: 1,
    maxLength: 6,
  }),
  pods: fc.array(
    fc.record({
      cpu: fc.integer({ min: 0, max: 2 }),
      memory: fc.integer({ min: 0, max: 4 }),
      owner: fc.constantFrom('a', 'b', ''),
    }),
    { maxLength: 30 },
  ),
});

describe('placement, any cluster', () => {
  const build = ({
    nodes,
    pods,
  }: {
    nodes: { cpu: number; memory: number }[];
    pods: { cpu: number; memory: number; owner: string }[];
  }) => ({
    snapshot: snapshotOf(
      nodes.map((one, at) => node(`h${at}`, {}, { cpu: String(one.cpu), memory: `${one.memory}Gi` })),
    ),
    demands: pods.map((one, at) =>
      demand(`p${at}`, { cpu: String(one.cpu), memory: `${one.memory}Gi`, ...(one.owner ? { owner: one.owner } : {}) }),
    ),
  });

  it('never overcommits, and refuses only what fits nowhere', () => {
    fc.assert(
      fc.property(clusters, (cluster) => {
        const { snapshot, demands } = build(cluster);
        for (const pod of demands) {
          const hadRoom = [...snapshot.nodes.values()].some((one) => fits(one, pod));
          const [placement] = place([pod], snapshot);
          assert.equal(placement?.placed, hadRoom);
        }
        for (const one of snapshot.nodes.values()) {
          assert.ok(
            one.used.cpuMillis <= one.allocatable.cpuMillis && one.used.memoryBytes <= one.allocatable.memoryBytes,
          );
        }
      }),
      { numRuns: 200 },
    );
  });

  it('comes to rest: what was taken back leaves no trace, and the same pods are placed again', () => {
    fc.assert(
      fc.property(clusters, (cluster) => {
        const { snapshot, demands } = build(cluster);
        const first = place(demands, snapshot).filter((one) => one.placed).length;
        for (const pod of demands) forgetPod(snapshot, pod.key);
        for (const one of snapshot.nodes.values()) {
          assert.deepEqual(one.used, { cpuMillis: 0, memoryBytes: 0, pods: 0 });
          assert.equal(one.groups.size, 0);
        }
        if (first === demands.length) assert.ok(place(demands, snapshot).every((one) => one.placed));
      }),
      { numRuns: 100 },
    );
  });
});

function fits(one: NodeState, pod: PodDemand): boolean {
  return (
    one.used.cpuMillis + pod.cpuMillis <= one.allocatable.cpuMillis &&
    one.used.memoryBytes + pod.memoryBytes <= one.allocatable.memoryBytes
  );
}
