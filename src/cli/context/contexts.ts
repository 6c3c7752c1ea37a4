import { contextsPath, readContexts, removeContext, selectContext, writeContexts } from '../../client/contexts.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { type OutputFlags, print, printList } from '../output.ts';

export async function ls(flags: OutputFlags): Promise<void> {
  const file = readContexts(contextsPath());
  const items = Object.entries(file.contexts).map(([name, { servers, grid }]) => ({
    name,
    servers,
    grid,
    isCurrent: name === file.currentContext,
  }));
  await printList(
    {
      items,
      name: (one) => one.name,
      empty: 'no contexts; start a cluster with "flotilla up" or "flotilla lab up"',
      columns: [
        { title: '', value: (one) => (one.isCurrent ? '*' : '') },
        { title: 'CONTEXT', value: (one) => one.name },
        { title: 'GRID', value: (one) => one.grid },
        { title: 'SERVERS', value: (one) => one.servers.join(' ') },
      ],
    },
    flags,
  );
}

export function use(name: string): void {
  const path = contextsPath();
  const file = readContexts(path);
  selectContext(file, name); // throws when it is not there
  writeContexts(path, { ...file, currentContext: name });
  print(`${name} is the current context`);
}

export function show(name: string | undefined): void {
  const context = selectContext(readContexts(contextsPath()), name);
  print(
    `context  ${context.name}\ngrid     ${context.grid}\nservers  ${context.servers.join(' ')}\nfile     ${contextsPath()}`,
  );
}

export function rm(name: string): void {
  if (!removeContext(contextsPath(), name))
    throw new FlotillaError('NotFound', `context "${name}" does not exist`, { hint: 'flotilla context ls' });
  print(`context ${name} forgotten`);
}
