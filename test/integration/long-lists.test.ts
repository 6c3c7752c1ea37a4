// A list of many thousands of objects holds nobody up: whatever its form, it is answered in slices. Measured in the
// processor time of the event loop's thread between two of its turns, which other processes of the machine do not change.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { type Pod, pods } from '../../src/resources/kinds.ts';
import type { HttpResponse } from '../../src/server/request.ts';
import { startTestApi, type TestApi } from '../../src/server/test-api.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';

const count = 50_000;
/** What one turn may take: the slices of 8 ms, the copy of the keys, and a collection of garbage; in one piece a list takes twice as long. */
const turnMs = 75;

let api: TestApi;
const directory = mkdtempSync(join(tmpdir(), 'flotilla-long-lists-'));

before(async () => {
  api = await startTestApi({ store: await openSqliteStore({ path: join(directory, 'store.db') }) });
  for (let at = 0; at < count; at += 500) {
    await Promise.all(
      Array.from({ length: 500 }, (_, next) => api.registry.create({ grid: 'main' }, pods, pod(at + next))),
    );
  }
});
after(async () => {
  await api.stop();
  rmSync(directory, { recursive: true, force: true });
});

function pod(at: number): Pod {
  const containers = [{ name: 'main', image: 'registry.example/web:1', ports: [{ containerPort: 8080 }] }];
  const metadata = { name: `p-${at}`, namespace: 'default', labels: { app: `app-${at % 7}`, tier: 'web' } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers } };
}

const cpuMs = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

/** Processor time of each turn of the event loop while `run` runs, longest first, and of all together. */
async function turnsOf(run: () => Promise<void>): Promise<{ turns: number[]; totalMs: number }> {
  const turns: number[] = [];
  const startMs = cpuMs();
  let lastMs = startMs;
  let isOver = false;
  const turn = () => {
    const nowMs = cpuMs();
    turns.push(nowMs - lastMs);
    lastMs = nowMs;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  try {
    await run();
  } finally {
    isOver = true;
  }
  await new Promise((resolve) => setImmediate(resolve));
  return { turns: turns.sort((left, right) => right - left), totalMs: cpuMs() - startMs };
}

const path = '/api/v1/namespaces/default/pods';
const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
const newline = 10;

/** Takes an answer as it comes and keeps nothing: reading must not be what takes long here. */
class Sink extends Writable {
  statusCode = 200;
  headersSent = false;
  bytes = 0;
  lines = 0;
  readonly #end: { readonly mark: string; readonly stop: AbortController } | undefined;

  constructor(end?: { readonly mark: string; readonly stop: AbortController }) {
    super();
    this.#end = end;
  }

  setHeader(): void {}
  removeHeader(): void {}
  flushHeaders(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.bytes += chunk.length;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, at + 1)) this.lines += 1;
    if (this.#end && chunk.includes(this.#end.mark)) this.#end.stop.abort();
    done();
  }
}

async function ask(query: string, headers: Record<string, string>, sink: Sink, signal?: AbortSignal): Promise<void> {
  const request = Object.assign(Readable.from([]), { method: 'GET', url: path, headers }) as unknown as IncomingMessage;
  const url = new URL(path + query, 'http://server');
  await api.handler.handle(api.context(signal), request, sink as unknown as HttpResponse, url);
}

async function list(query = '', headers: Record<string, string> = {}): Promise<number> {
  const sink = new Sink();
  await ask(query, headers, sink);
  assert.equal(sink.statusCode, 200);
  return sink.bytes;
}

/** Lines of a watch until `mark` has come in one. */
async function watch(query: string, mark: string): Promise<number> {
  const stop = new AbortController();
  const sink = new Sink({ mark, stop });
  await ask(`?watch=true&${query}`, {}, sink, stop.signal);
  return sink.lines;
}

const initialEnd = 'k8s.io/initial-events-end';
const watchList = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';

describe(`${count} pods`, () => {
  const isLong = async (bytes: Promise<number>) => assert.ok((await bytes) > count * 100);
  const cases: Record<string, () => Promise<void>> = {
    'a list, each object written down for the first time': () => isLong(list()),
    'a list': () => isLong(list()),
    'a list as a table': () => isLong(list('', table)),
    'a list with selectors': async () =>
      assert.ok((await list('?labelSelector=app%3Dapp-3&fieldSelector=status.phase%3DPending')) > 100_000),
    'a list with a selector that matches one': async () =>
      assert.ok((await list('?fieldSelector=metadata.name%3Dp-777')) < 5_000),
    'a watch with a selector, from the beginning': async () =>
      assert.ok((await watch('labelSelector=app%3Dapp-1', '"p-9997"')) > count / 8),
    'a streaming list': async () => assert.ok((await watch(watchList, initialEnd)) > count),
    'a streaming list with a selector that matches one': async () =>
      assert.ok((await watch(`${watchList}&fieldSelector=metadata.name%3Dp-777`, initialEnd)) <= 3),
  };
  for (const [name, run] of Object.entries(cases)) {
    test(name, async (t) => {
      const { turns, totalMs } = await turnsOf(run);
      const worstMs = turns[0] ?? 0;
      const p99Ms = turns[Math.floor(turns.length / 100)] ?? 0;
      t.diagnostic(
        `${totalMs.toFixed(0)} ms in ${turns.length} turns, the longest ${worstMs.toFixed(1)}, p99 ${p99Ms.toFixed(1)}`,
      );
      assert.ok(worstMs <= turnMs, `one turn took ${worstMs.toFixed(1)} ms`);
    });
  }
});
