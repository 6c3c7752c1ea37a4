import { readdir, readFile, rmdir } from 'node:fs/promises';

/**
 * Removes the control groups whose name begins with `prefix`, in every hierarchy, version 1 and 2. Their processes must
 * be gone; what the kernel still holds for a moment is tried again.
 */
export async function removeCgroups(prefix: string): Promise<void> {
  const mounts = cgroupMounts(await readFile('/proc/self/mounts', 'utf8'));
  await Promise.all(
    mounts.map(async (mount) => {
      const groups = await readdir(mount).catch(() => []);
      for (const group of groups) if (group.startsWith(prefix)) await removeGroup(`${mount}/${group}`);
    }),
  );
}

/** Mount points of control group hierarchies, each once. */
export function cgroupMounts(mounts: string): readonly string[] {
  const points = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, point]) => point ?? '');
  return [...new Set(points)];
}

async function removeGroup(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeGroup(`${directory}/${entry.name}`);
  for (let tries = 0; tries < 50; tries++) {
    try {
      await rmdir(directory);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY') throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
