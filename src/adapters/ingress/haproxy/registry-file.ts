import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unwritten } from './generations.ts';
import { parseRegistry, type Registry, renderRegistry } from './registry.ts';

const pathIn = (directory: string) => join(directory, 'sections.json');

/** Undefined: there is none, or none that can be read. */
export async function readRegistry(directory: string): Promise<Registry | undefined> {
  return parseRegistry(await readFile(pathIn(directory), 'utf8').catch(() => ''));
}

export async function writeRegistry(directory: string, registry: Registry): Promise<void> {
  const path = pathIn(directory);
  try {
    await writeFile(`${path}.next`, renderRegistry(registry), { mode: 0o600 });
    await rename(`${path}.next`, path);
  } catch (cause) {
    throw unwritten(path, cause);
  }
}
