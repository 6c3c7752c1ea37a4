import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import type { HttpClient } from '../../client/http-client.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { pods } from '../../resources/kinds.ts';
import { withSession } from '../session.ts';
import { chooseRunning, refOf } from './choose-instance.ts';
import { instanceOf } from './instances.ts';

export interface Place {
  /** Absent: here. */
  readonly target?: string;
  readonly path: string;
}

/** `shop/web:/etc/hosts` or a path here; what begins with `.` or `/` is always here. */
export function parsePlace(words: string): Place {
  const at = words.indexOf(':');
  if (at <= 0 || /^[./]/.test(words)) return { path: words };
  return { target: words.slice(0, at), path: words.slice(at + 1) || '.' };
}

/** Files and directories, by `tar` on both sides. */
export async function cp(from: string, to: string, _flags: object, command: Command): Promise<void> {
  const source = parsePlace(from);
  const destination = parsePlace(to);
  if ((source.target === undefined) === (destination.target === undefined)) {
    throw new FlotillaError('BadUsage', 'cp: one side must be in an instance, the other one here', {
      hint: 'flotilla cp shop/web:/etc/hosts ./hosts',
    });
  }
  await withSession(command, async ({ client }) => {
    const target = source.target ?? destination.target ?? '';
    const ref = refOf(chooseRunning((await client.list(pods)).items.map(instanceOf), target));
    if (destination.target === undefined) await download({ client, ref }, source.path, destination.path);
    else await upload({ client, ref }, source.path, destination.path);
  });
}

interface Container {
  readonly client: HttpClient;
  readonly ref: { readonly namespace: string; readonly name: string };
}

async function upload(container: Container, here: string, there: string): Promise<void> {
  await stat(here).catch(() => {
    throw new FlotillaError('NotFound', `cp: there is no "${here}" here`);
  });
  const isInside = there.endsWith('/') || (await isRemoteDirectory(container, there));
  const full = isInside ? posix.join(there, basename(here)) : there;
  const command = ['tar', '-xf', '-', '-C', posix.dirname(full)];
  const session = await container.client.podExec(container.ref, { command, stdin: true });
  session.stdout.resume();
  const words = text(session.stderr);
  // Not before: what a process that has ended leaves unread is thrown away.
  const packing = spawn(
    'tar',
    ['-cf', '-', ...renamed(basename(here), posix.basename(full)), '-C', dirname(here), '--', basename(here)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const packed = once(packing, 'close');
  // The other side may end before it has read all.
  await Promise.race([pipeline(packing.stdout, session.stdin), session.exitCode]).catch(() => {});
  failUnlessWell(await session.exitCode, await words, `${container.ref.name}:${there}`);
  packing.stdout.destroy();
  failUnlessWell(Number((await packed)[0] ?? 0), '', here);
}

async function download(container: Container, there: string, here: string): Promise<void> {
  const isInside = here.endsWith('/') || ((await stat(here).catch(() => undefined))?.isDirectory() ?? false);
  const name = posix.basename(there);
  const full = isInside ? join(here, name) : here;
  const command = ['tar', '-cf', '-', '-C', posix.dirname(there), '--', name];
  const session = await container.client.podExec(container.ref, { command });
  const words = text(session.stderr);
  const unpacking = spawn('tar', ['-xf', '-', ...renamed(name, basename(full)), '-C', dirname(full)], {
    stdio: ['pipe', 'inherit', 'pipe'],
  });
  const said = text(unpacking.stderr);
  const unpacked = once(unpacking, 'close');
  await pipeline(session.stdout, unpacking.stdin).catch(() => {});
  failUnlessWell(await session.exitCode, await words, `${container.ref.name}:${there}`);
  failUnlessWell(Number((await unpacked)[0] ?? 1), await said, here);
}

async function isRemoteDirectory({ client, ref }: Container, path: string): Promise<boolean> {
  const session = await client.podExec(ref, { command: ['test', '-d', path] });
  session.stdout.resume();
  session.stderr.resume();
  return (await session.exitCode) === 0;
}

/** Members of the archive under another name; targets of links stay as they are. */
export function renamed(from: string, to: string): readonly string[] {
  if (from === to) return [];
  const pattern = from.replace(/[\\^$.*[\]|]/g, '\\$&');
  return [`--transform=s|^${pattern}|${to.replace(/[\\&|]/g, '\\$&')}|SH`];
}

function failUnlessWell(code: number, words: string, what: string): void {
  if (code === 0) return;
  if (code === 126 || code === 127) {
    throw new FlotillaError('Unavailable', `cp: there is no tar in the container of ${what}`, {
      hint: 'cp needs `tar` in the image; `flotilla exec -i … -- sh -c "cat > FILE"` may do instead',
    });
  }
  throw new FlotillaError('Unavailable', `cp: ${what}: ${words.trim() || `tar ended with ${code}`}`);
}
