import { createHash, createHmac, createPublicKey, type KeyObject, sign } from 'node:crypto';

/** How an ACME server knows whose request it is: RFC 8555 §6.2, RFC 7515. */
export interface SignedRequest {
  readonly protected: string;
  readonly payload: string;
  readonly signature: string;
}

/** Members in the order of RFC 7638, so that its text can be hashed. */
export interface PublicJwk {
  readonly crv: 'P-256';
  readonly kty: 'EC';
  readonly x: string;
  readonly y: string;
}

/** Of a P-256 private key. */
export function publicJwkOf(key: KeyObject): PublicJwk {
  const { x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' });
  return { crv: 'P-256', kty: 'EC', x, y };
}

/** RFC 7638. */
export function thumbprintOf(jwk: PublicJwk): string {
  return createHash('sha256').update(JSON.stringify(jwk)).digest('base64url');
}

/** `payload` undefined: POST-as-GET. */
export function signRequest(key: KeyObject, header: Record<string, unknown>, payload: unknown): SignedRequest {
  const parts = encoded({ alg: 'ES256', ...header }, payload);
  const input = `${parts.protected}.${parts.payload}`;
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
  return { ...parts, signature };
}

/** Says that the owner of an account elsewhere wants the account of this key: RFC 8555 §7.3.4. */
export function signBinding(
  jwk: PublicJwk,
  account: { readonly keyId: string; readonly hmacKey: string },
  url: string,
): SignedRequest {
  const parts = encoded({ alg: 'HS256', kid: account.keyId, url }, jwk);
  const signature = createHmac('sha256', Buffer.from(account.hmacKey, 'base64url'))
    .update(`${parts.protected}.${parts.payload}`)
    .digest('base64url');
  return { ...parts, signature };
}

function encoded(header: Record<string, unknown>, payload: unknown): { protected: string; payload: string } {
  const text = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return { protected: text(header), payload: payload === undefined ? '' : text(payload) };
}
