import type { Command } from 'commander';
import { FlotillaError } from '../../lib/errors.ts';
import { failoverAfterProblems } from '../../resources/failover.ts';
import { type IngressFlags, parseIngressFlags } from '../../resources/grid-ingress-flags.ts';
import { type NetworkFlags, parseNetworkFlags } from '../../resources/grid-network-flags.ts';
import { grids } from '../../resources/kinds.ts';
import { systemGrid } from '../../resources/names.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { gridLines } from './show.ts';

export interface SetFlags extends NetworkFlags, IngressFlags {
  readonly failoverAfter?: string;
}

export async function set(name: string | undefined, flags: SetFlags, command: Command): Promise<void> {
  const spec = changedSpec(flags);
  await withSession(command, async ({ client }) => {
    const ref = { name: name ?? client.grid };
    const grid = await client.forGrid(systemGrid).patch(grids, ref, { type: 'merge', body: { spec } });
    for (const line of gridLines(grid)) print(line);
  });
}

/** A merge patch of what the options say, and nothing else. Throws BadUsage. */
export function changedSpec({ failoverAfter: after, ...flags }: SetFlags): Readonly<Record<string, unknown>> {
  const network = parseNetworkFlags(flags);
  const ingress = parseIngressFlags(flags);
  const [hasNetwork, hasIngress] = [network, ingress].map((one) => Object.keys(one).length > 0);
  if (after === undefined && !hasNetwork && !hasIngress) {
    throw new FlotillaError('BadUsage', 'nothing to set', { hint: 'flotilla grid set --failover-after 3s' });
  }
  const [problem] = after === undefined ? [] : failoverAfterProblems(after);
  if (problem !== undefined) throw new FlotillaError('BadUsage', `--failover-after "${after}" ${problem}`);
  return {
    ...(after === undefined ? {} : { failover: { after } }),
    ...(hasNetwork ? { network } : {}),
    ...(hasIngress ? { ingress } : {}),
  };
}
