// What the API does in a second, what it costs, and how long things take, against a server process on loopback:
//   node bench/api.ts [create list lag watch watches cold-start bind bound] [--out FILE] [--profile DIR]
// Load, simulated nodes and server share the machine's cores: the figures are a floor. Writes bench/results/api.json.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type LoadConnection, openLoadConnection } from './load-connection.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: 'bench/results/api.json' },
    profile: { type: 'string' },
    clients: { type: 'string', default: '32' },
    seconds: { type: 'string', default: '8' },
    nodes: { type: 'string', default: '200' },
    watchers: { type: 'string', default: '1000' },
    objects: { type: 'string', default: '50000' },
  },
});
const clients = Number(flags.clients);
const seconds = Number(flags.seconds);
const ofMain = '/api/v1/namespaces/default/pods';
/** No controller looks into this grid: nothing but the API is at work. */
const ofSystem = '/grids/system/api/v1/namespaces/flotilla-system/pods';

type Figures = Record<string, number | string>;

function pod(name: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: `app-${name.length % 7}`, tier: 'web' } },
    spec: {
      automountServiceAccountToken: false,
      containers: [
        {
          name: 'main',
          image: 'registry.example/shop/web:1.4.2',
          env: [{ name: 'MODE', value: 'production' }],
          ports: [{ containerPort: 8080 }],
          resources: { requests: { cpu: '50m', memory: '64Mi' } },
        },
      ],
    },
  });
}

function connect(server: ServerProcess): Promise<LoadConnection> {
  return openLoadConnection({ url: server.url, caCertificate: server.caCertificate, token: server.adminToken });
}

async function withServer<T>(run: (server: ServerProcess) => Promise<T>, dataDirectory?: string): Promise<T> {
  const server = await startServerProcess({
    ...(dataDirectory === undefined ? {} : { dataDirectory }),
    ...(flags.profile === undefined ? {} : { profileDirectory: flags.profile }),
  });
  try {
    return await run(server);
  } finally {
    const code = await server.stop();
    if (code !== 0) console.error(`the server ended with ${code}`);
  }
}

async function createPods(server: ServerProcess, more: { count?: number; path: string; prefix: string }) {
  const connections = await Promise.all(Array.from({ length: clients }, () => connect(server)));
  const latencies: number[] = [];
  const endMs = more.count === undefined ? performance.now() + seconds * 1000 : Number.POSITIVE_INFINITY;
  const startMs = performance.now();
  const startCpuMs = server.cpuMs();
  let next = 0;
  await Promise.all(
    connections.map(async (connection) => {
      while (performance.now() < endMs && next < (more.count ?? Number.POSITIVE_INFINITY)) {
        const body = pod(`${more.prefix}-${next++}`);
        const fromMs = performance.now();
        const { status, body: answer } = await connection.request('POST', more.path, body);
        if (status !== 201) throw new Error(`create: ${status} ${answer.toString().slice(0, 300)}`);
        latencies.push(performance.now() - fromMs);
      }
    }),
  );
  const tookMs = performance.now() - startMs;
  const serverCpuMs = server.cpuMs() - startCpuMs;
  for (const connection of connections) connection.close();
  return {
    count: latencies.length,
    perSecond: Math.round((latencies.length / tookMs) * 1000),
    serverCpuMsEach: round(serverCpuMs / latencies.length),
    ...spread(latencies),
  };
}

function spread(values: number[]): { p50Ms: number; p99Ms: number; maxMs: number } {
  values.sort((a, b) => a - b);
  const at = (share: number) => Number((values[Math.floor((values.length - 1) * share)] ?? 0).toFixed(2));
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

const sections: Record<string, () => Promise<Figures>> = {
  create: () => withServer((server) => createPods(server, { path: ofSystem, prefix: 'p' })),

  list: () =>
    withServer(async (server) => {
      await createPods(server, { count: 10_000, path: ofSystem, prefix: 'p' });
      const connection = await connect(server);
      const figures: Figures = {};
      const gzip = { 'accept-encoding': 'gzip' };
      const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
      for (const [name, headers] of Object.entries({ plain: {}, gzip, table })) {
        const times: number[] = [];
        for (let round = 0; round < 11; round += 1) {
          const fromMs = performance.now();
          const { status, bytes } = await connection.request('GET', ofSystem, undefined, headers);
          if (status !== 200) throw new Error(`list: ${status}`);
          times.push(performance.now() - fromMs);
          figures[`${name}Bytes`] = bytes;
        }
        figures[`${name}FirstMs`] = Number(times[0]?.toFixed(1));
        figures[`${name}MedianMs`] = spread(times).p50Ms;
      }
      connection.close();
      return figures;
    }),

  lag: () =>
    withServer(async (server) => {
      const objects = Number(flags.objects);
      await createPods(server, { count: objects, path: ofSystem, prefix: 'p' });
      const connection = await connect(server);
      const probe = await connect(server);
      const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
      const list = (query = '', headers = {}) => connection.request('GET', `${ofSystem}${query}`, undefined, headers);
      const streamed = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
      const works: Record<string, () => Promise<unknown>> = {
        nothing: () => new Promise((resolve) => setTimeout(resolve, 100)),
        list: () => list(),
        table: () => list('', table),
        selector: () => list('?labelSelector=app%3Dapp-3'),
        watchWithSelector: () => list('?watch=true&timeoutSeconds=1&resourceVersion=0&labelSelector=app%3Dapp-3'),
        watchList: () => list(`?${streamed}&timeoutSeconds=1`),
      };
      const figures: Figures = { objects };
      for (const [name, work] of Object.entries(works)) {
        await work(); // the first time each object is written down
        await lagOf(probe);
        const endMs = performance.now() + seconds * 500;
        do await work();
        while (performance.now() < endMs);
        const { p99Ms, maxMs } = await lagOf(probe);
        figures[`${name}LagP99Ms`] = p99Ms;
        figures[`${name}LagMaxMs`] = maxMs;
      }
      connection.close();
      probe.close();
      return figures;
    }),

  watch: () =>
    withServer(async (server) => {
      const watchers = Number(flags.watchers);
      const connections = await Promise.all(Array.from({ length: clients }, () => connect(server)));
      const acknowledged = new Map<string, number>();
      const latencies: number[] = [];
      let seen = 0;
      const onData = () => {
        let rest = '';
        return (chunk: Buffer) => {
          const atMs = performance.now();
          const text = rest + chunk.toString('latin1');
          const end = text.lastIndexOf('\n');
          rest = text.slice(end + 1);
          for (const [, name = ''] of text
            .slice(0, end + 1)
            .matchAll(/"type":"ADDED","object":.{0,200}?"name":"(w-\d+)"/g)) {
            seen += 1;
            const ackMs = acknowledged.get(name);
            latencies.push(ackMs === undefined ? 0 : atMs - ackMs); // before its maker had the answer
          }
        };
      };
      const path = `${ofSystem}?watch=true&resourceVersion=0`;
      await Promise.all(Array.from({ length: watchers }, (_, at) => connections[at % clients]!.watch(path, onData())));
      const writer = await connect(server);
      const count = seconds * 100;
      const startCpuMs = server.cpuMs();
      const startMs = performance.now();
      for (let at = 0; at < count; at += 1) {
        const wait = startMs + at * 10 - performance.now();
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        const name = `w-${at}`;
        void writer.request('POST', ofSystem, pod(name)).then(() => acknowledged.set(name, performance.now()));
      }
      for (const endMs = performance.now() + 20_000; seen < count * watchers && performance.now() < endMs; ) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const tookMs = performance.now() - startMs;
      const serverCpuShare = round((server.cpuMs() - startCpuMs) / tookMs);
      for (const connection of [...connections, writer]) connection.close();
      return {
        watchers,
        events: count,
        deliveries: seen,
        missing: count * watchers - seen,
        serverCpuShare,
        deliveriesPerSecond: Math.round((seen / tookMs) * 1000),
        ...spread(latencies),
      };
    }),

  watches: () =>
    withServer(async (server) => {
      const connections = await Promise.all(Array.from({ length: clients }, () => connect(server)));
      // Idle for so long, the process has collected its garbage and given the room back.
      const settle = () => new Promise((resolve) => setTimeout(resolve, 15_000));
      await settle();
      const before = server.memory();
      const count = 5_000;
      const path = `${ofSystem}?watch=true&resourceVersion=0`;
      await Promise.all(Array.from({ length: count }, (_, at) => connections[at % clients]!.watch(path, () => {})));
      await settle();
      const after = server.memory();
      for (const connection of connections) connection.close();
      return {
        watches: count,
        bytesPerWatch: Math.round((after.pssBytes - before.pssBytes) / count),
        idlePssMiB: mebibytes(before.pssBytes),
        pssMiB: mebibytes(after.pssBytes),
      };
    }),

  'cold-start': async () => {
    const dataDirectory = mkdtempSync(join(tmpdir(), 'flotilla-bench-cold-'));
    const objects = Number(flags.objects);
    try {
      const idle = await withServer(async (server) => {
        await new Promise((resolve) => setTimeout(resolve, 2_000));
        return server.memory();
      }, dataDirectory);
      const made = await withServer(
        (server) => createPods(server, { count: objects, path: ofSystem, prefix: 'p' }),
        dataDirectory,
      );
      return await withServer(async (server) => {
        await new Promise((resolve) => setTimeout(resolve, 3_000));
        const { pssBytes } = server.memory();
        return {
          objects,
          createdPerSecond: made.perSecond,
          readyMs: Math.round(server.readyMs),
          idlePssMiB: mebibytes(idle.pssBytes),
          pssMiB: mebibytes(pssBytes),
          bytesPerPod: Math.round((pssBytes - idle.pssBytes) / objects),
        };
      }, dataDirectory);
    } finally {
      rmSync(dataDirectory, { recursive: true, force: true });
    }
  },

  /** Nodes take their pods and tell nothing of them: what is left is the way from a create to a node. */
  bind: () => boundWith({ startDelayMs: 600_000 }),

  /** Each node also reports each of its pods Running, as fast as it can. */
  bound: () => boundWith({ startDelayMs: 0 }),
};

function boundWith({ startDelayMs }: { readonly startDelayMs: number }): Promise<Figures> {
  return withServer(async (server) => {
    const simulator = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        new URL('simulator/main.ts', import.meta.url).pathname,
        ...['--data', server.dataDirectory, '--server', server.url, '--nodes', flags.nodes],
        ...['--start-delay-ms', String(startDelayMs)],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const lines = createInterface({ input: simulator.stdout })[Symbol.asyncIterator]();
    const { value: ready } = await lines.next();
    // A server that has just started compiles what it runs: that is a cost of the start, not of a pod.
    await countBound(
      server,
      async () => (await createPods(server, { count: 3_000, path: ofMain, prefix: 'w' })).perSecond,
    );
    const bound = await countBound(server, async () => {
      const { perSecond } = await createPods(server, { path: ofMain, prefix: 'b' });
      return perSecond;
    });
    simulator.kill('SIGTERM');
    await once(simulator, 'exit');
    return { nodes: Number(flags.nodes), joinSeconds: Number(JSON.parse(`${ready}`).seconds.toFixed(1)), ...bound };
  });
}

/** How late the server's event loop was since this was asked last; its timer ticks each 20 ms, which is part of the figures. */
async function lagOf(connection: LoadConnection): Promise<{ p99Ms: number; maxMs: number }> {
  const { body } = await connection.request('GET', '/metrics');
  const text = body.toString();
  const ms = (name: string) => round(Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]) * 1000);
  return { p99Ms: ms('flotilla_event_loop_lag_p99_seconds'), maxMs: ms('flotilla_event_loop_lag_seconds') };
}

/** From the first create until the last pod that was created is bound. */
async function countBound(server: ServerProcess, create: () => Promise<number>): Promise<Figures> {
  const connection = await connect(server);
  const startMs = performance.now();
  const startCpuMs = server.cpuMs();
  const createdPerSecond = await create();
  const createMs = performance.now() - startMs;
  const created = Math.round((createdPerSecond * createMs) / 1000);
  for (;;) {
    const path = `${ofMain}?fieldSelector=spec.nodeName%3D&limit=1`;
    const { body } = await connection.request('GET', path);
    const { items } = JSON.parse(body.toString()) as { items: unknown[] };
    if (items.length === 0) break;
    if (performance.now() - startMs > 120_000) throw new Error('pods remain without a node');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const boundMs = performance.now() - startMs;
  connection.close();
  return {
    pods: created,
    createdPerSecond,
    boundPerSecond: Math.round((created / boundMs) * 1000),
    serverCpuMsEach: round((server.cpuMs() - startCpuMs) / created),
    lagMs: Math.round(boundMs - createMs),
  };
}

function round(value: number): number {
  return Number(value.toFixed(3));
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}

const wanted = positionals.length > 0 ? positionals : Object.keys(sections);
const results: Record<string, Figures> = {};
for (const name of wanted) {
  const load = loadavg()[0] ?? 0;
  const figures = await sections[name]?.();
  if (!figures) throw new Error(`no such section: ${name}`);
  results[name] = { ...figures, loadBefore: Number(load.toFixed(2)) };
  console.log(JSON.stringify({ [name]: results[name] }));
}
const report = {
  benchmark: 'api',
  node: process.version,
  cpus: cpus().length,
  cpu: cpus()[0]?.model,
  clients,
  results,
};
mkdirSync(join(flags.out, '..'), { recursive: true });
writeFileSync(flags.out, `${JSON.stringify(report, undefined, 2)}\n`);
