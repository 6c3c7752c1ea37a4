import type { Command } from 'commander';
import { FlotillaError } from '../../lib/errors.ts';
import { pods, volumes } from '../../resources/kinds.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { usersOf } from './users-of.ts';

export async function rm(names: readonly string[], command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const all = (await client.list(volumes)).items;
    const allPods = (await client.list(pods)).items;
    const chosen = names.map((target) => {
      const [namespace, name] = target.includes('/') ? target.split('/', 2) : [undefined, target];
      const found = all.filter(
        (one) => one.metadata.name === name && (namespace === undefined || one.metadata.namespace === namespace),
      );
      const [volume] = found;
      if (!volume)
        throw new FlotillaError('NotFound', `there is no volume "${target}"`, { hint: 'flotilla volume ls' });
      if (found.length > 1) {
        throw new FlotillaError('BadUsage', `several namespaces have a volume "${target}"`, {
          hint: `say which: ${found.map((one) => `${one.metadata.namespace}/${name}`).join(', ')}`,
        });
      }
      const users = usersOf(volume, allPods);
      if (users.length > 0) {
        throw new FlotillaError('Conflict', `volume ${target} is used by ${users.join(', ')}`, {
          hint: 'remove the stack first: flotilla rm STACK --volumes',
        });
      }
      return volume;
    });
    for (const { metadata } of chosen) {
      await client.delete(volumes, { namespace: metadata.namespace, name: metadata.name });
      print(`volume ${metadata.namespace}/${metadata.name} removed`);
    }
  });
}
