import type { Command } from 'commander';
import { type Grid, grids } from '../../resources/kinds.ts';
import { systemGrid } from '../../resources/names.ts';
import { print, printObject } from '../output.ts';
import { withSession } from '../session.ts';

export async function show(
  name: string | undefined,
  flags: { readonly output?: string },
  command: Command,
): Promise<void> {
  await withSession(command, async ({ client }) => {
    const grid = await client.forGrid(systemGrid).get(grids, { name: name ?? client.grid });
    if (flags.output) return printObject(grid, flags.output);
    print(`grid             ${grid.metadata.name}`);
    print(`failover after   ${failoverAfterText(grid)}`);
  });
}

export function failoverAfterText(grid: Grid): string {
  return grid.spec?.failover?.after ?? "the servers' default";
}
