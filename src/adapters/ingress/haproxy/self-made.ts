import { createPublicKey } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { issueCertificate } from '../../../lib/x509/issue-certificate.ts';
import { newKeyPem } from '../../../lib/x509/new-key.ts';

const dayMs = 86_400_000;
const lifetimeMs = 3_650 * dayMs;

/** What a client is shown that names no host we know, where nobody gave a certificate for that: made once, certificate and key. */
export async function selfMadeCertificate(directory: string, wallMs: number): Promise<string> {
  const path = join(directory, 'self-made.pem');
  const found = await readFile(path, 'utf8').catch(() => '');
  if (found.includes('PRIVATE KEY')) return found;
  const keyPem = newKeyPem();
  const subject = [['CN', 'no host of this name here']] as const;
  const certificate = issueCertificate(
    {
      subject,
      publicKey: createPublicKey(keyPem),
      role: 'server',
      hosts: ['invalid'],
      notBeforeMs: wallMs - dayMs,
      notAfterMs: wallMs + lifetimeMs,
    },
    { subject, keyPem },
  );
  const pem = [certificate, keyPem].map((part) => `${part.trim()}\n`).join('');
  await writeFile(`${path}.next`, pem, { mode: 0o600 });
  await rename(`${path}.next`, path);
  return pem;
}
