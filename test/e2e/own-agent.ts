import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { MachineLayout } from '../../src/lab/layout.ts';
import { initOf } from '../../src/lab/processes.ts';
import { shellOn } from './host-state.ts';
import { bin } from './lab.ts';

/** An agent of a lab host in the test's own hands: with an environment and options of its own, ended and frozen at will. */
export interface OwnAgent {
  /** Of the agent itself, as this machine sees it. */
  readonly pid: () => Promise<number>;
  readonly hasEnded: () => boolean;
  /** It stands still (SIGSTOP). */
  isFrozen(): Promise<boolean>;
  signal(name: NodeJS.Signals): Promise<void>;
  ended(): Promise<void>;
  /** All that it has logged. */
  log(): Promise<string>;
  kill(): Promise<void>;
}

export interface OwnAgentOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** Keeps the lab from starting its own. Undone by `releaseUnit`. */
export async function holdUnit(machine: MachineLayout, unit: 'agent' | 'dockerd'): Promise<void> {
  await shellOn(machine, `touch /run/lab/${unit}.stop; kill -9 $(cat /run/lab/${unit}.pid) 2>/dev/null || :`);
}

export async function releaseUnit(machine: MachineLayout, unit: 'agent' | 'dockerd'): Promise<void> {
  // Its containerd may be a zombie whose number is still in the file: the next one would wait for it.
  const stale = unit === 'dockerd' ? '/run/docker.pid /run/docker/containerd/containerd.pid' : '';
  await shellOn(machine, `rm -f ${stale} /run/lab/${unit}.stop`);
}

/** The host has joined: no token is needed. The unit of the lab must be held. */
export async function startOwnAgent(machine: MachineLayout, options: OwnAgentOptions = {}): Promise<OwnAgent> {
  const init = await initOf(machine.namespace);
  if (init === undefined) throw new Error(`${machine.name} is off`);
  const path = `${machine.directory}/own-agent.log`;
  const log = openSync(path, 'w');
  const enter = [`--target=${init}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--wd=/', '--'];
  const child: ChildProcess = spawn(
    'nsenter',
    [
      ...enter,
      ...[bin, 'agent', '--data', `${machine.directory}/agent`, '--name', machine.name],
      ...['--address', machine.address, ...(options.args ?? [])],
    ],
    {
      stdio: ['ignore', log, log],
      env: { PATH: process.env.PATH, HOME: '/root', FLOTILLA_NODE: process.execPath, ...options.env },
    },
  );
  closeSync(log);
  let hasEnded = false;
  const exit = once(child, 'exit').then(() => {
    hasEnded = true;
  });
  /** nsenter stays as the parent: only its child is in the machine's process namespace. */
  const pid = async (): Promise<number> => {
    for (let tries = 0; tries < 200; tries++) {
      const text = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
      const found = Number(text.trim().split(' ')[0]);
      if (found > 0) return found;
      await delay(10);
    }
    throw new Error('the agent does not start');
  };
  const stateOf = async () => /^\d+ \(.*\) (\S)/.exec(await readFile(`/proc/${await pid()}/stat`, 'utf8'))?.[1];
  const agent: OwnAgent = {
    pid,
    hasEnded: () => hasEnded,
    isFrozen: async () => !hasEnded && (await stateOf().catch(() => undefined)) === 'T',
    signal: async (name) => {
      process.kill(await pid(), name);
      // nsenter stops with its child, and continues it when it is continued itself.
      if (name === 'SIGCONT' && child.pid !== undefined) process.kill(child.pid, name);
    },
    ended: () => exit,
    log: () => readFile(path, 'utf8'),
    kill: async () => {
      if (hasEnded) return;
      await agent.signal('SIGKILL').catch(() => {});
      await agent.signal('SIGCONT').catch(() => {});
      await exit;
    },
  };
  return agent;
}
