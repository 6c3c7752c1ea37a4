import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FilePlan } from '../pod/volume-plan.ts';

const current = '..data';

/**
 * Makes a directory show exactly these files, all of them changed at one moment: they are in a directory of their own that
 * the link `..data` points to, and each name is a link through it (what Kubernetes' volumes look like from inside). True
 * when something changed.
 */
export async function applyPayload(directory: string, files: readonly FilePlan[]): Promise<boolean> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const wanted = `..${hashOf(files)}`;
  const shown = await readlink(join(directory, current)).catch(() => undefined);
  if (shown !== wanted) {
    await rm(join(directory, wanted), { recursive: true, force: true }); // what a killed agent left half-done
    await writePayload(join(directory, wanted), files);
    await replaceLink(join(directory, current), wanted);
  }
  const names = new Set(files.map((file) => file.path.split('/')[0] ?? ''));
  for (const name of names) await ensureLink(join(directory, name), `${current}/${name}`);
  for (const entry of await readdir(directory)) {
    if (entry === current || entry === wanted || names.has(entry)) continue;
    await rm(join(directory, entry), { recursive: true, force: true });
  }
  return shown !== wanted;
}

async function writePayload(directory: string, files: readonly FilePlan[]): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  for (const file of files) {
    const path = join(directory, file.path);
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await writeFile(path, file.data, { mode: file.mode });
    await chmod(path, file.mode); // whatever the umask is
  }
}

async function ensureLink(path: string, target: string): Promise<void> {
  if ((await readlink(path).catch(() => undefined)) === target) return;
  const there = await lstat(path).catch(() => undefined);
  if (there?.isDirectory()) await rm(path, { recursive: true });
  await replaceLink(path, target);
}

async function replaceLink(path: string, target: string): Promise<void> {
  const temporary = join(dirname(path), `..new-${path.split('/').pop()}`);
  await rm(temporary, { recursive: true, force: true });
  await symlink(target, temporary);
  await rename(temporary, path);
}

function hashOf(files: readonly FilePlan[]): string {
  const hash = createHash('sha256');
  for (const { path, mode, data } of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    hash.update(`${path}\0${mode}\0${data.byteLength}\0`).update(data);
  }
  return hash.digest('hex').slice(0, 16);
}
