import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import {
  derBitString,
  derInteger,
  derName,
  derSequence,
  derTagged,
  derTags,
  ecdsaWithSha256,
  fromPem,
  readDer,
  toPem,
} from '../lib/x509/der.ts';

const requestLabel = 'CERTIFICATE REQUEST';

/** A PKCS #10 request (RFC 2986), PEM, signed by the key whose certificate is wanted: a P-256 private key, PEM. */
export function makeCertificateRequest(keyPem: string, nodeName: string): string {
  const key = createPrivateKey(keyPem);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const info = derSequence(derInteger(Buffer.from([0])), derName([['CN', nodeName]]), publicKey, derTagged(0));
  const signature = sign('sha256', info, key);
  return toPem(requestLabel, derSequence(info, ecdsaWithSha256, derBitString(signature)));
}

/**
 * The public key that a request proves to hold; subject and attributes are of no interest. Throws Invalid unless it is a
 * well-formed request of a P-256 key with a right signature.
 */
export function parseCertificateRequest(pem: string): KeyObject {
  const bytes = pem.length > 16_384 ? undefined : fromPem(requestLabel, pem);
  if (!bytes) throw new FlotillaError('Invalid', 'csr: not a PEM certificate request of at most 16 KiB');
  let key: KeyObject;
  try {
    const [request, ...more] = readDer(bytes);
    if (request?.tag !== derTags.sequence || more.length > 0) throw new Error('not one sequence');
    const [info, algorithm, signature] = readDer(request.content);
    const [, , publicKey] = readDer(info?.content ?? Buffer.alloc(0));
    if (!info || !algorithm?.whole.equals(ecdsaWithSha256)) throw new Error('not signed with ECDSA and SHA-256');
    if (publicKey?.tag !== derTags.sequence) throw new Error('no public key');
    if (signature?.tag !== derTags.bitString || signature.content[0] !== 0) throw new Error('no signature');
    key = createPublicKey({ key: publicKey.whole, type: 'spki', format: 'der' });
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('not a P-256 key');
    if (!verify('sha256', info.whole, key, signature.content.subarray(1))) throw new Error('wrong signature');
  } catch (cause) {
    throw new FlotillaError('Invalid', `csr: ${messageOf(cause)}`, { cause });
  }
  return key;
}
