import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { ApiError } from '../../client/api-error.ts';
import type { ObjectList } from '../../client/client.ts';
import type { HttpClient } from '../../client/http-client.ts';
import { FlotillaError } from '../../lib/errors.ts';
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
    await follow(client, { namespace, listed, signal: abort.signal });

    async function namespaceOf(name: string): Promise<string> {
      const found = (await client.list(stacks)).items.find((one) => one.metadata.name === name);
      return found?.metadata.namespace ?? name;
    }
  });
}

const retryMs = 500;

interface Followed {
  readonly namespace: string | undefined;
  readonly listed: ObjectList<Event>;
  readonly signal: AbortSignal;
}

/** Prints what comes, also after the server went away: goes on where it was, or with what is new in a fresh list. */
async function follow(client: HttpClient, { namespace, listed: first, signal }: Followed): Promise<void> {
  const where = namespace === undefined ? {} : { namespace };
  /** Newest version shown of each, those of the first list among them. */
  const printed = new Map(first.items.map(({ metadata }) => [metadata.uid ?? '', metadata.resourceVersion ?? '']));
  let resourceVersion: string | undefined = first.resourceVersion;
  const show = (event: Event) => {
    const { uid = '', resourceVersion: version = '' } = event.metadata;
    if (printed.get(uid) === version) return;
    printed.set(uid, version);
    print(renderTable([timeOf(event), event.type ?? '', event.reason ?? '', objectOf(event), event.message ?? ''], []));
  };
  while (!signal.aborted) {
    try {
      if (resourceVersion === undefined) {
        const listed = await client.list(eventKind, { ...where, signal });
        for (const event of listed.items) show(event);
        resourceVersion = listed.resourceVersion;
      }
      for await (const change of client.watch(eventKind, { ...where, resourceVersion, signal })) {
        if (change.type === 'BOOKMARK') resourceVersion = change.resourceVersion;
        else {
          resourceVersion = change.object.metadata.resourceVersion ?? resourceVersion;
          if (change.type === 'DELETED') printed.delete(change.object.metadata.uid ?? '');
          else show(change.object);
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status.code === 410) resourceVersion = undefined;
      else if (!isPassing(error)) throw error;
      await delay(retryMs, undefined, { signal }).catch(() => {});
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof ApiError ? error.status.code >= 500 : error instanceof FlotillaError && error.retryable;
}

function timeOf(event: Event): string {
  return event.lastTimestamp ?? event.metadata.creationTimestamp ?? '';
}

function objectOf(event: Event): string {
  const { kind = '', name = '' } = event.involvedObject;
  return `${kind.toLowerCase()}/${name}`;
}
