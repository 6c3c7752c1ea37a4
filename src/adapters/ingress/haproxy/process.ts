// The processes of one HAProxy: a master, which outlives the agent, and its workers.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FlotillaError, messageOf } from '../../../lib/errors.ts';
import { type ProcessList, RuntimeClient } from './runtime-client.ts';

export interface ProcessOptions {
  /** `<data>/ingress` */
  readonly directory: string;
  /** Of the master; a path of 90 characters at most, HAProxy puts some behind it. */
  readonly socket: string;
  readonly program: string;
  readonly commandTimeoutMs: number;
}

/** Where hosts have it, whatever started the agent. */
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const loadTimeoutMs = 30_000;
const settleMs = 1_000;
const pollMs = 10;
const maxLogBytes = 1024 * 1024;

/** Since when a process runs, in ticks since boot (proc(5)): its number alone may come to mean another. Undefined: it is gone. */
export async function startTime(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields?.[0] === 'Z' ? undefined : fields?.[19];
}

export class HaproxyProcess {
  readonly client: RuntimeClient;
  readonly #program: string;
  readonly #directory: string;
  readonly #logFile: string;
  readonly #socket: string;

  constructor({ directory, socket, program, commandTimeoutMs }: ProcessOptions) {
    this.#directory = directory;
    this.#program = program;
    this.#socket = socket;
    this.#logFile = join(directory, 'haproxy.log');
    this.client = new RuntimeClient(this.#socket, commandTimeoutMs);
  }

  /** Of whoever runs for this directory. A master without a worker is about to end, or about to have one: waits for that. */
  async find(): Promise<ProcessList | undefined> {
    const deadline = performance.now() + settleMs;
    for (;;) {
      const list = await this.client.list();
      if (!list || list.worker !== undefined || performance.now() > deadline) return list;
      await delay(pollMs);
    }
  }

  /** With the configuration in `live`; resolves when its worker takes connections. Rejects with what HAProxy said. */
  async start(): Promise<ProcessList> {
    await mkdir(this.#directory, { recursive: true, mode: 0o711 });
    const from = await this.#logSize();
    const pid = await this.#spawn();
    return this.#loaded(from, undefined, pid);
  }

  /** Resolves when a new worker has taken over; the old ones finish what they have. Rejects with why, and all is as before. */
  async reload(before: ProcessList): Promise<ProcessList> {
    const from = await this.#logSize();
    await this.client.reload();
    return this.#loaded(from, before, before.master);
  }

  async #loaded(from: number, before: ProcessList | undefined, pid: number): Promise<ProcessList> {
    const known = new Set(before ? [before.worker, ...before.oldWorkers] : []);
    const deadline = performance.now() + loadTimeoutMs;
    while (performance.now() < deadline) {
      const now = await this.client.list().catch(() => undefined);
      if (now?.worker !== undefined && !known.has(now.worker)) return now;
      const said = await this.#said(from);
      const hasFailed = now !== undefined && now.failedReloads > 0 && /Loading failure|\[ALERT\]/.test(said);
      const isGone = (await startTime(pid)) === undefined;
      if (hasFailed || isGone) throw refused(said);
      await delay(pollMs);
    }
    const said = await this.#said(from);
    throw refused(`no new worker within ${loadTimeoutMs} ms\n${said}`);
  }

  /** In a session of its own, and where systemd runs the host in a scope of its own: what is in an agent's unit ends with it. */
  async #spawn(): Promise<number> {
    const argv = [this.#program, '-W', '-C', join(this.#directory, 'live'), '-f', 'haproxy.cfg'];
    argv.push('-S', `${this.#socket},mode,600,level,admin`);
    const unit = `flotilla-ingress-${process.pid}-${Math.floor(performance.now())}`;
    // Without the usual dependencies: when the host is shut down it goes on until its agent has brought everything to its end.
    const how = ['--scope', '--quiet', '--collect', '--property=DefaultDependencies=no', `--unit=${unit}`];
    const scope = ['systemd-run', ...how, '--description=Flotilla ingress', '--'];
    const [program = '', ...args] = existsSync('/run/systemd/system') ? [...scope, ...argv] : argv;
    await this.boundLog();
    const log = await open(this.#logFile, 'a', 0o600);
    try {
      const child = spawn(program, args, {
        detached: true,
        cwd: '/',
        stdio: ['ignore', log.fd, log.fd],
        env: { PATH: searchPath, LC_ALL: 'C' },
      });
      const pid = await new Promise<number>((resolve, reject) => {
        child.once('spawn', () => resolve(child.pid ?? 0));
        child.once('error', (cause) => {
          const why = `cannot run "${[program, ...args].join(' ')}": ${messageOf(cause)}`;
          reject(new FlotillaError('HostToolFailed', why, { cause }));
        });
      });
      child.unref();
      // Short of memory the kernel ends an instance rather than what leads to all of them; its workers inherit that.
      await writeFile(`/proc/${pid}/oom_score_adj`, '-500').catch(() => {});
      return pid;
    } finally {
      await log.close();
    }
  }

  async #logSize(): Promise<number> {
    await this.boundLog();
    return stat(this.#logFile).then(
      ({ size }) => size,
      () => 0,
    );
  }

  /** HAProxy says when an instance goes and comes: cheap enough for every second. */
  async boundLog(): Promise<void> {
    const found = await stat(this.#logFile).catch(() => undefined);
    if (found && found.size > maxLogBytes) await truncate(this.#logFile, 0);
  }

  async #said(from: number): Promise<string> {
    const text = await readFile(this.#logFile).catch(() => Buffer.alloc(0));
    return text.subarray(from).toString();
  }
}

function refused(said: string): FlotillaError {
  const words = reasons(said).join('; ') || said.trim().slice(-1_000) || 'it said nothing';
  return new FlotillaError('HostToolFailed', `HAProxy does not load its configuration: ${words}`, { retryable: true });
}

/** The errors in what HAProxy printed, without what is around them. */
export function reasons(printed: string): readonly string[] {
  return printed
    .split('\n')
    .filter((line) => line.startsWith('[ALERT]'))
    .map((line) => line.replace(/^\[ALERT\]\s+\(\d+\) : /, '').trim())
    .filter(
      (line) =>
        !/Error\(s\) found in configuration|Fatal errors found|^\[haproxy\.main\(\)\] Some protocols failed/.test(line),
    );
}
