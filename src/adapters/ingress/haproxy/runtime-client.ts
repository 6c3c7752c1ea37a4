import { connect } from 'node:net';
import { FlotillaError } from '../../../lib/errors.ts';
import type { Command } from './worker.ts';

export interface ProcessList {
  readonly master: number;
  /** Undefined: it is gone, nobody takes new connections. */
  readonly worker: number | undefined;
  readonly oldWorkers: readonly number[];
  /** Since the master was started; those that failed are in it. */
  readonly reloads: number;
  /** Loads of a configuration that failed since the last one that did not. */
  readonly failedReloads: number;
}

/** A worker says that it does not do what it was told. */
export class CommandRefused extends Error {
  readonly pid: number;

  constructor(pid: number, why: string) {
    super(`HAProxy's worker ${pid} did not do what it was told: ${why}`);
    this.pid = pid;
  }
}

const maxAnswerBytes = 256 * 1024 * 1024;

/**
 * Commands to the processes of one HAProxy, through its master's socket: old workers are reached there alone
 * (management.txt, 9.4). A connection for each batch; the batch is answered in order.
 */
export class RuntimeClient {
  readonly #path: string;
  readonly #timeoutMs: number;

  constructor(path: string, timeoutMs = 5_000) {
    this.#path = path;
    this.#timeoutMs = timeoutMs;
  }

  /** Undefined: nobody listens there. */
  async list(): Promise<ProcessList | undefined> {
    const printed = await this.#talk('show proc\n', 'the master', this.#timeoutMs);
    return printed === undefined ? undefined : parseProcesses(printed);
  }

  /** It answers nothing, and does it on its own time. */
  async reload(): Promise<void> {
    await this.#talk('reload\n', 'the master', this.#timeoutMs);
  }

  /** What a worker prints. */
  async ask(pid: number, text: string, timeoutMs = this.#timeoutMs): Promise<string> {
    const [answer = ''] = await this.#batch(pid, [{ text, isDone: () => true }], timeoutMs);
    return answer;
  }

  /**
   * Rejects with CommandRefused at the first that a worker does not do; what it did before that is learned. With HostToolFailed
   * when it does not answer. A worker that ended meanwhile has nothing left to do: resolves with false.
   */
  async tell(pid: number, commands: readonly Command[], timeoutMs = this.#timeoutMs): Promise<boolean> {
    if (commands.length === 0) return true;
    const answers = await this.#batch(pid, commands, timeoutMs);
    if (answers.length === 0) return false;
    for (const [at, command] of commands.entries()) {
      const answer = answers[at];
      if (answer === undefined)
        throw new CommandRefused(pid, `it ended the conversation before "${command.text}" was answered`);
      if (command.isDone(answer)) command.learn?.();
      else if (!command.mayFail)
        throw new CommandRefused(pid, `"${command.text}" was answered: ${answer.slice(0, 300)}`);
    }
    return true;
  }

  /** Empty: there is no such worker any more. */
  async #batch(pid: number, commands: readonly Command[], timeoutMs: number): Promise<readonly string[]> {
    const lines = commands.map(({ text, payload }) =>
      payload === undefined ? `${text}\n` : `${text} <<\n${payload}\n`,
    );
    // With a prompt each answer ends with one; without, nothing tells them apart.
    const printed = await this.#talk(`prompt\n@!${pid}\n${lines.join('')}quit\n`, `worker ${pid}`, timeoutMs);
    if (printed === undefined || printed.includes("Can't find the target PID")) return [];
    // Each answer, an empty one too, ends with a prompt.
    const [, ...answers] = printed.split(`${pid}> `);
    return answers.map((answer) => answer.replace(/^(\+ )+/, '').trim());
  }

  #talk(input: string, whom: string, timeoutMs: number): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path: this.#path, allowHalfOpen: true });
      const chunks: Buffer[] = [];
      let bytes = 0;
      const timer = setTimeout(() => {
        socket.destroy();
        const why = `${whom} of HAProxy gives no answer within ${timeoutMs} ms on ${this.#path}`;
        const hint = 'look with `ps` whether the process is stopped; ended, it is started anew';
        reject(new FlotillaError('HostToolFailed', why, { retryable: true, hint }));
      }, timeoutMs);
      const settle = (result: string | undefined) => {
        clearTimeout(timer);
        socket.destroy();
        resolve(result);
      };
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') return settle(undefined);
        // A master that loads a configuration drops its connections.
        settle(bytes > 0 ? Buffer.concat(chunks).toString() : undefined);
      });
      socket.on('data', (chunk) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > maxAnswerBytes) socket.destroy();
      });
      socket.on('end', () => settle(Buffer.concat(chunks).toString()));
      socket.on('close', () => settle(Buffer.concat(chunks).toString()));
      socket.end(input);
    });
  }
}

/** Out of `show proc`. */
export function parseProcesses(printed: string): ProcessList | undefined {
  const [, master, reloads] = /^(\d+)\s+master\s+(\d+)/m.exec(printed) ?? [];
  if (master === undefined) return undefined;
  const [, failed = '0'] = /\[failed: (\d+)\]/.exec(printed) ?? [];
  const [newer = '', older = ''] = printed.split(/^# old workers$/m);
  const pids = (text: string) => [...text.matchAll(/^(\d+)\s+worker\s/gm)].map(([, pid]) => Number(pid));
  const counts = { reloads: Number(reloads), failedReloads: Number(failed) };
  return { master: Number(master), worker: pids(newer).at(0), oldWorkers: pids(older), ...counts };
}
