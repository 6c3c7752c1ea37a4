// What creating and placing a pod costs without the wire: registry, SQLite, informers and scheduler of one server in this
// process, the condition of the leader's term on each commit, an event for each pod, 200 nodes:
//   node bench/bind.ts [--pods 8000] [--out FILE]
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { createEventRecorder } from '../src/client/events.ts';
import type { ControllerContext } from '../src/controllers/controller-context.ts';
import { createGridInformers } from '../src/controllers/grid-informers.ts';
import { reconcileMetrics } from '../src/controllers/reconcile-metrics.ts';
import { startScheduler } from '../src/controllers/scheduler/controller.ts';
import { systemClock as clock } from '../src/lib/clock.ts';
import { silentLogger as log } from '../src/lib/log.ts';
import { Metrics } from '../src/lib/metrics.ts';
import { allKinds, type Node, nodes, type Pod, pods } from '../src/resources/kinds.ts';
import { createPodAdmission } from '../src/server/auth/service-account/admit-pods.ts';
import { startWatchCache } from '../src/server/cache/watch-cache.ts';
import { createInProcessClient } from '../src/server/in-process-client.ts';
import { ensureNamespaces } from '../src/server/registry/bootstrap.ts';
import { createCipher } from '../src/server/registry/cipher.ts';
import { createObjectCodec } from '../src/server/registry/object-codec.ts';
import { createRegistry } from '../src/server/registry/registry.ts';
import { readResourceVersions } from '../src/server/registry/resource-version.ts';
import { storeOfTerm, termKey } from '../src/server/term.ts';
import { openSqliteStore } from '../src/store/sqlite.ts';

const { values: flags } = parseArgs({
  options: { pods: { type: 'string', default: '8000' }, out: { type: 'string', default: 'bench/results/bind.json' } },
});
const count = Number(flags.pods);
const nodeCount = 200;
const directory = mkdtempSync(join(tmpdir(), 'flotilla-bench-bind-'));
const store = await openSqliteStore({ path: join(directory, 'store.db') });
const codec = createObjectCodec(createCipher(new Uint8Array(32).fill(1)), await readResourceVersions(store));
const cache = await startWatchCache({ store, kinds: allKinds, codec, clock, log });
const complete = createPodAdmission({ cache, clock });
const registry = createRegistry({ store, cache, codec, clock, complete });
await ensureNamespaces(registry);
const term = await store.commit([], [{ type: 'put', key: termKey, value: Buffer.from('{"v":1,"holder":"bench"}') }]);
const ofTerm = storeOfTerm(store, term.revision, () => console.error('the term is over'));
const client = createInProcessClient({
  registry: createRegistry({ store: ofTerm, cache, codec, clock }),
  cache,
  grid: 'main',
});
const informers = createGridInformers({ client, log, clock });
const events = createEventRecorder({ client, component: 'bench', writersAtOnce: 16, maxPending: 4_096, log, clock });
const context = {
  client,
  informers,
  events,
  log,
  clock,
  metrics: reconcileMetrics(new Metrics()),
} as ControllerContext;

for (let at = 0; at < nodeCount; at += 1) {
  const status = {
    allocatable: { cpu: '800', memory: '3200Gi', pods: '11000' },
    conditions: [{ type: 'Ready', status: 'True' }],
  };
  await client.create(nodes, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `n-${at}` },
    spec: {},
    status,
  } as Node);
}
const scheduler = startScheduler(context);
await informers.synced();

let bound = 0;
let awaited = { count: 0, done: () => {} };
informers.of(pods).onChange((_key, pod, old) => {
  if (!pod?.spec.nodeName || old?.spec.nodeName) return;
  bound += 1;
  if (bound >= awaited.count) awaited.done();
});

function pod(name: string): Pod {
  const resources = { requests: { cpu: '50m', memory: '64Mi' } };
  const container = {
    name: 'main',
    image: 'registry.example/shop/web:1.4.2',
    ports: [{ containerPort: 8080 }],
    resources,
  };
  const metadata = { name, namespace: 'default', labels: { app: `app-${name.length % 7}`, tier: 'web' } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: { automountServiceAccountToken: false, containers: [container] },
  };
}

let made = 0;

/** Creates as many and resolves when all are bound. */
async function run(more: number): Promise<void> {
  const end = made + more;
  const allBound = new Promise<void>((resolve) => {
    awaited = { count: end, done: resolve };
  });
  const creator = async () => {
    while (made < end) await registry.create({ grid: 'main', fieldManager: 'bench' }, pods, pod(`p-${made++}`));
  };
  await Promise.all(Array.from({ length: 32 }, creator));
  await allBound;
}

await run(4_000);
const [load = 0] = loadavg();
const startMs = performance.now();
const startCpu = process.cpuUsage();
await run(count);
const seconds = (performance.now() - startMs) / 1000;
const { user, system } = process.cpuUsage(startCpu);
const report = {
  benchmark: 'bind',
  node: process.version,
  nodes: nodeCount,
  pods: count,
  boundPerSecond: Math.round(count / seconds),
  cpuMsEach: Number(((user + system) / 1000 / count).toFixed(3)),
  loadBefore: Number(load.toFixed(2)),
};
console.log(JSON.stringify(report));
mkdirSync(dirname(flags.out), { recursive: true });
writeFileSync(flags.out, `${JSON.stringify(report, undefined, 2)}\n`);
await scheduler.stop();
await events.stop();
await informers.stop();
await cache.stop();
await store.close();
rmSync(directory, { recursive: true, force: true });
