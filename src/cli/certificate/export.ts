import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { isApiError } from '../../client/api-error.ts';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import { secretNameOf } from '../../resources/certificates.ts';
import { secrets } from '../../resources/kinds.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { findCertificate, titleOf } from './find-certificate.ts';

export interface ExportFlags {
  readonly directory: string;
  readonly force?: boolean;
}

export async function exportCertificate(name: string, flags: ExportFlags, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const certificate = await findCertificate(client, name);
    const { namespace } = certificate.metadata;
    const ref = { namespace, name: secretNameOf(certificate) };
    const secret = await client.get(secrets, ref).catch((error: unknown) => {
      if (!isApiError(error, 'NotFound')) throw error;
      throw new FlotillaError(
        'NotFound',
        `certificate ${titleOf(certificate)} has nothing yet: Secret ${ref.name} is missing`,
        {
          hint: `flotilla certificate show ${titleOf(certificate)}`,
          cause: error,
        },
      );
    });
    await mkdir(flags.directory, { recursive: true });
    for (const [end, key] of [
      ['crt', 'tls.crt'],
      ['key', 'tls.key'],
    ] as const) {
      const path = join(flags.directory, `${certificate.metadata.name}.${end}`);
      await writePrivately(path, Buffer.from(secret.data?.[key] ?? '', 'base64'), flags.force === true);
      print(path);
    }
  });
}

/** Mode 0600 from its first moment on. */
async function writePrivately(path: string, bytes: Uint8Array, mayOverwrite: boolean): Promise<void> {
  try {
    const file = await open(path, mayOverwrite ? 'w' : 'wx', 0o600);
    try {
      await file.chmod(0o600); // one that was there keeps its mode otherwise
      await file.writeFile(bytes);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new FlotillaError('BadFile', `cannot write ${path}: ${messageOf(cause)}`, {
      ...(mayOverwrite ? {} : { hint: '--force overwrites what is there' }),
      cause,
    });
  }
}
