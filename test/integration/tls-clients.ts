import { createPublicKey } from 'node:crypto';
import { connect } from 'node:tls';
import { issueCertificate } from '../../src/lib/x509/issue-certificate.ts';
import { newKeyPem } from '../../src/lib/x509/new-key.ts';

/** PEM */
export interface SelfSigned {
  readonly chain: string;
  readonly key: string;
}

const hourMs = 3_600_000;

/** Signed by itself, for an hour; `endedMs`: its end was so long ago. */
export function selfSigned(hosts: readonly string[], endedMs = -hourMs): SelfSigned {
  const key = newKeyPem();
  const subject = [['CN', hosts[0] ?? '']] as const;
  const now = Date.now();
  const validity = { notBeforeMs: now - endedMs - 2 * hourMs, notAfterMs: now - endedMs };
  const spec = { subject, publicKey: createPublicKey(key), role: 'server', hosts, ...validity } as const;
  return { chain: issueCertificate(spec, { subject, keyPem: key }), key };
}

export interface Handshake {
  /** Common name of the certificate that is shown. */
  readonly subject: string;
  readonly protocol: string;
  readonly alpn: string;
}

export interface HandshakeOptions {
  readonly maxVersion?: 'TLSv1.1' | 'TLSv1.2';
  /** PEM; whom the client believes. Absent: everybody. */
  readonly believes?: string;
}

/** What is shown for a name on a port of the loopback, and what was agreed on; rejects as a client's library does. */
export function handshake(port: number, servername: string, options: HandshakeOptions = {}): Promise<Handshake> {
  const { believes, ...more } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ port, host: '127.0.0.1', servername, ALPNProtocols: ['h2', 'http/1.1'], minVersion: 'TLSv1' },
      ...(believes === undefined ? { rejectUnauthorized: false } : { ca: believes }),
      ...more,
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      const { subject } = socket.getPeerCertificate();
      resolve({
        subject: String(subject.CN),
        protocol: socket.getProtocol() ?? '',
        alpn: String(socket.alpnProtocol),
      });
      socket.destroy();
    });
  });
}
