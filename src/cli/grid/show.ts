import type { Command } from 'commander';
import { gridIngressOf } from '../../resources/grid-ingress.ts';
import { gridNetworkOf } from '../../resources/grid-network.ts';
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
    for (const line of gridLines(grid)) print(line);
  });
}

/** All that holds for it, defaults included. */
export function gridLines(grid: Grid): readonly string[] {
  const network = gridNetworkOf(grid.spec?.network);
  const ingress = gridIngressOf(grid.spec?.ingress);
  const trusted = ingress.trustedProxies.join(', ') || 'none';
  const rows = [
    ['grid', grid.metadata.name],
    ['failover after', failoverAfterText(grid)],
    ['pods', `${network.podRange}, /${network.nodePrefixLength} a node`],
    ['services', network.serviceRange],
    ['node ports', network.nodePortRange],
    ['overlay', network.overlay === 'host-gw' ? network.overlay : `${network.overlay}, port ${network.overlayPort}`],
    ['trusted subnets', network.trustedSubnets.join(', ') || 'none'],
    ['load balancers', network.loadBalancerPool.join(', ') || 'no addresses'],
    ['base domain', ingress.baseDomain ?? 'none: services get no names outside by themselves'],
    ['ingress ports', `${ingress.httpPort}, ${ingress.httpsPort}`],
    ['trusted proxies', ingress.acceptProxyProtocol ? `${trusted}, by the PROXY protocol` : trusted],
    ['ACME', ingress.acme ? `${ingress.acme.directoryURL} as ${ingress.acme.email}` : 'none'],
  ] as const;
  return rows.map(([what, value]) => `${what.padEnd(17)}${value}`);
}

export function failoverAfterText(grid: Grid): string {
  return grid.spec?.failover?.after ?? "the servers' default";
}
