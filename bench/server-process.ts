import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../test/integration/free-port.ts';
import { openLoadConnection } from './load-connection.ts';

export interface ServerProcessOptions {
  /** Kept when the process ends. Default: a new one, removed with the process. */
  readonly dataDirectory?: string;
  /** Node writes a CPU profile into this directory when the server ends. */
  readonly profileDirectory?: string;
  /** Gets each line of the server's log. */
  readonly onLogLine?: (line: string) => void;
  readonly environment?: Readonly<Record<string, string>>;
}

/** `flotilla server` in a process of its own, on loopback, with SQLite. */
export interface ServerProcess {
  readonly url: string;
  readonly caCertificate: string;
  readonly adminToken: string;
  readonly dataDirectory: string;
  readonly pid: number;
  /** From the start of the process until it answered `/readyz`. */
  readonly readyMs: number;
  /** Proportional share of memory, and what of it is anonymous. */
  memory(): { readonly pssBytes: number; readonly anonymousBytes: number };
  /** Processor time used so far, all threads: what is left of a figure when others use the machine too. */
  cpuMs(): number;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

const startTimeoutMs = 120_000;

export async function startServerProcess(options: ServerProcessOptions = {}): Promise<ServerProcess> {
  const own = options.dataDirectory === undefined;
  const dataDirectory = options.dataDirectory ?? mkdtempSync(join(tmpdir(), 'flotilla-bench-server-'));
  const port = await freePort();
  const startedMs = performance.now();
  const main = new URL('../src/cli/main.ts', import.meta.url).pathname;
  const profile =
    options.profileDirectory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profileDirectory}`];
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      ...profile,
      main,
      'server',
      '--data',
      dataDirectory,
      '--listen',
      `127.0.0.1:${port}`,
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.environment },
    },
  );
  const url = `https://127.0.0.1:${port}`;
  let lastLines: string[] = [];
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (line) => {
      lastLines = [...lastLines.slice(-4), line];
      options.onLogLine?.(line);
    });
  }
  await ready(child, url, dataDirectory, () => lastLines.join('\n'));
  const readyMs = performance.now() - startedMs;
  const exited = once(child, 'exit') as Promise<[number | null]>;
  return {
    url,
    caCertificate: readFileSync(join(dataDirectory, 'identity', 'ca.crt'), 'utf8'),
    adminToken: readFileSync(join(dataDirectory, 'admin.token'), 'utf8').trim(),
    dataDirectory,
    pid: child.pid ?? 0,
    readyMs,
    memory: () => memoryOf(child.pid ?? 0),
    cpuMs: () => cpuMsOf(child.pid ?? 0),
    stop: async () => {
      child.kill('SIGTERM');
      const [code] = await exited;
      if (own) rmSync(dataDirectory, { recursive: true, force: true });
      return code;
    },
  };
}

async function ready(child: ChildProcess, url: string, dataDirectory: string, lastWords: () => string): Promise<void> {
  const endMs = performance.now() + startTimeoutMs;
  while (performance.now() < endMs) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}: ${lastWords()}`);
    if (await answers(url, dataDirectory)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  child.kill('SIGKILL');
  throw new Error(`the server did not become ready: ${lastWords()}`);
}

async function answers(url: string, dataDirectory: string): Promise<boolean> {
  try {
    const caCertificate = readFileSync(join(dataDirectory, 'identity', 'ca.crt'), 'utf8');
    readFileSync(join(dataDirectory, 'admin.token'));
    const connection = await openLoadConnection({ url, caCertificate });
    const { status } = await connection.request('GET', '/readyz');
    connection.close();
    return status === 200;
  } catch {
    return false;
  }
}

function memoryOf(pid: number): { pssBytes: number; anonymousBytes: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return { pssBytes: kib('Pss') * 1024, anonymousBytes: kib('Pss_Anon') * 1024 };
}

/** utime and stime, proc(5): fields 14 and 15, in hundredths of a second. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
