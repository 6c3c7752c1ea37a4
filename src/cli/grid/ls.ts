import type { Command } from 'commander';
import { ageOf } from '../../resources/define-kind.ts';
import { gridNetworkOf } from '../../resources/grid-network.ts';
import { grids } from '../../resources/kinds.ts';
import { systemGrid } from '../../resources/names.ts';
import { type OutputFlags, printList } from '../output.ts';
import { withSession } from '../session.ts';
import { failoverAfterText } from './show.ts';

export async function ls(flags: OutputFlags, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const { items } = await client.forGrid(systemGrid).list(grids);
    const nowMs = Date.now();
    await printList(
      {
        items,
        name: (one) => one.metadata.name,
        empty: 'no grids',
        columns: [
          { title: 'GRID', value: (one) => one.metadata.name },
          { title: 'FAILOVER AFTER', value: failoverAfterText },
          { title: 'OVERLAY', value: (one) => gridNetworkOf(one.spec?.network).overlay },
          { title: 'AGE', value: (one) => ageOf(one.metadata.creationTimestamp, nowMs) },
        ],
      },
      flags,
    );
  });
}
