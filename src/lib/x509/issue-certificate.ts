import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  der,
  derBitString,
  derInteger,
  derName,
  derObjectId,
  derSequence,
  derTagged,
  derTags,
  derTime,
  ecdsaWithSha256,
  toPem,
} from './der.ts';
import { extension, subjectAltName } from './extensions.ts';

/** A name of certificates, `[['O', 'system:nodes'], …]`, in the order written. */
export type CertificateSubject = readonly (readonly ['O' | 'OU' | 'CN', string])[];

export interface CertificateSpec {
  readonly subject: CertificateSubject;
  readonly publicKey: KeyObject;
  readonly role: 'authority' | 'server' | 'client';
  /** Names and addresses that a server answers for. */
  readonly hosts?: readonly string[];
  /** Of an authority: it signs for these domains and what is below them, and for no address (RFC 5280 §4.2.1.10). */
  readonly permittedDomains?: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface Issuer {
  readonly subject: CertificateSubject;
  /** P-256 private key, PEM. */
  readonly keyPem: string;
}

/** An X.509 v3 certificate (RFC 5280), PEM. An authority signs itself by being its own issuer. */
export function issueCertificate(spec: CertificateSpec, issuer: Issuer): string {
  const issuerKey = createPrivateKey(issuer.keyPem);
  const serial = randomBytes(16);
  serial.writeUInt8((serial.readUInt8(0) & 0x7f) | 0x40, 0); // positive, and always 16 bytes long
  const body = derSequence(
    derTagged(0, derInteger(Buffer.from([2]))),
    derInteger(serial),
    ecdsaWithSha256,
    derName(issuer.subject),
    derSequence(derTime(spec.notBeforeMs), derTime(spec.notAfterMs)),
    derName(spec.subject),
    spec.publicKey.export({ type: 'spki', format: 'der' }),
    derTagged(3, derSequence(...extensions(spec, createPublicKey(issuerKey)))),
  );
  const signature = sign('sha256', body, issuerKey);
  return toPem('CERTIFICATE', derSequence(body, ecdsaWithSha256, derBitString(signature)));
}

function extensions(spec: CertificateSpec, issuerKey: KeyObject): Buffer[] {
  const isAuthority = spec.role === 'authority';
  const list = [
    extension('2.5.29.19', true, derSequence(...(isAuthority ? [der(derTags.boolean, Buffer.from([0xff]))] : []))),
    // keyCertSign and cRLSign (bits 5, 6), or digitalSignature (bit 0)
    extension(
      '2.5.29.15',
      true,
      isAuthority ? derBitString(Buffer.from([0x06]), 1) : derBitString(Buffer.from([0x80]), 7),
    ),
    extension('2.5.29.14', false, der(derTags.octetString, keyIdentifier(spec.publicKey))),
    extension('2.5.29.35', false, derSequence(der(0x80, keyIdentifier(issuerKey)))),
  ];
  // Says which end of a TLS connection it may be: no node can pass for a server.
  if (spec.role === 'server') list.push(extension('2.5.29.37', false, derSequence(derObjectId('1.3.6.1.5.5.7.3.1'))));
  if (spec.role === 'client') list.push(extension('2.5.29.37', false, derSequence(derObjectId('1.3.6.1.5.5.7.3.2'))));
  if (spec.hosts) list.push(subjectAltName(spec.hosts));
  if (spec.permittedDomains) list.push(nameConstraints(spec.permittedDomains));
  return list;
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20);
}

function nameConstraints(domains: readonly string[]): Buffer {
  const permitted = domains.map((domain) => derSequence(der(0x82, Buffer.from(domain, 'ascii'))));
  // Every IPv4 and every IPv6 address: an address and its mask, both of zeros.
  const excluded = [8, 32].map((length) => derSequence(der(0x87, Buffer.alloc(length))));
  return extension('2.5.29.30', true, derSequence(derTagged(0, ...permitted), derTagged(1, ...excluded)));
}
