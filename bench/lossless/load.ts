// The driver's side of the client processes and of the collector.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import type { ClientLine, ClientOrder } from './client.ts';
import type { CollectorAnswer } from './collector.ts';
import type { ClientAccount } from './ledger.ts';
import type { LoadOptions } from './load-generator.ts';
import type { Failure, LoadReport } from './tally.ts';

export interface Collector {
  readonly port: number;
  check(accounts: readonly ClientAccount[]): Promise<CollectorAnswer>;
  stop(): Promise<void>;
}

/** `port` 0: any free one. */
export async function startCollector(address: string, port = 0): Promise<Collector> {
  const worker = new Worker(join(import.meta.dirname, 'collector.ts'), { workerData: { address, port } });
  const [listening] = (await once(worker, 'message')) as [{ readonly port: number }];
  return {
    port: listening.port,
    check: async (accounts) => {
      worker.postMessage(accounts);
      const [answer] = (await once(worker, 'message')) as [CollectorAnswer];
      return answer;
    },
    stop: async () => {
      await worker.terminate();
    },
  };
}

export interface Load {
  /** What is asked from now on is counted under this name. */
  phase(name: string): void;
  sent(): number;
  /** Not answered with 200, refused ones included. */
  failed(): number;
  /** The first ones of each process, as they happened. */
  readonly failures: readonly Failure[];
  /** Sends no more, waits for what is under way, ends the processes. One report a process. */
  stop(): Promise<readonly LoadReport[]>;
  kill(): void;
}

/** As many processes as `options`. */
export function startLoad(all: readonly LoadOptions[]): Load {
  const failures: Failure[] = [];
  const clients = all.map((options) => startClient(options, failures));
  const sum = (of: 'sent' | 'failed') => clients.reduce((total, client) => total + client.seen[of], 0);
  return {
    phase: (phase) => {
      for (const client of clients) client.order({ phase });
    },
    sent: () => sum('sent'),
    failed: () => sum('failed'),
    failures,
    stop: () =>
      Promise.all(
        clients.map(async (client) => {
          client.order({ stop: true });
          return await client.report;
        }),
      ),
    kill: () => {
      for (const client of clients) client.process.kill('SIGKILL');
    },
  };
}

function startClient(options: LoadOptions, failures: Failure[]) {
  const argv = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'client.ts')];
  const child: ChildProcess = spawn(process.execPath, [...argv, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const seen = { sent: 0, failed: 0 };
  const report = new Promise<LoadReport>((resolve, reject) => {
    child.once('close', (code) => reject(new Error(`client ${options.client} ended with ${code} and no report`)));
    createInterface({ input: child.stdout! }).on('line', (text) => {
      const line = JSON.parse(text) as ClientLine;
      if ('report' in line) resolve(line.report);
      else if ('failure' in line) failures.push(line.failure);
      else Object.assign(seen, line);
    });
  });
  report.catch(() => {}); // told by `stop`
  child.stdin?.on('error', () => {}); // it has ended; likewise
  const order = (what: ClientOrder) => child.stdin?.write(`${JSON.stringify(what)}\n`);
  return { process: child, seen, report, order };
}

/** The application as the arguments of `node`. */
export function appCommand(): readonly string[] {
  const text = readFileSync(join(import.meta.dirname, 'app.ts'), 'utf8');
  return ['node', '--input-type=module', '-e', stripTypeScriptTypes(text)];
}
