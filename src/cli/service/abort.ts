import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { type Deployment, deployments } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { type RollbackRecord, rollbackRecordOf } from '../../resources/rollback-record.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { findService } from './find-service.ts';
import { newestSetName, rolloutState } from './rollout.ts';
import { type WaitFlags, waitMs } from './wait-flags.ts';

/** The deployment controller does it, or says that there is nothing to go back to, within moments. */
const answerMs = 20_000;

export async function abort(target: string, flags: WaitFlags, command: Command): Promise<void> {
  const timeoutMs = waitMs(flags);
  await withSession(command, async ({ client }) => {
    const { name, deployment } = await findService(client, target);
    const state = rolloutState(deployment);
    if (state.type === 'done') {
      throw new FlotillaError('BadUsage', `service ${name} has no update to abort: ${state.message}`, {
        hint: `go back to an earlier version: flotilla rollback ${name}`,
      });
    }
    const newest = await newestSetName(client, deployment);
    if (newest === undefined) {
      throw new FlotillaError('BadUsage', `the update of service ${name} has not begun: ${state.message}`, {
        hint: `go back to an earlier version: flotilla rollback ${name}`,
      });
    }
    const { namespace, name: own } = deployment.metadata;
    const body = { metadata: { annotations: { [annotations.abort]: newest } } };
    const asked = await client.patch(deployments, { namespace, name: own }, { type: 'merge', body });
    const record = await answer(client, asked, newest);
    if (!record) {
      throw new FlotillaError('NotFound', `service ${name} has no earlier version to go back to`, {
        hint: `deploy another one, or remove it: flotilla rm ${name.split('/')[0]}`,
      });
    }
    print(`${name} goes back from revision ${record.fromRevision} to revision ${record.toRevision}`);
    if (timeoutMs !== undefined) await waitUntilBack(client, asked, { name, timeoutMs });
  });
}

/** Undefined: the wish was taken away without anything being taken back. */
async function answer(client: Client, { metadata }: Deployment, newest: string): Promise<RollbackRecord | undefined> {
  const endMs = performance.now() + answerMs;
  for (;;) {
    const now = await client.get(deployments, { namespace: metadata.namespace, name: metadata.name });
    const record = rollbackRecordOf(now);
    if (record?.from === newest) return record;
    if (now.metadata.annotations?.[annotations.abort] !== newest) return undefined;
    if (performance.now() > endMs) {
      throw new FlotillaError('DeadlineExceeded', `nobody has taken the update back within ${answerMs / 1_000} s`, {
        hint: 'flotilla doctor',
      });
    }
    await delay(100);
  }
}

async function waitUntilBack(
  client: Client,
  { metadata }: Deployment,
  { name, timeoutMs }: { readonly name: string; readonly timeoutMs: number },
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const { spec, status = {} } = await client.get(deployments, { namespace: metadata.namespace, name: metadata.name });
    const wanted = spec.replicas ?? 1;
    const isBack = [status.updatedReplicas, status.replicas, status.availableReplicas].every(
      (one) => (one ?? 0) === wanted,
    );
    if (isBack) return print(`${name}: ${wanted} of ${wanted} run the earlier version`);
    if (performance.now() > endMs) {
      throw new FlotillaError(
        'DeadlineExceeded',
        `service ${name} is not back after ${Math.round(timeoutMs / 1_000)} s`,
        {
          hint: `it goes on; flotilla service show ${name}`,
        },
      );
    }
    await delay(250);
  }
}
