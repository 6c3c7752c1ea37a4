import { readdir, rm } from 'node:fs/promises';
import { exec } from '../lib/exec.ts';
import { removeCgroups } from './cgroups.ts';
import { namespacePrefix } from './layout.ts';
import { stopNamespace } from './machine.ts';

/**
 * Removes all that a lab is made of, found by its name and not by a record: it works on what an `up` that died half-way
 * has left. Running it again does nothing.
 */
export async function takeDown(labName: string, directory: string): Promise<void> {
  // The directory first: a machine that is just starting looks for its disk and ends without it.
  await removeDirectory(directory);
  for (let round = 0; round < 20; round++) {
    const namespaces = await namespacesOf(labName);
    await Promise.all(namespaces.map((namespace) => stopNamespace(namespace)));
    if (namespaces.length === 0) break;
  }
  await exec(['ip', 'link', 'del', `lab-${labName}`], { okCodes: [0, 1] });
  await removeCgroups(namespacePrefix(labName));
  await removeDirectory(directory);
}

async function namespacesOf(labName: string): Promise<readonly string[]> {
  const names = await readdir('/run/netns').catch(() => []);
  return names.filter((name) => name.startsWith(namespacePrefix(labName)));
}

/** What is still being written while it is removed is removed by the next try. */
async function removeDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
}
