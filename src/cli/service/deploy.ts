import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { type Deployment, deployments, replicaSets } from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import { type RollbackRecord, rollbackRecordOf } from '../../resources/rollback-record.ts';
import { parseDurationMs } from '../durations.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { type FoundService, findService } from './find-service.ts';
import { waitForRollout } from './rollout.ts';
import type { WaitFlags } from './wait-flags.ts';

/** Tries again what was taken back; where nothing was, waits until the service is what it should be. */
export async function deployService(target: string, flags: WaitFlags, command: Command): Promise<void> {
  const timeoutMs = parseDurationMs(flags.timeout, '--timeout');
  await withSession(command, async ({ client }) => {
    const found = await findService(client, target);
    let { deployment } = found;
    const record = rollbackRecordOf(deployment);
    if (record) {
      deployment = await tryAgain(client, found, record);
      print(`${found.name}: what was taken back is tried again`);
    }
    if (!flags.wait) return;
    const state = await waitForRollout(client, { name: found.name, deployment, timeoutMs });
    print(`${found.name}: ${state.message}`);
  });
}

/** Of a stack: its controller writes what the file says, since the hash is another. Else: the template of the set that failed. */
async function tryAgain(
  client: Client,
  { name, deployment, stack }: FoundService,
  record: RollbackRecord,
): Promise<Deployment> {
  const { namespace, name: own, resourceVersion } = deployment.metadata;
  const ref = { namespace, name: own };
  if (stack) {
    const body = {
      metadata: {
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
        annotations: { [annotations.rolledBack]: null, [annotations.appliedHash]: '' },
      },
    };
    await client.patch(deployments, ref, { type: 'merge', body });
    return await rewritten(client, deployment);
  }
  const { items } = await client.list(replicaSets, { namespace });
  const failed = items.find((one) => one.metadata.name === record.from);
  if (!failed) {
    throw new FlotillaError('NotFound', `the version of ${name} that was taken back is forgotten`, {
      hint: 'apply it again',
    });
  }
  const { [labels.podTemplateHash]: _hash, ...podLabels } = failed.spec.template?.metadata?.labels ?? {};
  const template = { ...failed.spec.template, metadata: { ...failed.spec.template?.metadata, labels: podLabels } };
  const metadata = { ...deployment.metadata, annotations: { ...deployment.metadata.annotations } };
  delete metadata.annotations[annotations.rolledBack];
  return await client.update(deployments, { ...deployment, metadata, spec: { ...deployment.spec, template } });
}

const answerMs = 20_000;

/** Once the stack controller has written what the file says. */
async function rewritten(client: Client, { metadata }: Deployment): Promise<Deployment> {
  const endMs = performance.now() + answerMs;
  for (;;) {
    const now = await client.get(deployments, { namespace: metadata.namespace, name: metadata.name });
    if (now.metadata.annotations?.[annotations.appliedHash]) return now;
    if (performance.now() > endMs) {
      const message = `nobody has written Deployment ${metadata.namespace}/${metadata.name} anew within ${answerMs / 1_000} s`;
      throw new FlotillaError('DeadlineExceeded', message, { hint: 'flotilla doctor' });
    }
    await delay(100);
  }
}
