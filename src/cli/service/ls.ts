import type { Command } from 'commander';
import { ageOf } from '../../resources/define-kind.ts';
import { type Deployment, deployments } from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import { type OutputFlags, printList } from '../output.ts';
import { withSession } from '../session.ts';
import { rolloutState } from './rollout.ts';

export async function ls(stack: string | undefined, flags: OutputFlags, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const all = (await client.list(deployments)).items;
    const items = all
      .filter((one) => stack === undefined || stackOf(one) === stack)
      .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    const nowMs = Date.now();
    await printList(
      {
        items,
        name: nameOf,
        empty: stack === undefined ? 'no services; deploy something: flotilla deploy' : `no services of stack ${stack}`,
        columns: [
          { title: 'SERVICE', value: nameOf },
          { title: 'READY', value: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 1}` },
          { title: 'REVISION', value: ({ metadata }) => metadata.annotations?.[annotations.deploymentRevision] ?? '-' },
          { title: 'STATUS', value: statusWord },
          { title: 'IMAGE', isWide: true, value: ({ spec }) => spec.template.spec?.containers[0]?.image ?? '-' },
          { title: 'AGE', value: (one) => ageOf(one.metadata.creationTimestamp, nowMs) },
        ],
      },
      flags,
    );
  });
}

function stackOf({ metadata }: Deployment): string {
  return metadata.labels?.[labels.stack] ?? 'default';
}

function nameOf(one: Deployment): string {
  return `${stackOf(one)}/${one.metadata.name}`;
}

function statusWord(one: Deployment): string {
  const { type } = rolloutState(one);
  if (type === 'failed') return one.metadata.annotations?.[annotations.rolledBack] ? 'RolledBack' : 'Failed';
  if (type === 'waiting') return one.spec.paused ? 'Paused' : 'Waiting';
  return type === 'done' ? 'Running' : 'Updating';
}
