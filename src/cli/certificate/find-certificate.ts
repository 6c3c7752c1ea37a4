import type { Client } from '../../client/client.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { type Certificate, certificates } from '../../resources/kinds.ts';

/** `web`, or `namespace/web` where several namespaces have one. Throws NotFound, BadUsage. */
export async function findCertificate(client: Client, target: string): Promise<Certificate> {
  const [namespace, name] = target.includes('/') ? target.split('/', 2) : [undefined, target];
  const found = (await client.list(certificates)).items.filter(
    ({ metadata }) => metadata.name === name && (namespace === undefined || metadata.namespace === namespace),
  );
  const [certificate] = found;
  if (!certificate) {
    throw new FlotillaError('NotFound', `there is no certificate "${target}"`, { hint: 'flotilla certificate ls' });
  }
  if (found.length === 1) return certificate;
  throw new FlotillaError('BadUsage', `several namespaces have a certificate "${target}"`, {
    hint: `say which: ${found.map((one) => `${one.metadata.namespace}/${name}`).join(', ')}`,
  });
}

export function titleOf({ metadata }: Certificate): string {
  return `${metadata.namespace}/${metadata.name}`;
}
