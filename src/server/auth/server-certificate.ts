import { createPublicKey, X509Certificate } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { readIfThere } from '../../lib/files.ts';
import type { Logger } from '../../lib/log.ts';
import { newKeyPem } from '../../lib/x509/new-key.ts';
import { serverTlsName } from '../../tunnel/server-identity.ts';
import type { Identity } from './identity.ts';
import { writePrivateFile } from './private-file.ts';

export interface ServerCertificateOptions {
  readonly identity: Identity;
  /** Where `server.key` and `server.crt` are kept. */
  readonly directory: string;
  readonly serverId: string;
  /** Names and addresses besides the machine's own. */
  readonly hosts: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ServerCertificate {
  readonly key: string;
  readonly certificate: string;
}

/** What the Service object `kubernetes` is called in pods. */
const inClusterNames = ['', '.default', '.default.svc', '.default.svc.cluster.local'].map((end) => `kubernetes${end}`);
const checkEveryMs = 30_000;

/** The certificate kept, or a new one when it is missing, of another authority, past 2/3 of its life, or lacks a host. */
export async function loadServerCertificate(options: ServerCertificateOptions): Promise<ServerCertificate> {
  const { directory, identity, clock } = options;
  const hosts = wantedHosts(options.hosts);
  const key = await readIfThere(join(directory, 'server.key'));
  const kept = await readIfThere(join(directory, 'server.crt'));
  if (key && kept && isUsable(key, kept, identity, hosts, clock.wallMs())) return { key, certificate: kept };
  const newKey = key ?? newKeyPem();
  const certificate = identity.issueServerCertificate(options.serverId, createPublicKey(newKey), hosts, clock.wallMs());
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writePrivateFile(join(directory, 'server.key'), newKey);
  await writePrivateFile(join(directory, 'server.crt'), certificate);
  options.log.info('server certificate made', { hosts });
  return { key: newKey, certificate };
}

/** Looks every half minute; `use` is called with a new certificate when the old one ages or the addresses changed. */
export function startServerCertificateRenewal(
  options: ServerCertificateOptions,
  inUse: ServerCertificate,
  use: (certificate: ServerCertificate) => void,
): { stop(): void } {
  let last = inUse.certificate;
  let cancel = () => {};
  let isStopped = false;
  const look = async () => {
    try {
      const next = await loadServerCertificate(options);
      if (next.certificate !== last && !isStopped) {
        use(next);
        last = next.certificate;
      }
    } catch (error) {
      options.log.warn('cannot renew the server certificate, trying again', { error });
    }
    if (!isStopped) cancel = options.clock.after(checkEveryMs, () => void look());
  };
  cancel = options.clock.after(checkEveryMs, () => void look());
  return {
    stop: () => {
      isStopped = true;
      cancel();
    },
  };
}

function isUsable(key: string, pem: string, identity: Identity, hosts: readonly string[], wallMs: number): boolean {
  try {
    const certificate = new X509Certificate(pem);
    const from = certificate.validFromDate.getTime();
    const until = certificate.validToDate.getTime();
    if (wallMs < from || wallMs > from + ((until - from) * 2) / 3) return false;
    if (!certificate.verify(new X509Certificate(identity.caCertificate).publicKey)) return false;
    const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
    if (!certificate.publicKey.export({ type: 'spki', format: 'der' }).equals(publicKey)) return false;
    return hosts.every((host) => (isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host)) !== undefined);
  } catch {
    return false; // an unreadable certificate is replaced
  }
}

function wantedHosts(extra: readonly string[]): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  // Link-local IPv6 needs a zone to be dialled, and a certificate cannot name zones.
  const own = addresses.filter((one) => !one.address.startsWith('fe80')).map((one) => one.address);
  return [
    ...new Set([serverTlsName, ...inClusterNames, 'localhost', hostname(), '127.0.0.1', '::1', ...own, ...extra]),
  ].filter(isNameable);
}

function isNameable(host: string): boolean {
  return isIP(host) !== 0 || /^[A-Za-z0-9_*]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(host);
}
