import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { isApiError } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import { acmeAccountSecret, acmeAccountType, systemNamespace } from '../../resources/certificates.ts';
import { grids, type Secret, secrets } from '../../resources/kinds.ts';
import { annotations, systemGrid } from '../../resources/names.ts';
import { parseDurationMs } from '../durations.ts';
import { print } from '../output.ts';
import { createProgress } from '../progress.ts';
import { withSession } from '../session.ts';

export interface RegisterFlags {
  readonly directory: string;
  readonly caFile?: string;
  readonly eabKeyId?: string;
  readonly eabHmacKeyFile?: string;
  readonly timeout: string;
}

const askEveryMs = 250;

export async function register(email: string, flags: RegisterFlags, command: Command): Promise<void> {
  const timeoutMs = parseDurationMs(flags.timeout, '--timeout');
  if ((flags.eabKeyId === undefined) !== (flags.eabHmacKeyFile === undefined)) {
    throw new FlotillaError('BadUsage', '--eab-key-id and --eab-hmac-key-file belong together');
  }
  const caCertificate = flags.caFile === undefined ? null : await read(flags.caFile);
  const hmacKey = flags.eabHmacKeyFile === undefined ? undefined : (await read(flags.eabHmacKeyFile)).trim();
  await withSession(command, async ({ client }) => {
    if (flags.eabKeyId !== undefined && hmacKey !== undefined) await keepBinding(client, flags.eabKeyId, hmacKey);
    const acme = { directoryURL: flags.directory, email, caCertificate };
    const body = { spec: { ingress: { acme } } };
    const before = await accountSecret(client);
    await client.forGrid(systemGrid).patch(grids, { name: client.grid }, { type: 'merge', body });
    const account = await waitForAccount(client, flags.directory, before, timeoutMs);
    print(`registered ${email} with ${flags.directory}: ${account}`);
  });
}

/** What an account elsewhere needs is a secret: it stays beside the account's key. */
async function keepBinding(client: Client, keyId: string, hmacKey: string): Promise<void> {
  const base64 = (text: string) => Buffer.from(text, 'utf8').toString('base64');
  const data = { 'eab-key-id': base64(keyId), 'eab-hmac-key': base64(hmacKey) };
  const ref = { namespace: systemNamespace, name: acmeAccountSecret };
  const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata: ref, type: acmeAccountType, data };
  try {
    await client.create(secrets, secret);
  } catch (error) {
    if (!isApiError(error, 'AlreadyExists')) throw error;
    await client.patch(secrets, ref, { type: 'merge', body: { data } });
  }
}

/** The leader asks the server and writes the answer beside the account's key. Throws AcmeFailed with the server's words. */
async function waitForAccount(
  client: Client,
  directory: string,
  before: Secret | undefined,
  timeoutMs: number,
): Promise<string> {
  const progress = createProgress();
  const endMs = performance.now() + timeoutMs;
  try {
    for (;;) {
      const secret = await accountSecret(client);
      const said = secret?.metadata.annotations ?? {};
      const isOfThis = said[annotations.acmeDirectory] === directory;
      const account = said[annotations.acmeAccount];
      if (isOfThis && account !== undefined) return account;
      const problem = said[annotations.acmeProblem];
      const isNew = secret?.metadata.resourceVersion !== before?.metadata.resourceVersion;
      if (isOfThis && problem !== undefined && isNew) {
        throw new FlotillaError('AcmeFailed', problem, {
          hint: 'the grid keeps trying; register again to change what is wrong',
        });
      }
      if (performance.now() > endMs) {
        throw new FlotillaError(
          'DeadlineExceeded',
          `no answer from ${directory} after ${Math.round(timeoutMs / 1_000)} s`,
          {
            hint: 'the grid keeps trying: run the command again to see',
          },
        );
      }
      progress.show(`waits for ${directory}`);
      await delay(askEveryMs);
    }
  } finally {
    progress.end();
  }
}

async function accountSecret(client: Client): Promise<Secret | undefined> {
  try {
    return await client.get(secrets, { namespace: systemNamespace, name: acmeAccountSecret });
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new FlotillaError('BadFile', `cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}
