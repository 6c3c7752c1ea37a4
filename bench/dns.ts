// DNS of one node: questions a second and how long they take, with few names and with 5,000 services of 5 endpoints; what the
// process keeps in memory; and that no answer has an address whose withdrawal was acknowledged. The program is built as it is
// installed. Client and server share the machine. Writes bench/results/dns.json.
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DnsRecords } from '../src/adapters/dns/port.ts';
import { type DnsProcess, endDnsProcess, startDnsProcess } from '../src/adapters/dns/process/process-client.ts';
import { query } from '../src/adapters/dns/test-queries.ts';
import { ZoneBuilder } from '../src/adapters/dns/zone/zone-builder.ts';
import { silentLogger } from '../src/lib/log.ts';
import type { EndpointSlice, Service } from '../src/resources/kinds.ts';

const port = 15_353;
const address = '127.0.0.1';
const seconds = 5;
const changes = 1_000;

interface Load {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly lost: number;
}

function serviceOf(index: number): Service {
  const spec = { clusterIP: `10.96.${index >> 8}.${index & 255}`, ports: [{ name: 'http', port: 80 }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: `s${index}`, namespace: 'shop' }, spec };
}

function sliceOf(index: number, turn = 0): EndpointSlice {
  const endpoints = [0, 1, 2, 3, 4].map((at) => ({ addresses: [`10.8${at}.${(index >> 8) + turn}.${index & 255}`] }));
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `s${index}-a`, namespace: 'shop', labels: { 'kubernetes.io/service-name': `s${index}` } },
    addressType: 'IPv4',
    endpoints,
  };
}

/** Closed loop: so many questions are out at any time, over eight sockets. */
async function load(names: readonly string[], outstanding: number): Promise<Load> {
  const packets = names.flatMap((name) => [query(name), query(name, 'AAAA'), query(`${name}.shop.svc.cluster.local`)]);
  const latencies: number[] = [];
  let turn = 0;
  let isOver = false;
  const sockets = await Promise.all(
    Array.from({ length: Math.min(8, outstanding) }, async () => {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) => socket.connect(port, address, () => resolve()));
      const sentMs = new Float64Array(65_536);
      let id = 0;
      const ask = () => {
        const packet = packets[turn++ % packets.length];
        if (!packet || isOver) return;
        id = (id + 1) & 0xffff;
        packet.writeUInt16BE(id, 0);
        sentMs[id] = performance.now();
        socket.send(packet.subarray());
      };
      socket.on('message', (response) => {
        latencies.push(performance.now() - (sentMs[response.readUInt16BE(0)] ?? 0));
        ask();
      });
      return { socket, ask };
    }),
  );
  const startedMs = performance.now();
  for (let at = 0; at < outstanding; at++) sockets[at % sockets.length]?.ask();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  isOver = true;
  const tookMs = performance.now() - startedMs;
  const answered = latencies.length;
  await new Promise((resolve) => setTimeout(resolve, 300)); // the last ones come in
  const lost = Math.max(0, outstanding - (latencies.length - answered));
  for (const { socket } of sockets) socket.close();
  const sorted = Float64Array.from(latencies.slice(0, answered)).sort();
  return { perSecond: Math.round((answered / tookMs) * 1000), ...percentiles(sorted), lost };
}

function percentiles(sorted: Float64Array): { p50Ms: number; p99Ms: number } {
  const at = (share: number) => Number((sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(3));
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

/**
 * One address after the other is behind a name, under load. An answer to a question that was sent after the change to address
 * n was acknowledged must have n or a later one.
 */
async function staleness(client: DnsProcess) {
  const name = 'moving.shop.svc.cluster.local';
  const set = (turn: number) => {
    const records: DnsRecords = { addresses: [`10.81.${turn >> 8}.${turn & 255}`], isHeadless: true };
    return client.change({ set: new Map([['moving.shop.svc', records]]), drop: [] }, String(turn));
  };
  await set(0);
  let acknowledged = 0;
  let answers = 0;
  let stale = 0;
  let isOver = false;
  const sockets = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) => socket.connect(port, address, () => resolve()));
      const packet = query(name);
      let knownWhenSent = 0;
      const ask = () => {
        if (isOver) return;
        knownWhenSent = acknowledged;
        socket.send(packet);
      };
      socket.on('message', (response) => {
        answers++;
        const turn = response.readUInt16BE(response.length - 2);
        if (turn < knownWhenSent) stale++;
        ask();
      });
      ask();
      return socket;
    }),
  );
  const tookMs: number[] = [];
  for (let turn = 1; turn <= changes; turn++) {
    const startedMs = performance.now();
    await set(turn);
    acknowledged = turn;
    tookMs.push(performance.now() - startedMs);
    if (turn % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  isOver = true;
  for (const socket of sockets) socket.close();
  return { changes, answers, stale, acknowledged: percentiles(Float64Array.from(tookMs).sort()) };
}

function memoryOf(pid: number | undefined): Record<string, number> {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const mib = (field: string) =>
    Math.round(Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 102.4) / 10;
  return { rssMiB: mib('Rss'), pssMiB: mib('Pss'), privateDirtyMiB: mib('Private_Dirty') };
}

const work = mkdtempSync(join(tmpdir(), 'flotilla-bench-dns-'));
const built = join(work, 'dist');
spawnSync('node_modules/.bin/tsc', ['--project', 'tsconfig.build.json', '--outDir', built], { stdio: 'inherit' });
cpSync('package.json', join(work, 'package.json'));
symlinkSync(join(process.cwd(), 'node_modules'), join(work, 'node_modules'));
const { programId } = (await import(join(built, 'adapters/dns/process/program-id.js'))) as { programId(): string };
const { dnsProcessArgv } = (await import(join(built, 'adapters/dns/process/start-process.js'))) as {
  dnsProcessArgv(directory: string): readonly string[];
};
const startedMs = performance.now();
const client = await startDnsProcess({
  dataDirectory: work,
  settings: { domain: 'cluster.local', upstreams: [], podRange: '10.80.0.0/12', serviceRange: '10.96.0.0/16' },
  addresses: [{ address, port }],
  log: silentLogger,
  program: { id: programId(), argv: dnsProcessArgv(work) },
});
const startMs = Math.round(performance.now() - startedMs);
const results: object[] = [];
try {
  const builder = new ZoneBuilder();
  for (const count of [10, 5_000]) {
    for (let index = 0; index < count; index++) {
      builder.setService(`shop/s${index}`, serviceOf(index));
      builder.setSlice(`shop/s${index}-a`, sliceOf(index));
    }
    builder.changes();
    const toldMs = performance.now();
    await client.apply(builder.zone());
    const applyMs = Math.round(performance.now() - toldMs);
    const changeMs: number[] = [];
    for (let turn = 1; turn <= 200; turn++) {
      const beganMs = performance.now();
      builder.setSlice(`shop/s${turn % 10}-a`, sliceOf(turn % 10, turn));
      builder.changes();
      changeMs.push(performance.now() - beganMs);
    }
    const names = Array.from({ length: count }, (_, index) => `s${index}.shop.svc.cluster.local`);
    const one = await load(names, 1);
    const many = await load(names, 16);
    results.push({
      services: count,
      endpoints: count * 5,
      applyAllMs: applyMs,
      planOneChange: percentiles(Float64Array.from(changeMs).sort()),
      oneQuestionAtATime: one,
      sixteenAtATime: many,
      memory: memoryOf(client.pid),
    });
  }
  const withdrawal = await staleness(client);
  mkdirSync('bench/results', { recursive: true });
  const load1 = Number(loadavg()[0]?.toFixed(2));
  const summary = {
    benchmark: 'dns',
    node: process.version,
    cpus: cpus().length,
    load: load1,
    startMs,
    results,
    withdrawal,
  };
  writeFileSync('bench/results/dns.json', `${JSON.stringify(summary, null, 2)}\n`);
  console.log(JSON.stringify(summary, null, 2));
} finally {
  await client.stop();
  await endDnsProcess(work);
  rmSync(work, { recursive: true, force: true });
}
