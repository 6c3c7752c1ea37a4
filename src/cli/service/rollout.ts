import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '../../client/client.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { type Deployment, deployments, replicaSets } from '../../resources/kinds.ts';
import { annotations, deploymentConditions } from '../../resources/names.ts';
import { rollbackRecordOf, rollbackText } from '../../resources/rollback-record.ts';
import { createProgress } from '../progress.ts';

/** What a rollout has come to. */
export type RolloutState =
  | { readonly type: 'running'; readonly message: string }
  | { readonly type: 'done'; readonly message: string }
  /** Somebody or some time of day decides when it goes on. */
  | { readonly type: 'waiting'; readonly message: string }
  | { readonly type: 'failed'; readonly message: string };

/** From the Deployment alone, as `kubectl rollout status` tells it, and with what it says of ours. */
export function rolloutState(deployment: Deployment): RolloutState {
  const { metadata, spec, status = {} } = deployment;
  const wanted = spec.replicas ?? 1;
  const { updatedReplicas = 0, replicas = 0, availableReplicas = 0 } = status;
  const counts = `${updatedReplicas} of ${wanted} updated, ${availableReplicas} available`;
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return { type: 'running', message: 'waiting for the servers' };
  const condition = (type: string) => status.conditions?.find((one) => one.type === type);
  const record = rollbackRecordOf(deployment);
  if (record && condition(deploymentConditions.rolledBack)) return { type: 'failed', message: rollbackText(record) };
  if (updatedReplicas >= wanted && replicas <= wanted && availableReplicas >= wanted)
    return { type: 'done', message: counts };
  const held = condition(deploymentConditions.updateHeld);
  if (held?.reason === 'OutsideWindow') return { type: 'waiting', message: held.message ?? '' };
  if (spec.paused) return { type: 'waiting', message: `it is paused: ${counts}` };
  const progressing = condition('Progressing');
  if (progressing?.reason === 'ProgressDeadlineExceeded') {
    return { type: 'failed', message: `not healthy within its deadline: ${counts}` };
  }
  return { type: 'running', message: held ? `${counts}; ${held.message}` : counts };
}

const pollMs = 250;

/** Shows it until it ends or waits for something that takes long. Throws DeployFailed, DeadlineExceeded. */
export async function waitForRollout(
  client: Client,
  {
    name,
    deployment,
    timeoutMs,
  }: { readonly name: string; readonly deployment: Deployment; readonly timeoutMs: number },
): Promise<RolloutState> {
  const progress = createProgress();
  const { namespace, name: own } = deployment.metadata;
  const endMs = performance.now() + timeoutMs;
  try {
    for (;;) {
      const state = rolloutState(await client.get(deployments, { namespace, name: own }));
      if (state.type === 'done' || state.type === 'waiting') return state;
      if (state.type === 'failed') {
        throw new FlotillaError('DeployFailed', `service ${name}: ${state.message}`, { hint: `flotilla logs ${name}` });
      }
      progress.show(`${name}  ${state.message}`);
      if (performance.now() > endMs) {
        const message = `service ${name} is not there after ${Math.round(timeoutMs / 1000)} s: ${state.message}`;
        throw new FlotillaError('DeadlineExceeded', message, { hint: `it goes on; flotilla ps ${name.split('/')[0]}` });
      }
      await delay(pollMs);
    }
  } finally {
    progress.end();
  }
}

/** Name of the set whose template the deployment has; undefined while there is none. */
export async function newestSetName(client: Client, deployment: Deployment): Promise<string | undefined> {
  const { namespace, uid, annotations: own } = deployment.metadata;
  const revision = own?.[annotations.deploymentRevision];
  const { items } = await client.list(replicaSets, { namespace });
  return items.find(
    ({ metadata }) =>
      metadata.ownerReferences?.some((owner) => owner.uid === uid) &&
      metadata.annotations?.[annotations.deploymentRevision] === revision,
  )?.metadata.name;
}
