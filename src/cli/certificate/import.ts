import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { isApiError } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import { type CertificateFacts, inspectTls } from '../../lib/x509/inspect-certificate.ts';
import { hostProblems } from '../../resources/kinds/certificate.ts';
import { type Certificate, certificates, type Secret, secrets } from '../../resources/kinds.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';

export interface ImportFlags {
  readonly cert: string;
  readonly key: string;
  readonly chain?: string;
  readonly namespace: string;
}

/** What the files have, once they were found good. */
export interface ImportedTls {
  readonly chain: string;
  readonly key: string;
  readonly hosts: readonly string[];
  readonly facts: CertificateFacts;
}

export async function importCertificate(name: string, flags: ImportFlags, command: Command): Promise<void> {
  const read = async (path: string) => {
    try {
      return await readFile(path, 'utf8');
    } catch (cause) {
      throw new FlotillaError('BadFile', `cannot read ${path}: ${messageOf(cause)}`, { cause });
    }
  };
  const chain = flags.chain === undefined ? '' : await read(flags.chain);
  const imported = checkImport([await read(flags.cert), chain], await read(flags.key), Date.now());
  await withSession(command, async ({ client }) => {
    const { namespace } = flags;
    const old = await getOrNothing(client, { namespace, name });
    if (old && old.spec.issuer !== 'imported') {
      throw new FlotillaError(
        'Conflict',
        `certificate ${namespace}/${name} is renewed by itself (issuer ${old.spec.issuer})`,
        {
          hint: `choose another name, or flotilla certificate rm ${namespace}/${name} first`,
        },
      );
    }
    await writeSecret(client, { namespace, name }, imported);
    const spec = { hosts: [...imported.hosts], issuer: 'imported' as const };
    if (old) await client.patch(certificates, { namespace, name }, { type: 'merge', body: { spec } });
    else {
      const metadata = { name, namespace };
      await client.create(certificates, { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Certificate', metadata, spec });
    }
    const until = new Date(imported.facts.notAfterMs).toISOString().slice(0, 10);
    print(`certificate ${namespace}/${name} imported for ${imported.hosts.join(', ')}, holds until ${until}`);
  });
}

/** Key, chain, order, hosts and end. Throws BadFile with what is wrong. */
export function checkImport(texts: readonly string[], key: string, nowMs: number): ImportedTls {
  const chain = texts
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .join('\n');
  const { facts, problem } = inspectTls(chain, key);
  const refuse = (why: string, hint: string) => new FlotillaError('BadFile', `cannot import: ${why}`, { hint });
  if (problem !== undefined || !facts) {
    throw refuse(
      problem ?? 'no certificate',
      'give the certificate, then what leads to its root, and the key of the first one',
    );
  }
  const end = new Date(facts.notAfterMs).toISOString();
  if (facts.notAfterMs <= nowMs) throw refuse(`the certificate ended at ${end}`, 'ask its issuer for a new one');
  const hosts = facts.names.filter((host) => hostProblems(host).length === 0);
  if (hosts.length === 0) {
    throw refuse(`it is for ${facts.names.join(', ')} only`, 'a certificate of an ingress is for names of hosts');
  }
  return { chain: `${chain}\n`, key: `${key.trim()}\n`, hosts, facts };
}

async function writeSecret(
  client: Client,
  ref: { namespace: string; name: string },
  { chain, key }: ImportedTls,
): Promise<void> {
  const base64 = (text: string) => Buffer.from(text, 'utf8').toString('base64');
  const data = { 'tls.crt': base64(chain), 'tls.key': base64(key) };
  const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata: ref, type: 'kubernetes.io/tls', data };
  try {
    await client.create(secrets, secret);
  } catch (error) {
    if (!isApiError(error, 'AlreadyExists')) throw error;
    await client.patch(secrets, ref, { type: 'merge', body: { type: 'kubernetes.io/tls', data } });
  }
}

async function getOrNothing(
  client: Client,
  ref: { namespace: string; name: string },
): Promise<Certificate | undefined> {
  try {
    return await client.get(certificates, ref);
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
}
