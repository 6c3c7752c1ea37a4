import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * A name that every server's certificate carries. Agents and kubeconfigs ask for it instead of the address they dialled,
 * so that a forwarded port or a new address needs no new certificate: any server of this authority is as good as another.
 */
export const serverTlsName = 'flotilla-server';

/** SHA-256 of a certificate (DER), lower-case hex, as join tokens carry it. */
export function certificateHash(derBytes: Uint8Array): string {
  return createHash('sha256').update(derBytes).digest('hex');
}

export function isSameText(left: string, right: string): boolean {
  const a = Buffer.from(left);
  const b = Buffer.from(right);
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
