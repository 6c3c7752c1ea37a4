import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { FlotillaError } from '../lib/errors.ts';
import type { LabLayout, MachineLayout } from './layout.ts';
import { machineEnvironment } from './machine.ts';
import { initOf } from './processes.ts';

/** Runs a command on a machine with our own standard streams; gives its exit code, 128 + signal when one ended it. */
export async function runIn(lab: LabLayout, machine: MachineLayout, command: readonly string[]): Promise<number> {
  const argv = await enterArgv(lab, machine);
  const { TERM } = process.env;
  const child = spawn(argv[0]!, [...argv.slice(1), ...command], {
    stdio: 'inherit',
    env: { ...machineEnvironment(), ...(TERM === undefined ? {} : { TERM }) },
  });
  // The terminal signals the whole group: the command decides what an interrupt means.
  const ignore = () => {};
  const forward = () => child.kill('SIGTERM');
  process.on('SIGINT', ignore);
  process.on('SIGTERM', forward);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
    });
  } finally {
    process.off('SIGINT', ignore);
    process.off('SIGTERM', forward);
  }
}

/** What goes before a command so that it runs on the machine. */
export async function enterArgv(lab: LabLayout, machine: MachineLayout): Promise<readonly string[]> {
  const init = await initOf(machine.namespace);
  if (init === undefined) {
    throw new FlotillaError('Unavailable', `${machine.name} of lab "${lab.name}" is off`, {
      hint: `flotilla lab on ${machine.name}${lab.name === 'lab' ? '' : ` --name ${lab.name}`}`,
    });
  }
  return ['nsenter', `--target=${init}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--wd=/', '--'];
}
