import { spawn } from 'node:child_process';
import { FlotillaError } from './errors.ts';

export interface ExecOptions {
  /** Written to standard input, which is then closed. */
  readonly stdin?: string | Uint8Array;
  /** Default 10,000. The process is killed when it passes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
  /** Exit codes that are an answer, not a failure. Default [0]. */
  readonly okCodes?: readonly number[];
}

export interface ExecResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** Runs a program, never a shell, and gives what it printed. An argument of adapters, so that tests can answer. */
export type Exec = (argv: readonly string[], options?: ExecOptions) => Promise<ExecResult>;

/**
 * Throws HostToolFailed when the program is missing, ends with an unexpected code or outlives its deadline;
 * the message names the command and its last words.
 */
export const exec: Exec = (argv, options = {}) => {
  const [program, ...args] = argv;
  if (program === undefined) throw new Error('exec: empty argv');
  const timeoutMs = options.timeoutMs ?? 10_000;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env, LC_ALL: 'C' },
      ...(options.signal ? { signal: options.signal } : {}),
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => {}); // the program may end without reading
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(new FlotillaError('HostToolFailed', `cannot run "${argv.join(' ')}": ${cause.message}`, { cause }));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const result = {
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
        code: code ?? -1,
      };
      if (code !== null && (options.okCodes ?? [0]).includes(code)) return resolve(result);
      const ended = timedOut
        ? `no end after ${timeoutMs} ms`
        : code === null
          ? `killed by ${signal}`
          : `exit code ${code}`;
      const words = (result.stderr || result.stdout).trim().slice(-2000);
      reject(
        new FlotillaError('HostToolFailed', `"${argv.join(' ')}" failed, ${ended}${words ? `: ${words}` : ''}`, {
          retryable: timedOut,
        }),
      );
    });
    child.stdin.end(options.stdin ?? '');
  });
};
