import type { Command } from 'commander';
import { FlotillaError } from '../../lib/errors.ts';
import { failoverAfterProblems } from '../../resources/failover.ts';
import { grids } from '../../resources/kinds.ts';
import { systemGrid } from '../../resources/names.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { failoverAfterText } from './show.ts';

export async function set(
  name: string | undefined,
  flags: { readonly failoverAfter?: string },
  command: Command,
): Promise<void> {
  const text = flags.failoverAfter;
  if (text === undefined) {
    throw new FlotillaError('BadUsage', 'nothing to set', { hint: 'flotilla grid set --failover-after 3s' });
  }
  const [problem] = failoverAfterProblems(text);
  if (problem !== undefined) throw new FlotillaError('BadUsage', `--failover-after "${text}" ${problem}`);
  await withSession(command, async ({ client }) => {
    const body = { spec: { failover: { after: text } } };
    const ref = { name: name ?? client.grid };
    const grid = await client.forGrid(systemGrid).patch(grids, ref, { type: 'merge', body });
    print(`grid ${grid.metadata.name}: failover after ${failoverAfterText(grid)}`);
  });
}
