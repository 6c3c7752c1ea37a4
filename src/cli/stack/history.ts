import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import { ageOf } from '../../resources/define-kind.ts';
import { controllerRevisions, type Stack } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';
import { type StackVersion, stackVersionsOf } from '../../resources/stack-version.ts';
import { type OutputFlags, printList } from '../output.ts';
import { withSession } from '../session.ts';
import { findStack } from './find-stack.ts';
import { stackStatusText } from './ls.ts';

export async function history(target: string, flags: OutputFlags, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const stack = await findStack(client, target);
    const items = await versionsOf(client, stack);
    const nowMs = Date.now();
    const isNewest = (one: StackVersion) => one === items.at(-1);
    const statusOf = (one: StackVersion) =>
      isNewest(one) ? stackStatusText(stack) : one.wasThrough ? 'Replaced' : 'Never complete';
    await printList(
      {
        items,
        name: (one) => String(one.number),
        empty: `stack ${stack.metadata.name} has no versions yet`,
        columns: [
          { title: 'VERSION', value: (one) => one.number },
          { title: 'FILE', value: (one) => one.spec.version ?? '-' },
          { title: 'CAUSE', value: (one) => one.cause || '-' },
          { title: 'STATUS', value: statusOf },
          { title: 'IMAGES', isWide: true, value: imagesOf },
          { title: 'AGE', value: (one) => ageOf(one.at, nowMs) },
        ],
      },
      flags,
    );
  });
}

/** Oldest first. */
export async function versionsOf(client: Client, stack: Stack): Promise<StackVersion[]> {
  const { namespace, name } = stack.metadata;
  const { items } = await client.list(controllerRevisions, { namespace, labelSelector: `${labels.stack}=${name}` });
  return stackVersionsOf(items, stack);
}

function imagesOf({ spec }: StackVersion): string {
  return Object.entries(spec.services)
    .map(([name, { image }]) => `${name}=${image}`)
    .join(' ');
}
