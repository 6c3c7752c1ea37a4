import type { Command } from 'commander';
import { type Event, events as eventKind, stacks } from '../../resources/kinds.ts';
import { type OutputFlags, print, printList, renderTable } from '../output.ts';
import { withSession } from '../session.ts';

export async function events(
  stack: string | undefined,
  flags: OutputFlags & { readonly follow?: boolean },
  command: Command,
): Promise<void> {
  await withSession(command, async ({ client }) => {
    const namespace = stack === undefined ? undefined : await namespaceOf(stack);
    const listed = await client.list(eventKind, namespace === undefined ? {} : { namespace });
    const items = [...listed.items].sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1));
    await printList(
      {
        items,
        name: (one) => one.metadata.name,
        empty: 'no events (they are kept for an hour)',
        columns: [
          { title: 'TIME', value: timeOf },
          { title: 'TYPE', value: (one) => one.type ?? '' },
          { title: 'REASON', value: (one) => one.reason ?? '' },
          { title: 'OBJECT', value: objectOf },
          { title: 'COUNT', isWide: true, value: (one) => one.count ?? 1 },
          {
            title: 'FROM',
            isWide: true,
            value: (one) => [one.source?.component, one.source?.host].filter(Boolean).join(' on '),
          },
          { title: 'MESSAGE', value: (one) => one.message ?? '' },
        ],
      },
      flags,
    );
    if (!flags.follow) return;
    const abort = new AbortController();
    process.once('SIGINT', () => abort.abort());
    let { resourceVersion } = listed;
    while (!abort.signal.aborted) {
      try {
        for await (const change of client.watch(eventKind, {
          ...(namespace ? { namespace } : {}),
          resourceVersion,
          signal: abort.signal,
        })) {
          if (change.type === 'BOOKMARK') resourceVersion = change.resourceVersion;
          else {
            resourceVersion = change.object.metadata.resourceVersion ?? resourceVersion;
            if (change.type !== 'DELETED')
              print(
                renderTable(
                  [
                    timeOf(change.object),
                    change.object.type ?? '',
                    change.object.reason ?? '',
                    objectOf(change.object),
                    change.object.message ?? '',
                  ],
                  [],
                ),
              );
          }
        }
      } catch (error) {
        if (!abort.signal.aborted) throw error;
      }
    }

    async function namespaceOf(name: string): Promise<string> {
      const found = (await client.list(stacks)).items.find((one) => one.metadata.name === name);
      return found?.metadata.namespace ?? name;
    }
  });
}

function timeOf(event: Event): string {
  return event.lastTimestamp ?? event.metadata.creationTimestamp ?? '';
}

function objectOf(event: Event): string {
  const { kind = '', name = '' } = event.involvedObject;
  return `${kind.toLowerCase()}/${name}`;
}
