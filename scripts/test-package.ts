// What people install: packs the npm package, installs it elsewhere, and uses it from there.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPackage } from './install-package.ts';

const directory = mkdtempSync(join(tmpdir(), 'flotilla-package-'));
let passed = 0;
let failed = 0;
try {
  const { root, bin } = installPackage(directory);
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

  check('it runs the built code', existsSync(join(root, 'dist', 'cli', 'main.js')) && !existsSync(join(root, 'src')));
  for (const file of [
    'LICENSE',
    'THIRD_PARTY_NOTICES.md',
    'README.md',
    'CHANGELOG.md',
    'examples/guestbook/flotilla.yml',
  ])
    check(`it brings ${file}`, existsSync(join(root, file)));
  check('it has no tests', !existsSync(join(root, 'dist', 'architecture.test.js')));
  const run = (...args: string[]) => spawnSync(bin, args, { encoding: 'utf8', env: environment(), timeout: 30_000 });
  const said = run('version');
  check(`"flotilla version" says ${version}`, said.status === 0 && said.stdout.includes(version), said);
  for (const command of [
    ['--help'],
    ['server', '--help'],
    ['agent', '--help'],
    ['lab', '--help'],
    ['deploy', '--help'],
  ]) {
    const helped = run(...command);
    check(`"flotilla ${command.join(' ')}" helps`, helped.status === 0 && /Usage|flotilla/.test(helped.stdout), helped);
  }
  const wrong = run('no-such-command');
  check('a wrong command ends with 2', wrong.status === 2, wrong);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed === 0 ? 0 : 1);

/** Not the checkout's settings: its Node is found as on any machine. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, FLOTILLA_NODE: process.execPath, FLOTILLA_CONFIG: join(directory, 'config.json') };
}

function check(what: string, holds: boolean, seen?: { status: number | null; stdout: string; stderr: string }): void {
  console.log(`${holds ? '✔' : '✖'} ${what}`);
  if (holds) passed++;
  else failed++;
  if (!holds && seen) console.log(`  exit code ${seen.status}\n${seen.stdout}${seen.stderr}`);
}
