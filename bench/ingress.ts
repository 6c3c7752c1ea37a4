// What the proxy of a host costs: a change of one among 1,000 hosts with 5 instances each, and requests through it beside a HAProxy that
// a person wrote. Needs haproxy and wrk, on the loopback.   node bench/ingress.ts [--hosts 1000] [--changes 300] [--seconds 5] [--rounds 3]
// [--origin haproxy|node]     JSON: bench/results/ingress-<origin>.json
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { createHaproxy } from '../src/adapters/ingress/haproxy/haproxy.ts';
import type { IngressBackend, IngressEndpoint, IngressRoute, IngressState } from '../src/adapters/ingress/port.ts';
import { silentLogger } from '../src/lib/log.ts';
import { eventually, httpGet } from '../test/e2e/lab.ts';
import { Histogram } from './lossless/histogram.ts';

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '1000' },
    changes: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    // What answers: `haproxy`, which costs next to nothing, or `node`, an application as small as one can be.
    origin: { type: 'string', default: 'haproxy' },
  },
});
const [hosts, changes, seconds, rounds] = [values.hosts, values.changes, values.seconds, values.rounds].map(Number) as [
  number,
  number,
  number,
  number,
];
const [httpPort, httpsPort, plainPort, alikePort, loggedPort, firstOrigin] = [
  28_080, 28_443, 28_081, 28_082, 28_083, 28_100,
];
const origins = [0, 1, 2, 3, 4].map((index) => firstOrigin + index);
const work = mkdtempSync(join(tmpdir(), 'flotilla-ingress-'));
const loadBefore = loadavg()[0];
const started: ChildProcess[] = [];
const hostName = (index: number) => `web.s${index}.test`;

/** Five endpoints that nobody asks, but for host 0, whose are real. */
function endpointsOf(index: number): readonly IngressEndpoint[] {
  return origins.map((port) => ({
    address: index === 0 ? '127.0.0.1' : `127.${1 + (index >> 8)}.${index & 255}.9`,
    port,
  }));
}

const noCheck = { healthCheck: { type: 'none' } } as const;

function createState(): IngressState {
  const all = Array.from({ length: hosts }, (_, index) => index);
  return {
    settings: { httpPort, httpsPort, trustedProxies: [], acceptsProxyProtocol: false, maxConnections: 5_000 },
    routes: new Map(
      all.map((index): [string, IngressRoute] => [
        `s${index}/web#0`,
        { host: hostName(index), path: '/', pathType: 'Prefix', backend: `s${index}/web:80`, options: {} },
      ]),
    ),
    backends: new Map(all.map((index) => [`s${index}/web:80`, backendOf(index, endpointsOf(index))])),
    ...{ listeners: new Map(), certificates: new Map(), challenges: new Map() },
  };
}

function backendOf(index: number, endpoints: readonly IngressEndpoint[]): IngressBackend {
  return { name: `s${index}/web:80`, mode: 'http', endpoints, options: noCheck };
}

function haproxy(name: string, text: string): number {
  const file = join(work, `${name}.cfg`);
  writeFileSync(file, text);
  const child = spawn('haproxy', ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  started.push(child);
  return child.pid ?? 0;
}

/** Behind all of the proxies, on five ports. */
function startOrigin(): void {
  if (values.origin === 'node') {
    const answer = "require('http').createServer((_, response) => response.end('hello\\n'))";
    const text = `for (const port of ${JSON.stringify(origins)}) ${answer}.listen(port, '127.0.0.1')`;
    started.push(spawn(process.execPath, ['-e', text], { stdio: ['ignore', 'ignore', 'inherit'] }));
    return;
  }
  const binds = origins.map((port) => `  bind 127.0.0.1:${port}`).join('\n');
  const answer = '  http-request return status 200 content-type text/plain string "hello\\n"';
  haproxy('origin', `defaults\n  mode http\n  timeout client 60s\nfrontend in\n${binds}\n${answer}\n`);
}

/** As one finds it in tutorials; with `rules` and `choice` for more than that. */
function handWritten(
  port: number,
  rules: string,
  choice = `use_backend web if { hdr(host) -i ${hostName(0)} }`,
): string {
  return `defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:${port}
${rules}
  ${choice}
backend web
${origins.map((origin, index) => `  server s${index} 127.0.0.1:${origin}`).join('\n')}
`;
}

/** What a careful person would write for as many hosts, and for what instances are told of the client. */
function alike(port: number): string {
  const map = join(work, 'alike.map');
  writeFileSync(map, Array.from({ length: hosts }, (_, index) => `${hostName(index)} web\n`).join(''));
  const headers = ['For %[src]', 'Proto http', 'Host %[req.hdr(host)]', 'Port %[dst_port]'];
  const rules = headers.map((header) => `  http-request set-header X-Forwarded-${header}`);
  rules.push('  http-request set-header Forwarded "for=%[src];host=\\"%[req.hdr(host)]\\";proto=http"');
  return handWritten(port, rules.join('\n'), `use_backend %[req.hdr(host),lower,map(${map})]`);
}

interface Way {
  readonly port: number;
  readonly pids: () => Promise<readonly number[]>;
}

/** Processor time that all threads of them had, microseconds. */
function processorMicros(pids: readonly number[]): number {
  let nanos = 0;
  for (const pid of pids)
    for (const task of readdirSync(`/proc/${pid}/task`))
      nanos += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  return nanos / 1_000;
}

interface Round {
  readonly perSecond: number;
  readonly microsEach: number;
}

async function wrk({ port, pids }: Way, method: 'GET' | 'POST'): Promise<Round> {
  const script = join(work, `${method}.lua`);
  writeFileSync(script, method === 'POST' ? 'wrk.method = "POST"\nwrk.body = "hello"\n' : '');
  const how = ['-t', '1', '-c', '50', '-d', `${seconds}s`, '-s', script, '-H', `Host: ${hostName(0)}`];
  const processes = await pids();
  const before = processorMicros(processes);
  const { stdout: said } = await promisify(execFile)('wrk', [...how, `http://127.0.0.1:${port}/`]);
  const micros = processorMicros(processes) - before;
  if (/Non-2xx|Socket errors/.test(said)) throw new Error(said);
  const requests = Number(/(\d+) requests in/.exec(said)?.[1]);
  return {
    perSecond: Math.round(Number(/Requests\/sec:\s+([\d.]+)/.exec(said)?.[1])),
    microsEach: Math.round((micros / requests) * 10) / 10,
  };
}

const options = { log: silentLogger, addresses: ['127.0.0.1'] };
const proxy = createHaproxy({ ...options, directory: join(work, 'ingress') });
let logged = 0;
const logging = createHaproxy({ ...options, directory: join(work, 'logging'), onAccess: () => logged++ });
try {
  startOrigin();
  const plainPid = haproxy('plain', handWritten(plainPort, '  option forwardfor'));
  const alikePid = haproxy('alike', alike(alikePort));
  let state = createState();
  const beganMs = performance.now();
  await proxy.apply(state);
  const loadMs = Math.round(performance.now() - beganMs);

  const histogram = new Histogram();
  const by: Record<string, number> = {};
  for (let change = 0; change < changes; change++) {
    // One endpoint leaves, then it comes back; always of another host.
    const index = 1 + ((change >> 1) % (hosts - 1));
    const endpoints = change % 2 === 0 ? endpointsOf(index).slice(1) : endpointsOf(index);
    state = { ...state, backends: new Map(state.backends).set(`s${index}/web:80`, backendOf(index, endpoints)) };
    const beforeMs = performance.now();
    const outcome = await proxy.apply(state);
    histogram.add(performance.now() - beforeMs);
    by[outcome.by ?? 'nothing'] = (by[outcome.by ?? 'nothing'] ?? 0) + 1;
  }

  await logging.apply({
    ...state,
    settings: { ...state.settings, httpPort: loggedPort, httpsPort: loggedPort + 1_000 },
  });
  /** Of its workers; the process that it tells of is their master. */
  const pidsOf = async (one: typeof proxy) => {
    const { pid } = await one.stats();
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  };
  const ways: Readonly<Record<string, Way>> = {
    ours: { port: httpPort, pids: () => pidsOf(proxy) },
    oursWithItsLog: { port: loggedPort, pids: async () => [...(await pidsOf(logging)), process.pid] },
    handWritten: { port: plainPort, pids: async () => [plainPid] },
    handWrittenThatDoesTheSame: { port: alikePort, pids: async () => [alikePid] },
  };
  for (const { port } of Object.values(ways)) {
    await eventually(`port ${port}`, async () => {
      const { status } = await httpGet(`http://127.0.0.1:${port}/`);
      return status > 0;
    });
  }
  const measured: Record<string, Record<string, Round[]>> = {};
  // In turn, so that what else the machine does falls on all of them.
  for (const method of ['GET', 'POST'] as const)
    for (let round = 0; round < rounds; round++)
      for (const [name, way] of Object.entries(ways)) {
        measured[method] ??= {};
        measured[method][name] ??= [];
        measured[method][name].push(await wrk(way, method));
      }
  const median = (method: string, name: string, of: (round: Round) => number) =>
    (measured[method]?.[name] ?? []).map(of).sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? Number.NaN;
  const medians = (of: (round: Round) => number) =>
    Object.fromEntries(
      Object.entries(measured).map(([method, by]) => [
        method,
        Object.fromEntries(Object.keys(by).map((name) => [name, median(method, name, of)])),
      ]),
    );
  const ratio = (method: string, to: string) =>
    Math.round((median(method, 'ours', (one) => one.perSecond) / median(method, to, (one) => one.perSecond)) * 1_000) /
    1_000;
  const ratios = (method: string) => ({
    toHandWritten: ratio(method, 'handWritten'),
    toHandWrittenThatDoesTheSame: ratio(method, 'handWrittenThatDoesTheSame'),
  });
  const report = {
    ...{
      at: new Date().toISOString(),
      node: process.version,
      loadBefore,
      origin: values.origin,
      hosts,
      instancesEach: origins.length,
    },
    ...{ loadMs, change: { ...histogram.summary(), changes, by } },
    ...{ ratio: { GET: ratios('GET'), POST: ratios('POST') }, logged },
    requestsPerSecond: medians((one) => one.perSecond),
    processorMicrosEach: medians((one) => one.microsEach),
    measured,
  };
  mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
  writeFileSync(
    join(import.meta.dirname, `results/ingress-${values.origin}.json`),
    `${JSON.stringify(report, undefined, 2)}\n`,
  );
  console.log(JSON.stringify(report, undefined, 2));
} finally {
  await Promise.all([proxy.end(0), logging.end(0)]);
  for (const child of started) child.kill('SIGKILL');
  rmSync(work, { recursive: true, force: true });
}
