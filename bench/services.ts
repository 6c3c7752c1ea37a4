// What service addresses cost: loading, one change, and connecting through one, with 10 and with 5,000 services of 5 endpoints.
// As root: node bench/services.ts [--changes 1000] [--connects 3000]     JSON: bench/results/services.json
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createNftServiceProxy } from '../src/adapters/services/nft.ts';
import { createServicePlanner } from '../src/adapters/services/plan.ts';
import type { VirtualService } from '../src/adapters/services/port.ts';
import { silentLogger } from '../src/lib/log.ts';
import { podAddresses, type ServiceNetwork, startServiceNetwork } from '../test/integration/service-network.ts';

const { values } = parseArgs({
  options: { changes: { type: 'string', default: '1000' }, connects: { type: 'string', default: '3000' } },
});
const changes = Number(values.changes);
const connects = Number(values.connects);
const remotePod = podAddresses.c;
const probeAddress = '10.96.255.1';

/** Five endpoints each; nobody connects to these. */
function createService(number: number): VirtualService {
  return {
    name: `bench/s${number}:http`,
    port: { protocol: 'TCP', number: 80 },
    clusterIPs: [`10.96.${number >> 8}.${number & 255}`],
    externalIPs: [],
    internalTrafficPolicy: 'Cluster',
    externalTrafficPolicy: 'Cluster',
    endpoints: [1, 2, 3, 4, 5].map((one) => ({
      address: `10.${81 + (number % 14)}.${(number >> 4) & 255}.${one + 10}`,
      port: 8080,
      isLocal: false,
    })),
  };
}

/** Five times the same pod, on another port each, so that it is the data of five that is picked from. */
const probe: VirtualService = {
  ...createService(0),
  name: 'bench/probe:http',
  clusterIPs: [probeAddress],
  endpoints: [1, 2, 3, 4, 5].map((one) => ({ address: remotePod, port: 8080 + one, isLocal: false })),
};

async function measureSize(network: ServiceNetwork, count: number): Promise<object> {
  const { exec, frame } = network.hosts.h1;
  const proxy = createNftServiceProxy({ exec, log: silentLogger });
  const services = new Map(Array.from({ length: count }, (_, index) => [`s${index}`, createService(index)]));
  services.set('probe', probe);
  const startedAt = performance.now();
  await proxy.apply({ ...frame, services: new Map(services) });
  const loadMs = performance.now() - startedAt;

  const planner = createServicePlanner(frame);
  const loadBytes = planner.plan(services).scripts.join('').length;
  const changeMs: number[] = [];
  const changeBytes: number[] = [];
  for (let index = 0; index < changes; index++) {
    // Always the same ten services. One endpoint leaves, then it comes back.
    const key = `s${(index >> 1) % 10}`;
    const former = services.get(key) ?? probe;
    const full = createService(Number(key.slice(1))).endpoints;
    services.set(key, { ...former, endpoints: former.endpoints.length === 5 ? full.slice(1) : full });
    const state = { ...frame, services: new Map(services) };
    const beganAt = performance.now();
    await proxy.apply(state);
    changeMs.push(performance.now() - beganAt);
    changeBytes.push(planner.plan(state.services).scripts.join('').length);
  }
  const driftMs: number[] = [];
  for (let index = 0; index < 20; index++) {
    const beganAt = performance.now();
    if (await proxy.hasDrifted()) throw new Error('nobody has touched the table, and it is said to have drifted');
    driftMs.push(performance.now() - beganAt);
  }
  const connect = await measureConnects(network);
  await proxy.cleanup();
  return {
    services: count,
    endpoints: count * 5,
    loadMs: round(loadMs),
    loadBytes,
    changes: { ...percentiles(changeMs), count: changes, ...withBytes(changeBytes) },
    hasDrifted: percentiles(driftMs),
    connect,
  };
}

/** In turns, so that whatever else the machine does meets both alike. */
async function measureConnects(network: ServiceNetwork): Promise<object> {
  const { a } = network.actors;
  const pod: number[] = [];
  const vip: number[] = [];
  const turns = 10;
  for (let turn = 0; turn < turns; turn++) {
    pod.push(...(await a.measure({ host: remotePod, port: 8081, count: connects / turns })));
    vip.push(...(await a.measure({ host: probeAddress, port: 80, count: connects / turns })));
  }
  return { count: connects, podAddress: percentiles(pod), serviceAddress: percentiles(vip) };
}

function percentiles(milliseconds: readonly number[]): { p50Ms: number; p99Ms: number; maxMs: number } {
  const sorted = [...milliseconds].sort((one, other) => one - other);
  const at = (share: number) => round(sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0);
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

function withBytes(bytes: readonly number[]): { meanBytes: number; maxBytes: number } {
  return {
    meanBytes: Math.round(bytes.reduce((sum, one) => sum + one, 0) / bytes.length),
    maxBytes: Math.max(...bytes),
  };
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1_000) / 1_000;
}

const network = await startServiceNetwork();
try {
  await Promise.all([1, 2, 3, 4, 5].map((one) => network.actors.c.serve(8080 + one)));
  await network.actors.a.measure({ host: remotePod, port: 8081, count: 500 }); // warm
  const loadAverage = round(loadavg()[0] ?? 0); // what else the machine did: timings are worth little above 1
  const sizes: object[] = [];
  for (const count of [10, 2_000, 5_000]) sizes.push(await measureSize(network, count));
  const report = { at: new Date().toISOString(), node: process.version, loadAverage, sizes };
  mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
  writeFileSync(join(import.meta.dirname, 'results/services.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  console.log(JSON.stringify(report, undefined, 2));
} finally {
  await network.stop();
}
