import type { Command } from 'commander';
import { isApiError } from '../../client/api-error.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { authorityConfigMap, systemNamespace } from '../../resources/certificates.ts';
import { configMaps } from '../../resources/kinds.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';

export async function ca(command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    try {
      const { data } = await client.get(configMaps, { namespace: systemNamespace, name: authorityConfigMap });
      print((data?.['ca.crt'] ?? '').trimEnd());
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      throw new FlotillaError('NotFound', 'the grid has no authority of its own yet', {
        hint: 'it is made with the first certificate: flotilla certificate request --issuer internal HOST',
        cause: error,
      });
    }
  });
}
