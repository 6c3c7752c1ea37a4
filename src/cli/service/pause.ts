import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import { type Deployment, deployments } from '../../resources/kinds.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { findService } from './find-service.ts';
import { rolloutState, waitForRollout } from './rollout.ts';
import { type WaitFlags, waitMs } from './wait-flags.ts';

export async function pause(target: string, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const { name, deployment } = await findService(client, target);
    if (deployment.spec.paused) return print(`${name} is paused already`);
    const { message } = rolloutState(await setPaused(client, deployment, true));
    print(`${name} is paused: ${message}; go on with: flotilla service resume ${name}`);
  });
}

export async function resume(target: string, flags: WaitFlags, command: Command): Promise<void> {
  const timeoutMs = waitMs(flags);
  await withSession(command, async ({ client }) => {
    const { name, deployment } = await findService(client, target);
    if (!deployment.spec.paused) return print(`${name} is not paused`);
    const written = await setPaused(client, deployment, false);
    print(`${name} goes on`);
    if (timeoutMs === undefined) return;
    const state = await waitForRollout(client, { name, deployment: written, timeoutMs });
    print(`${name}: ${state.message}`);
  });
}

async function setPaused(client: Client, { metadata }: Deployment, paused: boolean): Promise<Deployment> {
  const { namespace, name } = metadata;
  return await client.patch(
    deployments,
    { namespace, name },
    { type: 'merge', body: { spec: { paused: paused || null } } },
  );
}
