import { join } from 'node:path';
import type { Client } from '../../client/client.ts';
import { readIfThere } from '../../lib/files.ts';
import { isApiError } from '../../resources/api-error.ts';
import { type Token, tokens } from '../../resources/kinds.ts';
import { defaultGrid } from '../../resources/names.ts';
import { createPrivateFile, writePrivateFile } from './private-file.ts';
import { ownerTokenPrefix } from './tokens.ts';

export interface OwnerTokenOptions {
  /** Of the grid `system`. */
  readonly client: Client;
  readonly serverId: string;
  readonly dataDirectory: string;
  /** Where kubectl on this machine reaches this server. */
  readonly url: string;
  readonly caCertificate: string;
}

/**
 * The token of the server's owner, in `<data>/admin.token` and `<data>/admin.kubeconfig`: made at first start, never
 * again. Revoke it by deleting the Token object; to get a new one then, delete the file and restart.
 */
export async function ensureOwnerToken(options: OwnerTokenOptions): Promise<string> {
  const file = join(options.dataDirectory, 'admin.token');
  const kept = (await readIfThere(file))?.trim();
  const text = kept || (await createPrivateFile(file, `${await makeToken(options)}\n`)).trim();
  await writeKubeconfig(options, text);
  return text;
}

async function makeToken({ client, serverId }: OwnerTokenOptions): Promise<string> {
  const name = `${ownerTokenPrefix}${serverId}`;
  const spec = { type: 'admin', description: 'The owner of the server, made at its first start' } as const;
  const token: Token = { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Token', metadata: { name }, spec };
  try {
    // Left over when the server died before it had written the file, or when somebody deleted that.
    await client.delete(tokens, { name });
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
  }
  const created = await client.create(tokens, token);
  const text = created.status?.token;
  if (text === undefined) throw new Error('the registry answered a new Token without its text');
  return text;
}

async function writeKubeconfig(options: OwnerTokenOptions, token: string): Promise<void> {
  const file = join(options.dataDirectory, 'admin.kubeconfig');
  const { url, caCertificate } = options;
  const kept = await readIfThere(file);
  if (kept?.includes(`${url}/`) && kept.includes(token)) return;
  const { kubeconfigOf, renderKubeconfig } = await import('../../client/kubeconfig.ts');
  const context = { name: 'local', servers: [url], caCertificate, token, grid: defaultGrid };
  await writePrivateFile(file, renderKubeconfig(kubeconfigOf(context)));
}
