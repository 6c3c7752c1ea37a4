import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackendStats, IngressStats } from '../port.ts';
import { hostTable } from './frame.ts';
import type { NamedSection } from './registry.ts';
import type { ProcessList, RuntimeClient } from './runtime-client.ts';
import { anyHost } from './wish.ts';

/** What one worker has counted, by `<section>`, `<section>/<server>` or `host <name>`; of all that are gone: by `backend <name>` or `host <name>`. */
export type Counts = ReadonlyMap<string, Count>;

export interface Count {
  readonly sessions: number;
  readonly requests: number;
  readonly errors: number;
  readonly retries: number;
}

/** What stands beside what is counted, of now. */
export interface WorkerStats {
  readonly counts: Counts;
  readonly connections: number;
  /** By `<section>/<server>`. */
  readonly states: ReadonlyMap<string, { readonly state: 'up' | 'down' | 'leaving'; readonly why?: string }>;
  /** By section. */
  readonly times: ReadonlyMap<string, { readonly connectMs: number; readonly responseMs: number }>;
}

/** Of all proxies, types 2 and 4, all servers (management.txt, 9.3). */
const serversAndBackends = 'show stat -1 6 -1';

const none: Count = { sessions: 0, requests: 0, errors: 0, retries: 0 };

/** Counts of all workers; those of one that is gone stay, as they were last seen. */
export class Statistics {
  readonly #client: RuntimeClient;
  readonly #file: string;
  readonly #last = new Map<number, Counts>();
  #gone: Map<string, Count> | undefined;

  constructor(client: RuntimeClient, directory: string) {
    this.#client = client;
    this.#file = join(directory, 'counts.json');
  }

  async read(
    { master, worker, oldWorkers, reloads }: ProcessList,
    version: string,
    sections: ReadonlyMap<string, NamedSection>,
  ): Promise<IngressStats> {
    const gone = this.#gone ?? (await this.#load());
    this.#gone = gone;
    const pids = [...(worker === undefined ? [] : [worker]), ...oldWorkers];
    const read = new Map<number, WorkerStats>();
    for (const pid of pids) read.set(pid, await this.#ask(pid));
    for (const [pid, counts] of this.#last) {
      if (read.has(pid)) continue;
      addTo(gone, counts);
      this.#last.delete(pid);
    }
    // Its sections may be forgotten by the time it is gone.
    for (const [pid, { counts }] of read) this.#last.set(pid, lasting(counts, sections));
    const sums = new Map(gone);
    for (const { counts } of read.values()) addTo(sums, counts);
    return {
      version,
      pid: master,
      reloads,
      oldWorkers: oldWorkers.length,
      connections: [...read.values()].reduce((sum, { connections }) => sum + connections, 0),
      backends: backendStats(sums, [...read.values()], sections),
      hosts: hostStats(sums),
    };
  }

  /** For the agent that comes after this one. */
  async keep(): Promise<void> {
    const gone = this.#gone;
    if (!gone) return;
    const text = JSON.stringify({ gone: [...gone], last: [...this.#last].map(([pid, counts]) => [pid, [...counts]]) });
    // What has been counted is worth no failure.
    await writeFile(`${this.#file}.next`, text, { mode: 0o600 }).then(
      () => rename(`${this.#file}.next`, this.#file),
      () => {},
    );
  }

  async #load(): Promise<Map<string, Count>> {
    try {
      const kept = JSON.parse(await readFile(this.#file, 'utf8')) as {
        gone: [string, Count][];
        last: [number, [string, Count][]][];
      };
      for (const [pid, counts] of kept.last) this.#last.set(pid, new Map(counts));
      return new Map(kept.gone);
    } catch {
      return new Map();
    }
  }

  async #ask(pid: number): Promise<WorkerStats> {
    const stat = await this.#client.ask(pid, serversAndBackends);
    const table = await this.#client.ask(pid, `show table ${hostTable}`);
    const info = await this.#client.ask(pid, 'show info');
    return parseWorkerStats(stat, table, info);
  }
}

function sumOf(a: Count, b: Count): Count {
  return {
    sessions: a.sessions + b.sessions,
    requests: a.requests + b.requests,
    errors: a.errors + b.errors,
    retries: a.retries + b.retries,
  };
}

/** Without instances, which come and go. */
function lasting(counts: Counts, sections: ReadonlyMap<string, NamedSection>): Counts {
  const kept = new Map<string, Count>();
  for (const [key, count] of counts) {
    const name = sections.get(key)?.backend;
    if (key.startsWith('host ')) kept.set(key, count);
    else if (name !== undefined) addTo(kept, new Map([[`backend ${name}`, count]]));
  }
  return kept;
}

function addTo(sums: Map<string, Count>, counts: Counts): void {
  for (const [key, count] of counts) sums.set(key, sumOf(sums.get(key) ?? none, count));
}

/** Out of `show stat` (CSV), `show table` and `show info`. */
export function parseWorkerStats(stat: string, table: string, info: string): WorkerStats {
  const counts = new Map<string, Count>();
  const states = new Map<string, { state: 'up' | 'down' | 'leaving'; why?: string }>();
  const times = new Map<string, { connectMs: number; responseMs: number }>();
  const [header = '', ...lines] = stat.split('\n');
  const columns = new Map(
    header
      .replace(/^# /, '')
      .split(',')
      .map((name, at) => [name, at]),
  );
  for (const line of lines) {
    const cells = cellsOf(line);
    const cell = (name: string) => cells[columns.get(name) ?? -1] ?? '';
    const [section, server] = [cell('pxname'), cell('svname')];
    if (section === '' || server === 'FRONTEND') continue;
    const key = server === 'BACKEND' ? section : `${section}/${server}`;
    counts.set(key, {
      sessions: Number(cell('stot')),
      requests: Number(cell('req_tot')),
      errors: Number(cell('hrsp_5xx')) + (cell('mode') === 'tcp' ? Number(cell('econ')) : 0),
      retries: Number(cell('wretr')),
    });
    if (server === 'BACKEND')
      times.set(section, { connectMs: Number(cell('ctime')), responseMs: Number(cell('rtime')) });
    else states.set(key, stateOf(cell('status'), cell('last_chk') || cell('check_desc')));
  }
  for (const [, host = '', requests, failures] of table.matchAll(
    /key=(\S+) .*?http_req_cnt=(\d+) http_fail_cnt=(\d+)/g,
  )) {
    counts.set(`host ${host}`, { ...none, requests: Number(requests), errors: Number(failures) });
  }
  const [, connections = '0'] = /^CurrConns: (\d+)$/m.exec(info) ?? [];
  return { counts, states, times, connections: Number(connections) };
}

/** Of a line of CSV: a cell in quotes may have commas. */
function cellsOf(line: string): readonly string[] {
  if (!line.includes('"')) return line.split(',');
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

function stateOf(status: string, why: string) {
  if (status.startsWith('MAINT')) return { state: 'leaving' } as const;
  if (status.startsWith('DOWN')) return { state: 'down', ...(why === '' ? {} : { why }) } as const;
  return { state: 'up' } as const;
}

type EndpointStats = BackendStats['endpoints'] extends ReadonlyMap<string, infer One> ? One : never;

/** The newest worker comes first: it knows how things are now. A backend may be several sections. */
function backendStats(
  sums: ReadonlyMap<string, Count>,
  workers: readonly WorkerStats[],
  sections: ReadonlyMap<string, NamedSection>,
): ReadonlyMap<string, BackendStats> {
  const counts = new Map<string, Count>();
  const times = new Map<string, { readonly connectMs: number; readonly responseMs: number }>();
  const endpoints = new Map<string, Map<string, EndpointStats>>();
  for (const [key, count] of sums) {
    if (key.startsWith('backend ')) {
      const name = key.slice('backend '.length);
      counts.set(name, sumOf(counts.get(name) ?? none, count));
      continue;
    }
    const [section = '', server] = key.split('/', 2);
    const name = sections.get(section)?.backend;
    if (name === undefined) continue;
    const own = endpoints.get(name) ?? new Map<string, EndpointStats>();
    endpoints.set(name, own);
    if (server === undefined) {
      counts.set(name, sumOf(counts.get(name) ?? none, count));
      const found = workers.find((worker) => worker.times.has(section))?.times.get(section);
      if (found && !times.has(name)) times.set(name, found);
      continue;
    }
    const state = workers.find((worker) => worker.states.has(key))?.states.get(key);
    if (!state || server === 'authority') continue;
    const { sessions = 0, requests = 0 } = own.get(server) ?? {};
    own.set(server, { ...state, sessions: sessions + count.sessions, requests: requests + count.requests });
  }
  const idle = { connectMs: 0, responseMs: 0 };
  return new Map(
    [...endpoints].map(([name, own]) => [
      name,
      { ...(counts.get(name) ?? none), ...(times.get(name) ?? idle), endpoints: own },
    ]),
  );
}

function hostStats(sums: ReadonlyMap<string, Count>): IngressStats['hosts'] {
  const hosts = [...sums].filter(([key]) => key.startsWith('host '));
  return new Map(
    hosts.map(([key, { requests, errors }]) => [key === `host ${anyHost}` ? '*' : key.slice(5), { requests, errors }]),
  );
}
