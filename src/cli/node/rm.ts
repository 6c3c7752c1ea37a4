import type { Command } from 'commander';
import { FlotillaError } from '../../lib/errors.ts';
import { nodes } from '../../resources/kinds.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { nodeStatus } from './ls.ts';

/** Not a live one: its agent would be locked out, and what it runs would go on without anybody to stop it. */
export async function rm(name: string, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const node = await client.get(nodes, { name });
    if (nodeStatus(node).startsWith('Ready')) {
      throw new FlotillaError('Conflict', `node ${name} is alive`, {
        hint: `drain it ("flotilla node drain ${name}") and stop its agent first`,
      });
    }
    await client.delete(nodes, { name });
    print(`node ${name} forgotten`);
  });
}
