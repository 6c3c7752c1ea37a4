import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Recipe } from './recipes.ts';

const mirror = process.env.FLOTILLA_DEBIAN_MIRROR ?? 'http://deb.debian.org/debian';
const suite = 'bookworm';
/** What no container reads: half of a minimal Debian. */
const leftOut = [
  '/usr/share/doc/*',
  '/usr/share/man/*',
  '/usr/share/info/*',
  '/usr/share/locale/*',
  '/var/cache/apt/*',
];

/** Makes the image's one layer: a tar at `target`. */
export function makeRootFs(recipe: Recipe, recipeDirectory: string, target: string): void {
  const own = mkdtempSync(`${target}-`);
  try {
    for (const directory of recipe.directories ?? []) mkdirSync(join(own, directory), { recursive: true });
    for (const [from, to] of Object.entries(recipe.files ?? {})) {
      mkdirSync(join(own, dirname(to)), { recursive: true });
      cpSync(join(recipeDirectory, from), join(own, to));
    }
    for (const [link, to] of Object.entries(recipe.links ?? {})) {
      mkdirSync(join(own, dirname(link)), { recursive: true });
      symlinkSync(to, join(own, link));
    }
    if (recipe.packages) {
      debian(recipe.packages, recipe.leftOut ?? [], target, own);
    } else {
      busybox(own);
      for (const [from, to] of Object.entries(recipe.binaries ?? {})) addBinary(own, from, to);
      run(['tar', '-C', own, '--sort=name', '--owner=0', '--group=0', '--numeric-owner', '-cf', target, '.']);
    }
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

/** A minimal Debian with the packages and our files over it. */
function debian(packages: readonly string[], more: readonly string[], target: string, own: string): void {
  // Last in the file system and not in a layer of its own: removed files really are gone.
  const hooks = [
    `rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/*`,
    `tar -C '${own}' --owner=0 --group=0 -cf - . | tar -C "$1" --keep-directory-symlink -xf -`,
  ];
  run([
    'mmdebstrap',
    '--variant=minbase',
    '--format=tar',
    '--quiet',
    ...(existsSync('/usr/share/keyrings/debian-archive-keyring.gpg')
      ? ['--keyring=/usr/share/keyrings/debian-archive-keyring.gpg']
      : []),
    `--include=${packages.join(',')}`,
    ...[...leftOut, ...more].map((path) => `--dpkgopt=path-exclude=${path}`),
    '--aptopt=Acquire::Retries "5"',
    ...hooks.map((hook) => `--customize-hook=${hook}`),
    suite,
    target,
    mirror,
  ]);
}

/** A shell and the usual tools: one static program under many names. */
function busybox(root: string): void {
  mkdirSync(join(root, 'bin'), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const applet of execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
    if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  }
  for (const directory of ['etc', 'tmp', 'usr/bin', 'usr/local/bin', 'var', 'root', 'home'])
    mkdirSync(join(root, directory), { recursive: true });
  run(['chmod', '1777', join(root, 'tmp')]);
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nnode:x:1000:1000::/home:/bin/sh\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\nnode:x:1000:\n');
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
}

/** A program of this machine with the libraries that its loader would find. */
function addBinary(root: string, from: string, to: string): void {
  mkdirSync(join(root, dirname(to)), { recursive: true });
  copyFileSync(from, join(root, to));
  const listed = spawnSync('ldd', [from], { encoding: 'utf8' }).stdout;
  const libraries = [...listed.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
  // Loaded by glibc itself when a program looks up names.
  const lookUps = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'].map((name) =>
    join(dirname(libraries.find((one) => /libc\.so/.test(one)) ?? '/lib/x'), name),
  );
  for (const library of new Set([...libraries, ...lookUps.filter((one) => existsSync(one))])) {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    copyFileSync(library, join(root, library));
  }
}

function run(argv: readonly string[]): void {
  const [program = '', ...args] = argv;
  const ended = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
  if (ended.status !== 0)
    throw new Error(`${argv.join(' ')}: ${ended.error?.message ?? ended.stderr.toString().slice(-2000)}`);
}

/** Everything that decides what comes out, for the cache's key. */
export function recipeInputs(recipe: Recipe, recipeDirectory: string): string {
  const files = Object.keys(recipe.files ?? {}).map((file) => readFileSync(join(recipeDirectory, file), 'utf8'));
  const own = readFileSync(import.meta.filename, 'utf8');
  return JSON.stringify([recipe, files, suite, own]);
}
