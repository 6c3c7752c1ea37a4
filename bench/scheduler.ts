// Placements a second of the pure scheduler at 5,000 nodes, in the shapes that Kubernetes' own benchmark has
// (test/integration/scheduler_perf; its floor for 5,000 nodes is 810 pods/s, with API server and etcd in the loop, which
// are not here). Writes bench/results/scheduler.json.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { PodDemand } from '../src/scheduler/node-state.ts';
import { place } from '../src/scheduler/place.ts';
import { applyNode, createSnapshot, forgetPod, type Snapshot } from '../src/scheduler/snapshot.ts';

const nodeCount = 5_000;

interface Scenario {
  readonly name: string;
  readonly what: string;
  run(): { readonly placed: number; readonly refused: number; readonly seconds: number };
}

function cluster(): Snapshot {
  const snapshot = createSnapshot();
  for (let at = 0; at < nodeCount; at += 1) {
    applyNode(snapshot, `n${at}`, {
      isReady: true,
      isCordoned: false,
      taints: [],
      labels: { zone: `z${at % 10}`, ...(at % 1000 === 0 ? { gpu: 'yes' } : {}) },
      allocatable: { cpuMillis: 8_000, memoryBytes: 32 * 2 ** 30, pods: 110 },
    });
  }
  return snapshot;
}

function demand(at: number, group: string, more: Partial<PodDemand> = {}): PodDemand {
  const cpuMillis = more.cpuMillis ?? 100;
  return {
    key: `default/p${at}`,
    uid: `p${at}`,
    shape: JSON.stringify([cpuMillis, more.nodeSelector]),
    cpuMillis,
    memoryBytes: 128 * 2 ** 20,
    hostPorts: [],
    nodeSelector: {},
    tolerations: [],
    volumes: [],
    replicaGroup: group,
    serviceGroup: group,
    ...more,
  };
}

/** In calls of `batch` pods, as they come from the API. */
function timed(snapshot: Snapshot, pods: readonly PodDemand[], batch: number) {
  let placed = 0;
  const startMs = performance.now();
  for (let at = 0; at < pods.length; at += batch) {
    for (const one of place(pods.slice(at, at + batch), snapshot)) if (one.placed) placed += 1;
  }
  return { placed, refused: pods.length - placed, seconds: (performance.now() - startMs) / 1000 };
}

const many = (count: number, of: (at: number) => PodDemand) => Array.from({ length: count }, (_, at) => of(at));

const scenarios: readonly Scenario[] = [
  {
    name: 'one set',
    what: '30,000 pods of one ReplicaSet: six on each node',
    run: () =>
      timed(
        cluster(),
        many(30_000, (at) => demand(at, 'web')),
        200,
      ),
  },
  {
    name: 'ten sets in turn',
    what: '30,000 pods of ten ReplicaSets of 3,000, one after the other',
    run: () =>
      timed(
        cluster(),
        many(30_000, (at) => demand(at, `set-${at % 10}`)),
        200,
      ),
  },
  {
    name: 'many sets',
    what: '50,000 pods of 5,000 ReplicaSets of ten',
    run: () =>
      timed(
        cluster(),
        many(50_000, (at) => demand(at, `set-${Math.floor(at / 10)}`)),
        200,
      ),
  },
  {
    name: 'one by one',
    what: '10,000 pods that come singly, without an owner',
    run: () =>
      timed(
        cluster(),
        many(10_000, (at) => demand(at, '')),
        1,
      ),
  },
  {
    name: 'at 50,000 placed',
    what: '10,000 more pods of one ReplicaSet, which has two on each node, where 50,000 pods are placed',
    run: () => {
      const snapshot = cluster();
      timed(
        snapshot,
        many(40_000, (at) => demand(at, `set-${Math.floor(at / 10)}`)),
        200,
      );
      timed(
        snapshot,
        many(10_000, (at) => demand(40_000 + at, 'web')),
        200,
      );
      return timed(
        snapshot,
        many(10_000, (at) => demand(50_000 + at, 'web')),
        200,
      );
    },
  },
  {
    name: 'five of 5,000 nodes fit',
    what: '500 pods with a nodeSelector that five nodes have, one by one',
    run: () =>
      timed(
        cluster(),
        many(500, (at) => demand(at, `gpu-${at}`, { nodeSelector: { gpu: 'yes' } })),
        1,
      ),
  },
  {
    name: 'nothing fits',
    what: '20,000 pods of one shape that fit nowhere, explained, in batches of 200',
    run: () =>
      timed(
        cluster(),
        many(20_000, (at) => demand(at, 'huge', { cpuMillis: 9_000 })),
        200,
      ),
  },
  {
    name: 'churn',
    what: '20,000 times: one of 50,000 pods goes, one comes',
    run: () => {
      const snapshot = cluster();
      timed(
        snapshot,
        many(50_000, (at) => demand(at, `set-${Math.floor(at / 10)}`)),
        200,
      );
      const startMs = performance.now();
      let placed = 0;
      for (let at = 0; at < 20_000; at += 1) {
        forgetPod(snapshot, `default/p${at}`);
        if (place([demand(100_000 + at, `set-${Math.floor(at / 10)}`)], snapshot)[0]?.placed) placed += 1;
      }
      return { placed, refused: 20_000 - placed, seconds: (performance.now() - startMs) / 1000 };
    },
  },
];

const results = scenarios.map(({ name, what, run }) => {
  const { placed, refused, seconds } = run();
  const perSecond = Math.round((placed + refused) / seconds);
  console.error(`${name}: ${perSecond}/s (${placed} placed, ${refused} refused, ${seconds.toFixed(2)} s)`);
  return { name, what, placed, refused, seconds: Number(seconds.toFixed(3)), perSecond };
});
const report = { benchmark: 'scheduler', nodes: nodeCount, node: process.version, cpus: cpus().length, results };
mkdirSync(new URL('results/', import.meta.url), { recursive: true });
writeFileSync(new URL('results/scheduler.json', import.meta.url), `${JSON.stringify(report, undefined, 2)}\n`);
