import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** What a command said, whatever it ended with. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default 60,000; the process is killed then. */
  readonly timeoutMs?: number;
}

export interface TestLab {
  readonly name: string;
  /** First three octets: host h2 is `${prefix}.2`. */
  readonly prefix: string;
  /** Environment in which `flotilla` finds this lab's context and no other. */
  readonly env: Readonly<Record<string, string>>;
  /** `flotilla ARGS`; throws with what it said when it fails. */
  flotilla(args: readonly string[], options?: RunOptions): Promise<string>;
  /** `flotilla ARGS`, also when it fails. */
  tryFlotilla(args: readonly string[], options?: RunOptions): Promise<Ended>;
  /** A command on a machine; throws when it fails. */
  exec(machine: string, command: readonly string[], options?: RunOptions): Promise<string>;
  /** `cut`, `plug`, `off`, `on`, `shutdown`. */
  change(verb: 'cut' | 'plug' | 'off' | 'on' | 'shutdown', machine: string): Promise<void>;
  down(): Promise<void>;
}

export interface TestLabOptions {
  /** Of this test alone: tests of other files may run beside it. At most 10 small letters and digits. */
  readonly name: string;
  /** Third octet of 10.99.x.0/24, of this test alone. */
  readonly octet: number;
  /** Default 3. */
  readonly hosts?: number;
  readonly servers?: number;
  /** Default true. False: Docker only. */
  readonly withFlotilla?: boolean;
  /** Further ones of `lab up`. */
  readonly flags?: readonly string[];
}

/** The command under test: the checkout's, or an installed one, which starts several times as fast. */
export const bin = process.env.FLOTILLA_TEST_BIN ?? fileURLToPath(new URL('../../bin/flotilla', import.meta.url));

/** A lab with contexts of its own, made fresh. Call `down` in an `after` hook. */
export async function startLab(options: TestLabOptions): Promise<TestLab> {
  const config = await mkdtemp(`${tmpdir()}/flotilla-e2e-`);
  const { name } = options;
  const prefix = `10.99.${options.octet}`;
  const env = { FLOTILLA_CONFIG: `${config}/config.json` };
  const tryFlotilla: TestLab['tryFlotilla'] = (args, more = {}) =>
    run([bin, ...args], { ...more, env: { ...env, ...more.env } });
  const flotilla: TestLab['flotilla'] = async (args, more) => wentWell(args, await tryFlotilla(args, more));
  const lab: TestLab = {
    name,
    prefix,
    env,
    flotilla,
    tryFlotilla,
    exec: (machine, command, more) => flotilla(['lab', 'exec', '--name', name, machine, '--', ...command], more),
    change: async (verb, machine) => {
      await flotilla(['lab', verb, '--name', name, machine], { timeoutMs: 120_000 });
    },
    down: async () => {
      await flotilla(['lab', 'down', '--name', name]);
      await rm(config, { recursive: true, force: true });
    },
  };
  await flotilla(['lab', 'down', '--name', name]); // what an interrupted run has left
  await flotilla(
    [
      ...['lab', 'up', '--name', name, '--network', `${prefix}.0/24`, '--hosts', String(options.hosts ?? 3)],
      ...['--servers', String(options.servers ?? 1), ...(options.withFlotilla === false ? ['--no-flotilla'] : [])],
      ...(options.flags ?? []),
    ],
    { timeoutMs: 120_000 },
  );
  return lab;
}

export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = spawn(argv[0]!, argv.slice(1), {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {}); // the program may end without reading
  child.stdin.end(options.stdin ?? '');
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code: code ?? -1, stdout, stderr: signal === null ? stderr : `${stderr}\nkilled by ${signal}` };
}

function wentWell(args: readonly string[], ended: Ended): string {
  if (ended.code === 0) return ended.stdout;
  throw new Error(`flotilla ${args.join(' ')}: exit code ${ended.code}\n${ended.stdout}${ended.stderr}`);
}

/** Asks until it gets an answer that is neither undefined nor false; throws `what` and the last failure when time is over. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  timeoutMs = 20_000,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    let failure: unknown;
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: failure });
    await delay(50);
  }
}

/** GET over plain HTTP on a connection of its own, within 2 s. */
export function httpGet(url: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, timeout: 2000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer from ${url}`)));
    asked.on('error', reject);
    asked.end();
  });
}
