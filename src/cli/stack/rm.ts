import type { Command } from 'commander';
import { isApiError } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { type Stack, stacks, volumes } from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import { parseDurationMs } from '../durations.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { findStack } from './find-stack.ts';

export async function rm(
  names: readonly string[],
  flags: { readonly volumes?: boolean; readonly timeout: string },
  command: Command,
): Promise<void> {
  const timeoutMs = parseDurationMs(flags.timeout, '--timeout');
  await withSession(command, async ({ client }) => {
    const found: Stack[] = [];
    for (const name of names) found.push(await findStack(client, name));
    for (const stack of found) {
      const { namespace = '', name } = stack.metadata;
      const owned = (await client.list(volumes, { namespace, labelSelector: `${labels.stack}=${name}` })).items;
      // The stack takes them along: deleted before it they would be made again, after it its namespace could not go.
      if (flags.volumes) {
        const body = { metadata: { annotations: { [annotations.removeVolumes]: 'true' } } };
        await client.patch(stacks, { namespace, name }, { type: 'merge', body });
      }
      await client.delete(stacks, { namespace, name }, { propagationPolicy: 'Background' });
      await waitUntilGone(client, stack, timeoutMs);
      print(`${name} removed`);
      for (const volume of owned)
        print(
          flags.volumes
            ? `volume ${volume.metadata.name} removed`
            : `volume ${volume.metadata.name} kept (flotilla volume rm ${namespace}/${volume.metadata.name})`,
        );
    }
  });
}

async function waitUntilGone(client: Client, stack: Stack, timeoutMs: number): Promise<void> {
  const { namespace, name, uid } = stack.metadata;
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const now = await client.get(stacks, { namespace, name }).catch((error) => {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    });
    if (!now || now.metadata.uid !== uid) return;
    if (performance.now() > deadlineMs) {
      throw new FlotillaError(
        'DeadlineExceeded',
        `stack ${name} is being removed and not gone after ${Math.round(timeoutMs / 1000)} s`,
        {
          hint: `it goes on; see what is left with "flotilla ps ${name}"`,
        },
      );
    }
    await new Promise((wake) => setTimeout(wake, 150));
  }
}
