import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, statSync, truncateSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const entry = fileURLToPath(new URL(`./dns-process${extname(import.meta.url)}`, import.meta.url));
/** It holds little and makes much that is short-lived. `--max-old-space-size`: 50,000 services fit. */
const nodeFlags = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=1', '--max-old-space-size=256'];
/** Of malloc(3): one arena, and what is free at its end goes back; a third less memory after a burst. */
const ownEnvironment = { LC_ALL: 'C', UV_THREADPOOL_SIZE: '1', MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '65536' };
const maxLogBytes = 1024 * 1024;

/** What is started, or takes over, for a data directory. */
export function dnsProcessArgv(dataDirectory: string): readonly string[] {
  return [process.execPath, ...nodeFlags, entry, dataDirectory];
}

export function dnsLogPath(dataDirectory: string): string {
  return join(dataDirectory, 'dns.log');
}

/** sd_booted(3) */
export function hasSystemd(): boolean {
  return existsSync('/run/systemd/system');
}

/**
 * In a session of its own; where systemd runs the host in a scope of its own too, since what is in an agent's unit ends with
 * it (systemd.kill(5)). A scope has no main process, so one program can follow another in it.
 */
export function startDnsProcessFor(dataDirectory: string, argv: readonly string[], inScope: boolean): ChildProcess {
  const path = dnsLogPath(dataDirectory);
  if (existsSync(path) && statSync(path).size > maxLogBytes) truncateSync(path);
  const log = openSync(path, 'a', 0o600);
  const unit = `flotilla-dns-${process.pid}-${Math.floor(performance.now())}`;
  const scope = [
    'systemd-run',
    '--scope',
    '--quiet',
    '--collect',
    // When the host is shut down it answers until its agent has brought everything to its end.
    '--property=DefaultDependencies=no',
    `--unit=${unit}`,
    '--description=Flotilla DNS',
    '--',
  ];
  const [program = '', ...args] = inScope ? [...scope, ...argv] : argv;
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
  const inherited = Object.entries({ PATH, HOME, NODE_COMPILE_CACHE }).filter(([, value]) => value !== undefined);
  try {
    const child = spawn(program, args, {
      detached: true,
      cwd: '/',
      stdio: ['ignore', log, log],
      env: { ...Object.fromEntries(inherited), ...ownEnvironment },
    });
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}
