import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

/** Where the package stands, and its command. */
export interface InstalledPackage {
  readonly root: string;
  readonly bin: string;
}

/** Packs the npm package, as people get it, and installs it into an empty `directory`. Builds nothing. */
export function installPackage(directory: string): InstalledPackage {
  const npm = (...args: string[]): string =>
    execFileSync('npm', [...args, '--no-audit', '--no-fund', '--silent'], { encoding: 'utf8', timeout: 300_000 });
  const tarball = join(directory, npm('pack', '--pack-destination', directory).trim().split('\n').at(-1) ?? '');
  npm('install', '--global', '--prefix', directory, tarball);
  rmSync(tarball);
  return { root: join(directory, 'lib', 'node_modules', 'flotilla'), bin: join(directory, 'bin', 'flotilla') };
}
