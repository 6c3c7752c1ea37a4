import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { type Context, contextsPath, saveContext } from '../../client/contexts.ts';
import { parseServer } from '../../client/dial.ts';
import { createHttpClient } from '../../client/http-client.ts';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import { nodes } from '../../resources/kinds.ts';
import { defaultGrid } from '../../resources/names.ts';
import { print } from '../output.ts';

export interface AddFlags {
  readonly server: readonly string[];
  readonly ca: string;
  readonly token?: string;
}

/** Asks the cluster once: a context that cannot work is not remembered. */
export async function add(name: string, flags: AddFlags, command: Command): Promise<void> {
  const token = (flags.token ?? process.env.FLOTILLA_TOKEN ?? '').trim();
  if (token === '')
    throw new FlotillaError('BadUsage', 'context add: no token', { hint: 'give --token or $FLOTILLA_TOKEN' });
  const servers = flags.server.map((server) => parseServer(server).origin);
  const { grid = defaultGrid } = command.optsWithGlobals<{ grid?: string }>();
  const context: Context = { name, servers, grid, caCertificate: readCa(flags.ca), token };
  const client = createHttpClient({ ...context, userAgent: 'flotilla (command line)' });
  try {
    await client.list(nodes);
  } finally {
    client.close();
  }
  saveContext(contextsPath(), context, { makeCurrent: true });
  print(`${name} is the current context`);
}

function readCa(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new FlotillaError('BadFile', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new FlotillaError('BadFile', `${path} holds no certificate (PEM)`);
}
