import type { Command } from 'commander';
import { createHttpClient } from '../../client/http-client.ts';
import { readBody } from '../../client/read-lines.ts';
import { messageOf } from '../../lib/errors.ts';
import { leases, nodes, pods } from '../../resources/kinds.ts';
import { systemGrid } from '../../resources/names.ts';
import { nodeStatus } from '../node/ls.ts';
import { print, renderTable } from '../output.ts';
import { withSession } from '../session.ts';

export async function serverStatus(command: Command): Promise<void> {
  await withSession(command, async ({ client, context }) => {
    const rows = await Promise.all(
      context.servers.map(async (server) => {
        const one = createHttpClient({
          servers: [server],
          caCertificate: context.caCertificate,
          token: context.token,
          grid: context.grid,
          userAgent: 'flotilla (command line)',
          timeoutMs: 3_000,
        });
        const startedMs = performance.now();
        try {
          const version = JSON.parse(await readBody((await one.raw({ method: 'GET', path: '/version' })).body)) as {
            gitVersion?: string;
          };
          await one.raw({ method: 'GET', path: '/readyz' });
          return [server, 'ready', version.gitVersion ?? '-', `${Math.round(performance.now() - startedMs)} ms`];
        } catch (error) {
          process.exitCode = 1;
          return [server, messageOf(error), '-', '-'];
        } finally {
          one.close();
        }
      }),
    );
    print(renderTable(['SERVER', 'STATUS', 'VERSION', 'ANSWERED IN'], rows));
    const lease = await client
      .forGrid(systemGrid)
      .get(leases, { namespace: 'flotilla-system', name: 'flotilla-leader' })
      .catch(() => undefined);
    const allNodes = (await client.list(nodes)).items;
    const ready = allNodes.filter((node) => nodeStatus(node).startsWith('Ready')).length;
    print(
      `\nleader   ${lease?.spec.holderIdentity || 'none'}\nnodes    ${ready} of ${allNodes.length} ready\npods     ${(await client.list(pods)).items.length}`,
    );
  });
}
