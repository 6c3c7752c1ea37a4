import { createHash } from 'node:crypto';

/** Letters and digits that make no words and are not taken for one another. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** `length` characters that stand for `text`; for names. */
export function shortHash(text: string, length: number): string {
  const digest = createHash('sha256').update(text).digest();
  let out = '';
  for (let at = 0; at < length; at += 1) out += alphabet[(digest[at] ?? 0) % alphabet.length];
  return out;
}

/** `<base>-<5 characters>`: the n-th pod of its owner always has the same name, so that a repeated create finds the first. */
export function podName(base: string, ownerUid: string, ordinal: number): string {
  return `${base.slice(0, 247)}-${shortHash(`${ownerUid}/${ordinal}`, 5)}`;
}
