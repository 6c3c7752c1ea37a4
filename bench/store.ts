// Durable puts of 1 KiB per second with 1, 32 and 256 writers.   node bench/store.ts [--etcd http://127.0.0.1:2379]
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Store } from '../src/store/port.ts';

const { values: flags } = parseArgs({
  options: {
    /** Where the file lies: durable writes are as fast as this disk. */
    folder: { type: 'string', default: tmpdir() },
    etcd: { type: 'string' },
    seconds: { type: 'string', default: '3' },
    keys: { type: 'string', default: '10000' },
    out: { type: 'string', default: 'bench/results/store.json' },
  },
});
const seconds = Number(flags.seconds);
const keys = Number(flags.keys);
const value = new Uint8Array(1024).fill(7);

interface Result {
  readonly store: string;
  readonly writers: number;
  readonly putsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function measure(name: string, store: Store, writers: number): Promise<Result> {
  const latencies: number[] = [];
  let seen = 0;
  const stop = new AbortController();
  store.watch('/o/', {
    afterRevision: await store.head(),
    signal: stop.signal,
    onEnd: (error) => console.error(error),
    onChanges: (changes) => {
      seen += changes.length;
    },
  });
  const endMs = performance.now() + seconds * 1000;
  const startMs = performance.now();
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      for (let i = 0; performance.now() < endMs; i++) {
        const key = `/o/main/core/pods/default/pod-${(writer * 7919 + i * 31) % keys}`;
        const fromMs = performance.now();
        await store.commit([], [{ type: 'put', key, value }]);
        latencies.push(performance.now() - fromMs);
      }
    }),
  );
  const ms = performance.now() - startMs;
  await store.head();
  stop.abort();
  if (name === 'sqlite' && seen !== latencies.length) throw new Error(`watch saw ${seen} of ${latencies.length} puts`);
  latencies.sort((a, b) => a - b);
  const at = (share: number) => Number((latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(2));
  const putsPerSecond = Math.round((latencies.length / ms) * 1000);
  const result = { store: name, writers, putsPerSecond, p50Ms: at(0.5), p99Ms: at(0.99) };
  console.log(JSON.stringify(result));
  return result;
}

const results: Result[] = [];
const folder = mkdtempSync(join(flags.folder, 'flotilla-bench-'));
try {
  const { openSqliteStore } = await import('../src/store/sqlite.ts');
  const path = join(folder, 'store.db');
  const store = await openSqliteStore({ path });
  for (const writers of [1, 32, 256]) results.push(await measure('sqlite', store, writers));
  console.log(
    JSON.stringify({ fileBytes: statSync(path).size, rssMiB: Math.round(process.memoryUsage().rss / 2 ** 20) }),
  );
  await store.close();
  if (flags.etcd !== undefined) {
    const { openEtcdStore } = await import('../src/store/etcd.ts');
    const etcd = await openEtcdStore({ endpoints: [flags.etcd], prefix: `/bench-${process.pid}` });
    for (const writers of [1, 32, 256]) results.push(await measure('etcd', etcd, writers));
    await etcd.close();
  }
} finally {
  rmSync(folder, { recursive: true });
}
const report = { node: process.version, cpus: cpus().length, cpu: cpus()[0]?.model, valueBytes: 1024, keys, results };
mkdirSync(join(flags.out, '..'), { recursive: true });
writeFileSync(flags.out, `${JSON.stringify(report, null, 2)}\n`);
