import type { Command } from 'commander';
import { ageOf } from '../../resources/define-kind.ts';
import { pods, volumes } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';
import { type OutputFlags, printList } from '../output.ts';
import { withSession } from '../session.ts';
import { usersOf } from './users-of.ts';

export async function ls(flags: OutputFlags, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const { items } = await client.list(volumes);
    const allPods = (await client.list(pods)).items;
    const nowMs = Date.now();
    await printList(
      {
        items,
        name: (one) => `${one.metadata.namespace}/${one.metadata.name}`,
        empty: 'no volumes',
        columns: [
          { title: 'NAMESPACE', value: (one) => one.metadata.namespace ?? '' },
          { title: 'VOLUME', value: (one) => one.metadata.name },
          { title: 'STACK', value: (one) => one.metadata.labels?.[labels.stack] ?? '-' },
          { title: 'NODE', value: (one) => one.spec.nodeName ?? '-' },
          { title: 'STATUS', value: (one) => one.status?.phase ?? 'Pending' },
          { title: 'USED BY', value: (one) => usersOf(one, allPods).join(', ') || '-' },
          { title: 'AGE', value: (one) => ageOf(one.metadata.creationTimestamp, nowMs) },
        ],
      },
      flags,
    );
  });
}
