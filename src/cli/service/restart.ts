import type { Command } from 'commander';
import { deployments } from '../../resources/kinds.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { type FoundService, findService } from './find-service.ts';
import { waitForRollout } from './rollout.ts';
import { type WaitFlags, waitMs } from './wait-flags.ts';

/** As `kubectl rollout restart` does it: the template gets another time, and so is another one. */
const restartedAt = 'kubectl.kubernetes.io/restartedAt';

export async function restart(targets: readonly string[], flags: WaitFlags, command: Command): Promise<void> {
  const timeoutMs = waitMs(flags);
  await withSession(command, async ({ client }) => {
    const found: FoundService[] = [];
    for (const target of targets) found.push(await findService(client, target));
    for (const { name, deployment } of found) {
      const { namespace, name: own } = deployment.metadata;
      const metadata = { annotations: { [restartedAt]: new Date().toISOString() } };
      const body = { spec: { template: { metadata } } };
      const written = await client.patch(deployments, { namespace, name: own }, { type: 'strategic', body });
      print(`${name} restarts`);
      if (timeoutMs === undefined) continue;
      const state = await waitForRollout(client, { name, deployment: written, timeoutMs });
      print(`${name}: ${state.message}`);
    }
  });
}
