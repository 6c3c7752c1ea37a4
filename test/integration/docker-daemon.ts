import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Exec } from '../../src/lib/exec.ts';

const run = promisify(execFile);

/** A dockerd of its own in namespaces of its own: nothing of the machine's is touched. */
export interface DockerDaemon {
  readonly directory: string;
  readonly socketPath: string;
  /** Runs a program in the daemon's namespaces. */
  exec(argv: readonly string[]): Promise<string>;
  /** The same for adapters. */
  readonly hostExec: Exec;
  docker(...args: readonly string[]): Promise<string>;
  /** While it is there no container gets further than its first process: a start takes as long as the engine lives. */
  readonly holdFile: string;
  /** kill -9 and a new start: containers live on (live-restore). */
  restart(whileAway?: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

export const busyboxImage = 'busybox:test';

/** Why it cannot run here; undefined: it can. */
export function dockerIsMissing(): string | undefined {
  const missing = ['/usr/sbin/dockerd', '/bin/busybox'].filter((path) => !existsSync(path));
  if (process.getuid?.() !== 0) missing.push('root');
  return missing.length === 0 ? undefined : `missing: ${missing.join(', ')}`;
}

export async function startDockerDaemon(): Promise<DockerDaemon> {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-docker-'));
  const name = directory.slice(-6).replace(/[^A-Za-z0-9]/g, 'x');
  const socketPath = join(directory, 'docker.sock');
  await mkdir(join(directory, 'run'));
  await mkdir(join(directory, 'data'));
  const holdFile = join(directory, 'hold');
  const path = await holdingRunc(directory, holdFile);
  const log = openSync(join(directory, 'dockerd.log'), 'a');
  // Namespaces first, held by a process that outlives the daemon.
  const holder = spawn('unshare', ['-n', '-m', '--propagation', 'private', 'sleep', '100000'], { stdio: 'ignore' });
  await until(async () => (await run('nsenter', enter(holder, ['true'])).catch(() => undefined)) !== undefined);
  const inside = async (argv: readonly string[]) => (await run('nsenter', enter(holder, argv))).stdout;
  await until(
    async () =>
      (await inside(['readlink', '/proc/self/ns/net'])) !== (await run('readlink', ['/proc/self/ns/net'])).stdout,
  );
  await inside(['mount', '--bind', join(directory, 'run'), '/run']);
  await inside(['ip', 'link', 'set', 'lo', 'up']);

  const argv = [
    ...['dockerd', '--cgroup-parent', `/flt-${name}`, '-H', `unix://${socketPath}`, '--live-restore'],
    ...['--data-root', join(directory, 'data'), '--exec-root', '/run/docker', '--pidfile', '/run/docker.pid'],
    ...['--bridge', 'none'],
  ];
  let daemon: ChildProcess;
  const start = async () => {
    daemon = spawn('nsenter', enter(holder, argv), {
      stdio: ['ignore', log, log],
      env: { ...process.env, PATH: path },
    });
    await until(async () => (await docker('version').catch(() => undefined)) !== undefined);
  };
  const docker = async (...args: readonly string[]) =>
    (await run('docker', ['-H', `unix://${socketPath}`, ...args], { maxBuffer: 16 * 2 ** 20 })).stdout;
  const end = async (signal: NodeJS.Signals) => {
    const exited = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill(signal);
    await exited;
  };
  await start();
  await importBusybox(directory, docker);

  return {
    directory,
    socketPath,
    holdFile,
    exec: inside,
    hostExec: async (argv, { okCodes = [0] } = {}) => {
      try {
        return { stdout: await inside(argv), stderr: '', code: 0 };
      } catch (error) {
        const { code } = error as { code?: unknown };
        if (typeof code !== 'number' || !okCodes.includes(code)) throw error;
        return { stdout: '', stderr: '', code };
      }
    },
    docker,
    async restart(whileAway) {
      await end('SIGKILL');
      await whileAway?.();
      await inside(['sh', '-c', 'rm -f /run/docker.pid /run/docker/containerd/containerd.pid']);
      await start();
    },
    async stop() {
      const ids = (await docker('ps', '-aq').catch(() => '')).split('\n').filter(Boolean);
      if (ids.length > 0) await docker('rm', '-f', ...ids).catch(() => {});
      await end('SIGTERM').catch(() => {});
      const mounts = (await inside(['cat', '/proc/mounts'])).split('\n').map((line) => line.split(' ')[1] ?? '');
      for (const path of mounts.filter((one) => one.startsWith(directory)).reverse()) {
        await inside(['umount', '-l', path]).catch(() => {});
      }
      holder.kill('SIGKILL');
      await removeCgroups(`flt-${name}`);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The PATH with a `runc` in front that waits with `start` as long as there is a file. */
async function holdingRunc(directory: string, holdFile: string): Promise<string> {
  const bin = join(directory, 'bin');
  const path = process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin';
  await mkdir(bin);
  const script = `#!/bin/sh
case " $* " in *" start "*) while [ -e ${holdFile} ]; do sleep 0.1; done ;; esac
PATH=${path} exec runc "$@"
`;
  await writeFile(join(bin, 'runc'), script, { mode: 0o755 });
  return `${bin}:${path}`;
}

/** The engine leaves its empty groups behind, one a hierarchy. */
async function removeCgroups(name: string): Promise<void> {
  const roots = ['/sys/fs/cgroup', ...(await readdir('/sys/fs/cgroup')).map((one) => join('/sys/fs/cgroup', one))];
  for (const root of roots) {
    const group = join(root, name);
    if (!existsSync(group)) continue;
    const inner = await readdir(group, { withFileTypes: true });
    for (const entry of inner.filter((one) => one.isDirectory())) await rmdir(join(group, entry.name)).catch(() => {});
    await rmdir(group).catch(() => {});
  }
}

function enter(holder: ChildProcess, argv: readonly string[]): string[] {
  return ['-t', String(holder.pid), '-n', '-m', '--', ...argv];
}

async function importBusybox(directory: string, docker: (...args: string[]) => Promise<string>): Promise<void> {
  const bin = join(directory, 'image', 'bin');
  await mkdir(bin, { recursive: true });
  await copyFile('/bin/busybox', join(bin, 'busybox'));
  await chmod(join(bin, 'busybox'), 0o755);
  for (const applet of ['sh', 'sleep', 'cat', 'echo', 'true', 'false', 'httpd', 'nc', 'ls', 'env', 'stty', 'id']) {
    await symlink('busybox', join(bin, applet));
  }
  for (const folder of ['tmp', 'etc', 'www', 'proc', 'sys', 'dev']) await mkdir(join(directory, 'image', folder));
  const tar = join(directory, 'image.tar');
  await run('tar', ['-C', join(directory, 'image'), '-cf', tar, '.']);
  await docker('import', tar, busyboxImage);
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await isTrue()) return;
    await delay(50);
  }
  throw new Error('gave up waiting for the engine');
}
