import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { refuse } from './filters.ts';
import type { NodeState, PodDemand } from './node-state.ts';
import { place } from './place.ts';
import { costs } from './scorers.ts';
import { applyNode, applyPod, createSnapshot, forgetPod, type NodeFacts, type Snapshot } from './snapshot.ts';

/** What the index must find: every node looked at. */
function scan(snapshot: Snapshot, pod: PodDemand): string | undefined {
  let best: NodeState | undefined;
  for (const node of snapshot.nodes.values()) {
    if (refuse(node, pod, () => '')) continue;
    if (!best || isBetter(node, best, pod)) best = node;
  }
  return best?.name;
}

function isBetter(a: NodeState, b: NodeState, pod: PodDemand): boolean {
  for (const cost of costs) {
    const difference = cost(a, pod) - cost(b, pod);
    if (difference !== 0) return difference < 0;
  }
  return a.name < b.name;
}

function facts(more: Partial<NodeFacts> & { cpu?: number } = {}): NodeFacts {
  const { cpu = 4, ...rest } = more;
  return {
    isReady: true,
    isCordoned: false,
    taints: [],
    labels: {},
    allocatable: { cpuMillis: cpu * 1000, memoryBytes: 2 ** 32, pods: 6 },
    ...rest,
  };
}

function demand(at: number, cpu: number, more: Partial<PodDemand> = {}): PodDemand {
  const { nodeSelector = {}, hostPorts = [] } = more;
  return {
    key: `shop/p${at}`,
    uid: `p${at}`,
    shape: JSON.stringify([cpu, hostPorts, nodeSelector]),
    cpuMillis: cpu * 500,
    memoryBytes: 0,
    hostPorts,
    nodeSelector,
    tolerations: [],
    volumes: [],
    replicaGroup: '',
    serviceGroup: '',
    ...more,
  };
}

const nodeName = (nodeCount: number) => fc.nat(nodeCount - 1).map((at) => `n${at}`);
const podFields = fc.record({
  cpu: fc.nat(3),
  replicaGroup: fc.constantFrom('', 'r1', 'r2'),
  serviceGroup: fc.constantFrom('', 's1'),
  nodeSelector: fc.constantFrom({}, {}, { disk: 'ssd' }),
  hostPorts: fc.constantFrom([], [], [{ key: '80/TCP', hostIP: '' }]),
});

const steps = (nodeCount: number) =>
  fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ type: fc.constant('place' as const), pod: podFields }) },
      { weight: 2, arbitrary: fc.record({ type: fc.constant('forget' as const), at: fc.nat(60) }) },
      {
        weight: 1,
        arbitrary: fc.record({ type: fc.constant('bound' as const), pod: podFields, on: nodeName(nodeCount) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          type: fc.constant('node' as const),
          name: nodeName(nodeCount),
          facts: fc.option(
            fc.record({
              cpu: fc.integer({ min: 1, max: 4 }),
              isReady: fc.boolean(),
              isCordoned: fc.constantFrom(false, false, true),
              labels: fc.constantFrom({}, { disk: 'ssd' }),
            }),
            { nil: undefined },
          ),
        }),
      },
    ),
    { minLength: 1, maxLength: 60 },
  );

describe('the best node by index', () => {
  const check = (nodeCount: number, numRuns: number) =>
    fc.assert(
      fc.property(steps(nodeCount), (all) => {
        const snapshot = createSnapshot();
        for (let at = 0; at < nodeCount; at += 1) {
          applyNode(snapshot, `n${at}`, facts({ labels: at % 3 === 0 ? { disk: 'ssd' } : {} }));
        }
        all.forEach((step, at) => {
          if (step.type === 'forget') forgetPod(snapshot, `shop/p${step.at}`);
          else if (step.type === 'node') applyNode(snapshot, step.name, step.facts && facts(step.facts));
          else if (step.type === 'bound') applyPod(snapshot, demand(at, step.pod.cpu, step.pod), step.on);
          else {
            const pod = demand(at, step.pod.cpu, step.pod);
            const expected = scan(snapshot, pod);
            const [placement] = place([pod], snapshot);
            assert.equal(placement?.placed ? placement.nodeName : undefined, expected);
          }
        });
      }),
      { numRuns },
    );

  it('is the one that a scan of all nodes finds: a few nodes', () => check(5, 300));
  it('is the one that a scan of all nodes finds: more nodes than are tried first', () => check(120, 100));

  it('stays so when one set is on every node several times, and nodes come and go under it', () => {
    const snapshot = createSnapshot();
    for (let at = 0; at < 200; at += 1) applyNode(snapshot, `n${at}`, facts({ cpu: 1 + (at % 4) }));
    for (let at = 0; at < 700; at += 1) {
      const pod = demand(at, at % 2, { replicaGroup: `r${at % 3}`, serviceGroup: 's' });
      const expected = scan(snapshot, pod);
      const [placement] = place([pod], snapshot);
      assert.equal(placement?.placed ? placement.nodeName : undefined, expected, `pod ${at}`);
      if (at % 5 === 0) forgetPod(snapshot, `shop/p${at >> 1}`);
      if (at % 11 === 0)
        applyNode(snapshot, `n${at % 200}`, at % 2 === 0 ? undefined : facts({ isCordoned: at % 3 === 0 }));
    }
  });

  it('does not grow with the number of changes', () => {
    const snapshot = createSnapshot();
    applyNode(snapshot, 'n0', facts());
    for (let at = 0; at < 20_000; at += 1) {
      applyPod(snapshot, demand(at, 0), 'n0');
      forgetPod(snapshot, `shop/p${at}`);
    }
    assert.ok(snapshot.index.remembered <= 2_048);
    assert.equal(place([demand(1, 0)], snapshot)[0]?.placed, true);
  });
});
