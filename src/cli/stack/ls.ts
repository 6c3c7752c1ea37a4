import type { Command } from 'commander';
import { ageOf } from '../../resources/define-kind.ts';
import { type Stack, stacks } from '../../resources/kinds.ts';
import { type OutputFlags, printList } from '../output.ts';
import { withSession } from '../session.ts';

export async function ls(flags: OutputFlags, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const { items } = await client.list(stacks);
    const nowMs = Date.now();
    await printList(
      {
        items,
        name: (one) => one.metadata.name,
        empty: 'no stacks; make one: flotilla deploy -f compose.yaml',
        columns: [
          { title: 'STACK', value: (one) => one.metadata.name },
          { title: 'NAMESPACE', isWide: true, value: (one) => one.metadata.namespace ?? '' },
          { title: 'VERSION', value: (one) => one.spec.version ?? '-' },
          { title: 'SERVICES', value: (one) => Object.keys(one.spec.services).length },
          { title: 'READY', value: readyText },
          { title: 'STATUS', value: stackStatusText },
          { title: 'AGE', value: (one) => ageOf(one.metadata.creationTimestamp, nowMs) },
        ],
      },
      flags,
    );
  });
}

function readyText(stack: Stack): string {
  const all = Object.values(stack.status?.services ?? {});
  return `${all.reduce((sum, one) => sum + one.ready, 0)}/${all.reduce((sum, one) => sum + one.instances, 0)}`;
}

/** One word: Removing, the reason of what is wrong, Running, or Deploying. */
export function stackStatusText(stack: Stack): string {
  if (stack.metadata.deletionTimestamp) return 'Removing';
  const progress = stack.status?.conditions?.find((one) => one.type === 'Progressing');
  if (progress?.status === 'False') return progress.reason;
  return progress?.reason === 'Complete' ? 'Running' : 'Deploying';
}
