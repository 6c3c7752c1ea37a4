import { readFile } from 'node:fs/promises';
import { contextsPath, readContexts, removeContext, saveContext, writeContexts } from '../client/contexts.ts';
import { defaultGrid } from '../resources/names.ts';
import type { LabLayout } from './layout.ts';
import { serverData, serverUrl } from './units.ts';

/** The context that is in use now, to come back to when the lab goes. */
export function currentContextBesides(labName: string): string | undefined {
  const { currentContext } = readContexts(contextsPath());
  return currentContext === labName ? undefined : currentContext;
}

/** Makes the lab's administrator the current context, under the lab's name. */
export async function useLabContext(lab: LabLayout): Promise<void> {
  const data = serverData(lab.servers[0]!);
  const [token, caCertificate] = await Promise.all([
    readFile(`${data}/admin.token`, 'utf8'),
    readFile(`${data}/identity/ca.crt`, 'utf8'),
  ]);
  const context = {
    name: lab.name,
    servers: lab.servers.map(serverUrl),
    grid: defaultGrid,
    caCertificate,
    token: token.trim(),
  };
  saveContext(contextsPath(), context, { makeCurrent: true });
}

/** Forgets the lab's context; if it was the current one, `previous` is again, where it still exists. */
export function dropLabContext(labName: string, previous: string | undefined): void {
  const path = contextsPath();
  const wasCurrent = readContexts(path).currentContext === labName;
  if (!removeContext(path, labName) || !wasCurrent || previous === undefined) return;
  const file = readContexts(path);
  if (Object.hasOwn(file.contexts, previous)) writeContexts(path, { ...file, currentContext: previous });
}
