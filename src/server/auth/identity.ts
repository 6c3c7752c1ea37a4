import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError } from '../../lib/errors.ts';
import { readIfThere } from '../../lib/files.ts';
import { type CertificateSubject, issueCertificate } from '../../lib/x509/issue-certificate.ts';
import { newKeyPem } from '../../lib/x509/new-key.ts';
import { nodesGroup, nodeUserPrefix } from '../../resources/names.ts';
import { certificateHash } from '../../tunnel/server-identity.ts';
import { createPrivateFile } from './private-file.ts';

/** What makes servers one cluster; every server of it has a copy of the directory. */
export interface Identity {
  /** PEM. */
  readonly caCertificate: string;
  /** SHA-256 of the authority's certificate (DER), lower-case hex: part of join tokens. */
  readonly caHash: string;
  /** 32 bytes: the key of everything that is encrypted at rest. */
  readonly secretsKey: Uint8Array;
  /** PKCS #8 PEM, P-256: signs the tokens of service accounts. */
  readonly serviceAccountKey: string;
  /** A server's certificate, PEM, for the names and addresses given. */
  issueServerCertificate(serverId: string, publicKey: KeyObject, hosts: readonly string[], wallMs: number): string;
  /** A node's certificate, PEM: `O=system:nodes, OU=<grid>, CN=system:node:<name>`. */
  issueNodeCertificate(grid: string, nodeName: string, publicKey: KeyObject, wallMs: number): string;
}

const dayMs = 86_400_000;
const caLifetimeMs = 3_650 * dayMs;
const serverLifetimeMs = 365 * dayMs;
export const nodeLifetimeMs = 90 * dayMs;
/** Certificates hold from a while ago: hosts' clocks differ, by whole hours where somebody mistook the zone. */
const backdatedMs = dayMs;

/**
 * Reads `ca.key`, `ca.crt`, `secrets.key` and `service-account.key`, making what is missing. Servers that start at once on one directory agree:
 * each file is made once. Throws Invalid when files do not belong together.
 */
export async function openIdentity(directory: string, wallMs: number): Promise<Identity> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const caKey = await once(join(directory, 'ca.key'), newKeyPem);
  const caCertificate = await once(join(directory, 'ca.crt'), () => selfSigned(caKey, wallMs));
  const secrets = await once(join(directory, 'secrets.key'), () => `${randomBytes(32).toString('base64')}\n`);
  const serviceAccountKey = await once(join(directory, 'service-account.key'), newKeyPem);
  if (!isSigningKey(serviceAccountKey)) throw broken(directory, 'service-account.key', 'it is no P-256 private key');
  const secretsKey = Buffer.from(secrets, 'base64');
  if (secretsKey.byteLength !== 32) throw broken(directory, 'secrets.key', 'it does not hold 32 bytes in base64');
  const certificate = readCertificate(directory, caCertificate);
  const publicKey = createPublicKey(caKey).export({ type: 'spki', format: 'der' });
  if (!certificate.publicKey.export({ type: 'spki', format: 'der' }).equals(publicKey)) {
    throw broken(directory, 'ca.crt', 'it belongs to another ca.key');
  }
  const issuer = { subject: authorityName(certificate), keyPem: caKey };
  const issue = (
    subject: CertificateSubject,
    publicKey: KeyObject,
    role: 'server' | 'client',
    fromMs: number,
    forMs: number,
    hosts?: readonly string[],
  ) =>
    issueCertificate(
      {
        subject,
        publicKey,
        role,
        ...(hosts ? { hosts } : {}),
        notBeforeMs: fromMs - backdatedMs,
        notAfterMs: Math.min(fromMs + forMs, certificate.validToDate.getTime()),
      },
      issuer,
    );
  return {
    caCertificate,
    caHash: certificateHash(certificate.raw),
    secretsKey,
    serviceAccountKey,
    issueServerCertificate: (serverId, publicKey, hosts, wallMs) =>
      issue(
        [
          ['O', 'system:servers'],
          ['CN', `system:server:${serverId}`],
        ],
        publicKey,
        'server',
        wallMs,
        serverLifetimeMs,
        hosts,
      ),
    issueNodeCertificate: (grid, nodeName, publicKey, wallMs) =>
      issue(
        [
          ['O', nodesGroup],
          ['OU', grid],
          ['CN', `${nodeUserPrefix}${nodeName}`],
        ],
        publicKey,
        'client',
        wallMs,
        nodeLifetimeMs,
      ),
  };
}

function isSigningKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyDetails?.namedCurve === 'prime256v1';
  } catch {
    return false;
  }
}

function selfSigned(keyPem: string, wallMs: number): string {
  const subject: CertificateSubject = [
    ['O', 'Flotilla'],
    ['CN', `flotilla-ca-${randomBytes(4).toString('hex')}`],
  ];
  const publicKey = createPublicKey(keyPem);
  const validity = { notBeforeMs: wallMs - backdatedMs, notAfterMs: wallMs + caLifetimeMs };
  return issueCertificate({ subject, publicKey, role: 'authority', ...validity }, { subject, keyPem });
}

async function once(path: string, make: () => string): Promise<string> {
  return (await readIfThere(path)) ?? (await createPrivateFile(path, make()));
}

function readCertificate(directory: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw broken(directory, 'ca.crt', 'it is not a certificate', cause);
  }
}

function authorityName(certificate: X509Certificate): CertificateSubject {
  return certificate.subject.split('\n').map((line) => {
    const [attribute, value] = line.split(/=(.*)/s) as ['O' | 'OU' | 'CN', string];
    return [attribute, value] as const;
  });
}

function broken(directory: string, file: string, why: string, cause?: unknown): FlotillaError {
  return new FlotillaError('Invalid', `cannot use ${join(directory, file)}: ${why}`, {
    hint: 'Copy the whole identity directory from another server of this cluster, or from a backup',
    cause,
  });
}
