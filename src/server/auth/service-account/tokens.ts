// Tokens of service accounts: JWTs, signed with a key that all servers of a cluster share. Nothing of them is stored: a
// token is good while it has not expired and the account, and the pod or Secret it was made for, are still the same ones.
import { createHash, createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { messageOf } from '../../../lib/errors.ts';
import type { Kind } from '../../../resources/kind.ts';
import { pods, secrets, serviceAccounts } from '../../../resources/kinds.ts';
import type { ApiObject } from '../../../resources/object.ts';
import type { User } from '../../request.ts';
import { serviceAccountGroups, serviceAccountUser } from './service-account-user.ts';
import { type AccountClaims, apiAudience, type BoundObject, parseClaims, renderClaims } from './token-claims.ts';

export interface ServiceAccountTokensOptions {
  /** PKCS #8, P-256. */
  readonly keyPem: string;
  /** From the cache. */
  readonly find: (grid: string, kind: Kind, namespace: string, name: string) => ApiObject | undefined;
  /** Resolves when the cache has seen all that was written before. */
  readonly refresh: () => Promise<void>;
  readonly wallMs: () => number;
}

export interface IssueOptions {
  readonly claims: AccountClaims;
  /** Empty: this API. */
  readonly audiences: readonly string[];
  /** Absent: it ends with what it names. */
  readonly lifetimeSeconds?: number;
}

export type AccountCheck =
  | { readonly user: User; readonly audiences: readonly string[] }
  | { readonly refused: string };

export interface ServiceAccountTokens {
  issue(options: IssueOptions): Promise<string>;
  /** `audiences`: one of them must be among the token's. */
  check(text: string, audiences: readonly string[]): Promise<AccountCheck>;
}

const algorithm = 'ES256';
const maxTokenChars = 8_192;
/** Signatures that were found right; what a token says is looked at each time. */
const maxVerified = 2_000;
/** A pod that has been told to go may still use its token for so long after its grace period. */
const deletionLeewayMs = 60_000;

/** Three parts of base64url: what a JWT looks like, and no token of ours. */
export function isJwt(text: string): boolean {
  return text.startsWith('eyJ') && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text);
}

export function createServiceAccountTokens(options: ServiceAccountTokensOptions): ServiceAccountTokens {
  const { wallMs, find, refresh } = options;
  const privateKey = createPrivateKey(options.keyPem);
  const publicKey = createPublicKey(privateKey);
  const keyId = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
  const verified = new Map<string, JWTPayload>();

  /** Only used by servers that serve pods: loaded when the first token comes. */
  const jose = () => import('jose');

  const payloadOf = async (text: string): Promise<JWTPayload> => {
    const known = verified.get(text);
    if (known) return known;
    const { jwtVerify } = await jose();
    const { payload } = await jwtVerify(text, publicKey, {
      algorithms: [algorithm],
      issuer: apiAudience,
      currentDate: new Date(wallMs()),
    });
    if (verified.size >= maxVerified) verified.delete(verified.keys().next().value ?? '');
    verified.set(text, payload);
    return payload;
  };

  /** What the claims name and is not there any more; undefined: all of it is. */
  const missing = ({ grid, namespace, account, pod, secret }: AccountClaims): string | undefined => {
    const isThere = (kind: Kind, bound: BoundObject) => {
      const metadata = find(grid, kind, namespace, bound.name)?.metadata;
      const endsMs = Date.parse(metadata?.deletionTimestamp ?? '') + deletionLeewayMs;
      return metadata?.uid === bound.uid && !(endsMs < wallMs());
    };
    if (!isThere(serviceAccounts as Kind, account)) return `service account ${namespace}/${account.name}`;
    if (pod && !isThere(pods as Kind, pod)) return `pod ${namespace}/${pod.name}`;
    if (secret && !isThere(secrets as Kind, secret)) return `secret ${namespace}/${secret.name}`;
    return undefined;
  };

  return {
    issue: async ({ claims, audiences, lifetimeSeconds }) => {
      const { SignJWT } = await jose();
      const nowSeconds = Math.floor(wallMs() / 1000);
      const token = new SignJWT(renderClaims(claims))
        .setProtectedHeader({ alg: algorithm, kid: keyId })
        .setIssuer(apiAudience)
        .setSubject(serviceAccountUser(claims.namespace, claims.account.name))
        .setAudience(audiences.length === 0 ? [apiAudience] : [...audiences])
        .setJti(randomUUID())
        .setIssuedAt(nowSeconds)
        .setNotBefore(nowSeconds);
      if (lifetimeSeconds !== undefined) token.setExpirationTime(nowSeconds + lifetimeSeconds);
      return await token.sign(privateKey);
    },
    check: async (text, audiences) => {
      if (text.length > maxTokenChars) return { refused: 'the token is too long' };
      let payload: JWTPayload;
      try {
        payload = await payloadOf(text);
      } catch (error) {
        return { refused: `the token of a service account is not good: ${messageOf(error)}` };
      }
      const claims = parseClaims(payload);
      if (!claims) return { refused: 'the token is not one of a service account of this cluster' };
      if (payload.exp !== undefined && payload.exp * 1000 <= wallMs()) {
        return { refused: 'the token of a service account has expired: read the file again' };
      }
      const own = [payload.aud ?? []].flat();
      const shared = audiences.filter((one) => own.includes(one));
      if (shared.length === 0)
        return { refused: `the token is for ${own.join(', ')}, not for ${audiences.join(', ')}` };
      if (missing(claims) !== undefined) await refresh();
      const gone = missing(claims);
      if (gone !== undefined) return { refused: `the token was made for ${gone}, which is gone or another one by now` };
      return { user: userOf(claims, payload.jti), audiences: shared };
    },
  };
}

function userOf({ grid, namespace, account, pod, node }: AccountClaims, id: string | undefined): User {
  const prefix = 'authentication.kubernetes.io';
  const object = (kind: string, bound: BoundObject | undefined) =>
    bound ? { [`${prefix}/${kind}-name`]: [bound.name], [`${prefix}/${kind}-uid`]: [bound.uid] } : {};
  return {
    name: serviceAccountUser(namespace, account.name),
    groups: serviceAccountGroups(namespace),
    uid: account.uid,
    extra: {
      ...(id === undefined ? {} : { [`${prefix}/credential-id`]: [`JTI=${id}`] }),
      ...object('node', node),
      ...object('pod', pod),
    },
    grid,
  };
}
