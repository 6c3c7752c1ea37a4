import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import {
  der,
  derBitString,
  derInteger,
  derName,
  derObjectId,
  derSequence,
  derTagged,
  derTags,
  ecdsaWithSha256,
} from './der.ts';
import { subjectAltName } from './extensions.ts';

/** A PKCS #10 request (RFC 2986), DER, of a P-256 private key, PEM. No common name: hosts may be longer than one can be. */
export function makeHostRequest(keyPem: string, hosts: readonly string[]): Buffer {
  const key = createPrivateKey(keyPem);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const wanted = derSequence(
    derObjectId('1.2.840.113549.1.9.14'), // extensionRequest
    der(derTags.set, derSequence(subjectAltName(hosts))),
  );
  const info = derSequence(derInteger(Buffer.from([0])), derName([]), publicKey, derTagged(0, wanted));
  return derSequence(info, ecdsaWithSha256, derBitString(sign('sha256', info, key)));
}
