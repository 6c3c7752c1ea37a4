import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, stat, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';

export interface OutlivingProgram {
  readonly argv: readonly string[];
  /** Of the transient systemd unit, where systemd runs the host. */
  readonly unit: string;
  /** What it prints, elsewhere. */
  readonly logFile: string;
}

/** Starts a program that goes on when this process ends, however it ends. Resolves when it was started, not when it is ready. */
export type StartOutliving = (program: OutlivingProgram) => Promise<void>;

/**
 * Where systemd runs the host the program becomes a unit: a service manager ends everything in the control group of a service
 * that it stops, this one's too. Elsewhere it gets a session of its own.
 */
export function createStartOutliving(exec: Exec, isSystemd = existsSync('/run/systemd/system')): StartOutliving {
  return isSystemd ? (program) => startUnit(exec, program) : startSession;
}

async function startUnit(exec: Exec, { argv, unit }: OutlivingProgram): Promise<void> {
  // One that ended keeps its name until it is collected.
  await exec(['systemctl', 'reset-failed', unit], { okCodes: [0, 1, 5] });
  // Without the usual dependencies: when the host is shut down it goes on until the agent has brought everything to its end.
  const properties = ['--property=OOMScoreAdjust=-500', '--property=DefaultDependencies=no'];
  const how = ['--quiet', '--collect', '--service-type=exec', ...properties];
  await exec(['systemd-run', ...how, `--unit=${unit}`, '--', ...argv]);
}

const startSession: StartOutliving = async ({ argv, logFile }) => {
  const [program = '', ...args] = argv;
  await mkdir(dirname(logFile), { recursive: true });
  const log = await open(logFile, 'a', 0o600);
  try {
    const child = spawn(program, args, { detached: true, stdio: ['ignore', log.fd, log.fd], cwd: '/' });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) =>
        reject(new FlotillaError('HostToolFailed', `cannot run "${argv.join(' ')}": ${messageOf(cause)}`, { cause })),
      );
    });
    child.unref();
  } finally {
    await log.close();
  }
};

/** Empties a log that has grown beyond its bound; the program appends to it, and goes on at its beginning. */
export async function boundLog(file: string, maxBytes: number): Promise<void> {
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  if (size > maxBytes) await truncate(file, 0);
}
