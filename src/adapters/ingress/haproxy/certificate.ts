import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { messageOf } from '../../../lib/errors.ts';
import type { IngressCertificate } from '../port.ts';
import { Refused } from './quote.ts';

export interface CertificateFile {
  /** `../certs/<hash>.pem`: what is in it never changes, so that its name says what a worker shows. */
  readonly file: string;
  /** Leaf, chain and key; no blank lines: one ends what is sent with a command. */
  readonly pem: string;
  /** Lower case. */
  readonly hosts: readonly string[];
}

const known = new WeakMap<IngressCertificate, CertificateFile | Refused>();

/** Throws Refused when TLS cannot be spoken with it. An expired one is taken: that is seen by clients, and better than none. */
export function certificateFile(certificate: IngressCertificate): CertificateFile {
  let made = known.get(certificate);
  if (!made) {
    try {
      made = makeFile(certificate);
    } catch (error) {
      made = error instanceof Refused ? error : new Refused(messageOf(error));
    }
    known.set(certificate, made);
  }
  if (made instanceof Refused) throw made;
  return made;
}

function makeFile({ chain, key, hosts }: IngressCertificate): CertificateFile {
  const blocks = chain.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  const parsed = blocks.map((block) => parse('the certificate', () => new X509Certificate(block)));
  const leaf = parsed[0];
  if (!leaf) throw new Refused('it has no certificate in PEM form');
  const privateKey = parse('the private key', () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey)) throw new Refused('the private key belongs to another certificate');
  const parts = [...parsed.map(String), privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()];
  const pem = parts.map((part) => `${part.trim()}\n`).join('');
  const shown = (hosts.length > 0 ? hosts : namesOf(leaf)).map((host) => host.toLowerCase());
  const names = [...new Set(shown)].filter((host) => /^(\*\.)?[\w.-]+$/.test(host));
  return { file: pemName(pem, names), pem, hosts: names };
}

function pemName(pem: string, hosts: readonly string[]): string {
  const hash = createHash('sha256').update(pem).update(hosts.join(' ')).digest('hex');
  return `../certs/${hash.slice(0, 24)}.pem`;
}

function parse<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new Refused(`${what} cannot be read: ${messageOf(error)}`);
  }
}

/** For which it was made: its DNS names, or where it has none its common name. */
function namesOf({ subjectAltName, subject }: X509Certificate): readonly string[] {
  const names = [...(subjectAltName ?? '').matchAll(/(?:^|, )DNS:([^,"]+)/g)].map(([, name = '']) => name);
  const [, common] = /^CN=(.+)$/m.exec(subject) ?? [];
  return names.length > 0 || common === undefined ? names : [common];
}
