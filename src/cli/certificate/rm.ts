import type { Command } from 'commander';
import { isApiError } from '../../client/api-error.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { secretNameOf } from '../../resources/certificates.ts';
import { certificates, ingresses, secrets } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { findCertificate, titleOf } from './find-certificate.ts';
import { usersOf } from './users-of.ts';

export async function rm(
  names: readonly string[],
  flags: { readonly force?: boolean },
  command: Command,
): Promise<void> {
  await withSession(command, async ({ client }) => {
    const all = (await client.list(ingresses)).items;
    const chosen = await Promise.all(names.map((name) => findCertificate(client, name)));
    for (const certificate of flags.force ? [] : chosen) {
      const users = usersOf(certificate, all);
      if (users.length === 0) continue;
      const isAutomatic = certificate.metadata.labels?.[labels.automaticCertificate] === 'true';
      throw new FlotillaError(
        'Conflict',
        `certificate ${titleOf(certificate)} is used by Ingress ${users.join(', ')}`,
        {
          hint: isAutomatic
            ? 'it was made for it and goes with it; its option tls says who signs'
            : 'remove the host there first, or say --force',
        },
      );
    }
    for (const certificate of chosen) {
      const { namespace, name } = certificate.metadata;
      await client.delete(certificates, { namespace, name });
      // The controller's own Secrets go with what they were made for.
      if (certificate.spec.issuer === 'imported') {
        await client.delete(secrets, { namespace, name: secretNameOf(certificate) }).catch((error: unknown) => {
          if (!isApiError(error, 'NotFound')) throw error;
        });
      }
      print(`certificate ${namespace}/${name} removed`);
    }
  });
}
