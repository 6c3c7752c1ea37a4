// Machines out of namespaces, lighter than those of the lab: network, processes and /run/wireguard of their own, no engine.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { StartOutliving } from '../../src/adapters/overlay/outliving-program.ts';
import { createStartOutliving } from '../../src/adapters/overlay/outliving-program.ts';
import { FlotillaError } from '../../src/lib/errors.ts';
import { type Exec, exec } from '../../src/lib/exec.ts';

export interface Machine {
  /** Of its first process, as this process sees it. */
  readonly pid: number;
  /** Runs a command inside. */
  readonly exec: Exec;
  /** Starts a program inside that outlives who started it; ends with the machine. */
  readonly startOutliving: StartOutliving;
  /** A program inside that runs beside the test. */
  spawn(argv: readonly string[]): ChildProcess;
  /** Lines of `ip -batch`. */
  ip(...lines: string[]): Promise<void>;
  stop(): Promise<void>;
}

/** It ends by itself when this process does: its first process reads from us. */
export async function startMachine(): Promise<Machine> {
  const script =
    'mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard && ip link set lo up && echo ready && exec cat';
  const how = ['--net', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const holder = spawn('unshare', [...how, 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  const pid = Number((await readFile(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8')).trim());
  const enter = ['nsenter', `--target=${pid}`, '--net', '--mount', '--pid', '--wd=/', '--'];
  const inside: Exec = async (argv, options) => {
    if (options?.timeoutMs === undefined) return exec([...enter, ...argv], options);
    // nsenter(1) waits for what it has started there: at the end of its time that must end too, not only nsenter.
    const timed = ['timeout', String(options.timeoutMs / 1000), ...argv];
    const okCodes = [...(options.okCodes ?? [0]), 124];
    const ended = await exec([...enter, ...timed], { ...options, timeoutMs: options.timeoutMs + 5_000, okCodes });
    if (ended.code !== 124) return ended;
    throw new FlotillaError('HostToolFailed', `"${argv.join(' ')}": no end after ${options.timeoutMs} ms`, {
      retryable: true,
    });
  };
  const startOutside = createStartOutliving(exec, false);
  return {
    pid,
    exec: inside,
    startOutliving: (program) => startOutside({ ...program, argv: [...enter, ...program.argv] }),
    spawn: (argv) => spawn(enter[0] ?? '', [...enter.slice(1), ...argv], { stdio: ['ignore', 'pipe', 'pipe'] }),
    ip: async (...lines) => {
      await inside(['ip', '-batch', '-'], { stdin: lines.map((line) => `${line}\n`).join('') });
    },
    stop: async () => {
      const ended = once(holder, 'exit');
      holder.kill('SIGKILL');
      await ended;
    },
  };
}

/** A cable: an interface on each side. */
export async function connectMachines(a: Machine, nameA: string, b: Machine, nameB: string): Promise<void> {
  await exec([
    'ip',
    'link',
    'add',
    nameA,
    'netns',
    String(a.pid),
    'type',
    'veth',
    'peer',
    'name',
    nameB,
    'netns',
    String(b.pid),
  ]);
}
