import { hash, randomBytes } from 'node:crypto';
import type { Token } from '../../resources/kinds.ts';
import { adminGroup, defaultGrid } from '../../resources/names.ts';
import { isSameText } from '../../tunnel/server-identity.ts';
import type { User } from '../request.ts';

/** Name of the token that a server makes for its owner at first start: `admin-<server id>`. */
export const ownerTokenPrefix = 'admin-';

/** A token's name and its secret, as its text says. */
export interface ParsedToken {
  readonly type: 'admin' | 'join';
  readonly id: string;
  readonly secret: string;
}

/** `fl1.<id>.<secret>` or `flj1.<id>.<secret>.<hash of the authority's certificate>`; undefined: neither. */
export function parseToken(text: string): ParsedToken | undefined {
  if (text.length > 512) return undefined;
  const found =
    /^fl1\.([a-z0-9.-]+)\.([A-Za-z0-9_-]{20,})$/.exec(text) ??
    /^flj1\.([a-z0-9.-]+)\.([A-Za-z0-9_-]{20,})\.[0-9a-f]{64}$/.exec(text);
  const [, id, secret] = found ?? [];
  if (id === undefined || secret === undefined) return undefined;
  return { type: text.startsWith('flj1.') ? 'join' : 'admin', id, secret };
}

/** What is stored of a new token, and what its maker is shown this one time. */
export interface MintedToken {
  readonly stored: Token;
  readonly answered: Token;
}

/** Gives a Token object its secret; its `metadata.name` is part of the text. The registry calls it at creation. */
export function mintToken(token: Token, caHash: string): MintedToken {
  const secret = randomBytes(24).toString('base64url');
  const { name } = token.metadata;
  const text = token.spec.type === 'join' ? `flj1.${name}.${secret}.${caHash}` : `fl1.${name}.${secret}`;
  const stored = { ...token, status: { secretHash: hashOf(secret) } };
  return { stored, answered: { ...stored, status: { token: text } } };
}

export type TokenCheck = { readonly user: User } | { readonly refused: string };

/** `stored` is the Token object of that name, if there is one; revoking is deleting it. */
export function checkToken(parsed: ParsedToken, stored: Token | undefined, wallMs: number): TokenCheck {
  const secretHash = stored?.status?.secretHash;
  const isRight = isSameText(hashOf(parsed.secret), secretHash ?? '0'.repeat(64));
  if (!stored || !isRight || stored.spec.type !== parsed.type || stored.metadata.deletionTimestamp) {
    return { refused: `token "${parsed.id}" is unknown or was revoked` };
  }
  const { expiresAt, grid } = stored.spec;
  if (expiresAt !== undefined && !(wallMs < Date.parse(expiresAt))) {
    return { refused: `token "${parsed.id}" expired at ${expiresAt}` };
  }
  return { user: userOf(parsed, grid) };
}

function userOf(parsed: ParsedToken, grid: string | undefined): User {
  if (parsed.type === 'join') {
    return { name: `system:join:${parsed.id}`, groups: ['system:authenticated'], grid: grid ?? defaultGrid };
  }
  const isOwner = parsed.id.startsWith(ownerTokenPrefix);
  return {
    name: isOwner ? 'flotilla:admin' : `flotilla:admin:${parsed.id}`,
    groups: [adminGroup, 'system:authenticated'],
    ...(grid === undefined ? {} : { grid }),
  };
}

function hashOf(secret: string): string {
  return hash('sha256', secret);
}
