import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { FlotillaError } from '../lib/errors.ts';
import type { Exec } from '../lib/exec.ts';
import { renderUnit, type UnitOptions, unitName, unitPath } from './unit.ts';

/** systemctl(1) answers only where systemd is the first process: sd_booted(3). */
export function requireSystemd(isBooted = existsSync('/run/systemd/system')): void {
  if (isBooted) return;
  throw new FlotillaError(
    'HostToolFailed',
    'this machine was not booted with systemd, so there is nobody to install a service for',
    {
      hint: 'run "flotilla up" without --install under your own supervisor',
    },
  );
}

/** Writes the unit when it differs, enables it, (re)starts it. */
export async function installUnit(exec: Exec, options: UnitOptions): Promise<void> {
  const wanted = renderUnit(options);
  const isSame = (await readFile(unitPath, 'utf8').catch(() => '')) === wanted;
  if (!isSame) {
    await writeFile(unitPath, wanted, { mode: 0o644 });
    await exec(['systemctl', 'daemon-reload']);
  }
  await exec(['systemctl', 'enable', unitName]);
  await exec(['systemctl', isSame ? 'start' : 'restart', unitName], { timeoutMs: 60_000 });
}

/** DNS and proxy outlive their agent in scopes of their own; with the service down nobody would tell them anything any more. */
const scopes = ['flotilla-dns-*.scope', 'flotilla-ingress-*.scope'];

export async function stopUnit(exec: Exec): Promise<void> {
  await exec(['systemctl', 'stop', unitName], { timeoutMs: 60_000 });
  await exec(['systemctl', 'stop', ...scopes], { timeoutMs: 60_000 });
}

/** Idempotent. */
export async function uninstallUnit(exec: Exec): Promise<void> {
  await exec(['systemctl', 'disable', '--now', unitName], { okCodes: [0, 1, 5], timeoutMs: 60_000 });
  await exec(['systemctl', 'stop', ...scopes], { timeoutMs: 60_000 });
  await rm(unitPath, { force: true });
  await exec(['systemctl', 'daemon-reload']);
}
