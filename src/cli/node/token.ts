import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { formatTime } from '../../resources/conditions.ts';
import { ageOf } from '../../resources/define-kind.ts';
import { type Token, tokens } from '../../resources/kinds.ts';
import { systemGrid } from '../../resources/names.ts';
import { parseDurationMs } from '../durations.ts';
import { type OutputFlags, print, printList } from '../output.ts';
import { withSession } from '../session.ts';

/** Prints the token alone, so that it can be used in a command. */
export async function create(
  flags: { readonly expires: string; readonly description?: string },
  command: Command,
): Promise<void> {
  const expiresMs = parseDurationMs(flags.expires, '--expires');
  await withSession(command, async ({ client }) => {
    const made = await client.forGrid(systemGrid).create<Token>(tokens, {
      apiVersion: 'flotilla.dev/v1alpha1',
      kind: 'Token',
      metadata: { name: `join-${randomBytes(4).toString('hex')}` },
      spec: {
        type: 'join',
        grid: client.grid,
        expiresAt: formatTime(Date.now() + expiresMs),
        ...(flags.description ? { description: flags.description } : {}),
      },
    });
    process.stderr.write(`token ${made.metadata.name}, good until ${made.spec.expiresAt}\n`);
    print(made.status?.token ?? '');
  });
}

export async function ls(flags: OutputFlags, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const items = (await client.forGrid(systemGrid).list(tokens)).items.filter((one) => one.spec.type === 'join');
    const nowMs = Date.now();
    await printList(
      {
        items,
        name: (one) => one.metadata.name,
        empty: 'no join tokens; make one: flotilla node token create',
        columns: [
          { title: 'TOKEN', value: (one) => one.metadata.name },
          { title: 'GRID', value: (one) => one.spec.grid ?? '' },
          { title: 'EXPIRES', value: (one) => expiryText(one, nowMs) },
          { title: 'FOR', value: (one) => one.spec.description ?? '-' },
          { title: 'AGE', value: (one) => ageOf(one.metadata.creationTimestamp, nowMs) },
        ],
      },
      flags,
    );
  });
}

export async function rm(names: readonly string[], command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    for (const name of names) {
      await client.forGrid(systemGrid).delete(tokens, { name });
      print(`token ${name} revoked`);
    }
  });
}

function expiryText(token: Token, nowMs: number): string {
  const { expiresAt } = token.spec;
  if (expiresAt === undefined) return 'never';
  return Date.parse(expiresAt) <= nowMs ? `expired (${expiresAt})` : expiresAt;
}
