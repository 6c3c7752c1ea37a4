import type { TLSSocket } from 'node:tls';
import { ApiError } from '../../resources/api-error.ts';
import type { Token } from '../../resources/kinds.ts';
import { nodesGroup, nodeUserPrefix } from '../../resources/names.ts';
import type { User } from '../request.ts';
import { keyFingerprint, type NodeKeys } from './node-keys.ts';
import { apiAudience } from './service-account/token-claims.ts';
import { isJwt, type ServiceAccountTokens } from './service-account/tokens.ts';
import { checkToken, parseToken } from './tokens.ts';

export interface AuthenticatorOptions {
  readonly nodeKeys: Pick<NodeKeys, 'isKeyOf'>;
  /** From the cache; undefined when there is none. */
  readonly findToken: (id: string) => Token | undefined;
  /** Resolves when the cache has seen all that was written before: a token made a moment ago through another server. */
  readonly refresh: () => Promise<void>;
  readonly serviceAccounts: Pick<ServiceAccountTokens, 'check'>;
  readonly wallMs: () => number;
}

/** Who is on the other side. Throws ApiError 401, whose message says what to do; never tells a stranger more. */
export type Authenticator = (authorization: string | undefined, socket: TLSSocket) => Promise<User>;

/** A bearer token when one is sent, else the client certificate of a node. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  return async (authorization, socket) => {
    if (authorization !== undefined) return await byToken(options, authorization);
    const user = byCertificate(options, socket);
    if (user) return user;
    throw unauthorized(
      'no token and no client certificate was sent: send one (`flotilla context add --help`, `flotilla kubeconfig`)',
    );
  };
}

export function unauthorized(why: string): ApiError {
  return new ApiError({ code: 401, reason: 'Unauthorized', message: `Unauthorized: ${why}` });
}

function byToken(options: AuthenticatorOptions, authorization: string): Promise<User> {
  const [, text] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
  if (text === undefined) throw unauthorized('the Authorization header is not "Bearer <token>"');
  return userOfToken(options, text);
}

/** Whose token it is. Throws ApiError 401. */
export async function userOfToken(options: Omit<AuthenticatorOptions, 'nodeKeys'>, text: string): Promise<User> {
  if (isJwt(text)) {
    const check = await options.serviceAccounts.check(text, [apiAudience]);
    if ('user' in check) return check.user;
    throw unauthorized(check.refused);
  }
  const parsed = parseToken(text);
  if (!parsed) throw unauthorized('the token is malformed: it starts with "fl1." or "flj1." and must be sent whole');
  let stored = options.findToken(parsed.id);
  if (!stored) {
    await options.refresh();
    stored = options.findToken(parsed.id);
  }
  const check = checkToken(parsed, stored, options.wallMs());
  if ('user' in check) return check.user;
  const next =
    parsed.type === 'join'
      ? 'make a new one with `flotilla node token`'
      : 'take another one with `flotilla context add`';
  throw unauthorized(`${check.refused}; ${next}`);
}

/** Certificates of a connection do not change: they are read once. */
const certificates = new WeakMap<TLSSocket, NodeCertificate | { readonly refused: string }>();

interface NodeCertificate {
  readonly grid: string;
  readonly nodeName: string;
  readonly fingerprint: string;
  readonly notAfterMs: number;
}

function byCertificate({ nodeKeys, wallMs }: AuthenticatorOptions, socket: TLSSocket): User | undefined {
  let certificate = certificates.get(socket);
  if (!certificate) {
    const read = readCertificate(socket);
    if (!read) return undefined;
    certificate = read;
    certificates.set(socket, certificate);
  }
  if ('refused' in certificate) throw unauthorized(certificate.refused);
  const { grid, nodeName, fingerprint, notAfterMs } = certificate;
  if (wallMs() > notAfterMs) throw unauthorized(`the certificate of node "${nodeName}" has expired: join again`);
  if (!nodeKeys.isKeyOf(grid, nodeName, fingerprint)) {
    throw unauthorized(
      `node "${nodeName}" of grid "${grid}" was removed, or has joined with another key since: join anew`,
    );
  }
  return { name: `${nodeUserPrefix}${nodeName}`, groups: [nodesGroup, 'system:authenticated'], grid };
}

function readCertificate(socket: TLSSocket): NodeCertificate | { readonly refused: string } | undefined {
  const x509 = socket.getPeerX509Certificate?.();
  if (!x509) return undefined;
  if (!socket.authorized) {
    return {
      refused: `the client certificate is not of this cluster (${String(socket.authorizationError)}): join again`,
    };
  }
  const lines = x509.subject.split('\n');
  const grid = attributeOf(lines, 'OU');
  const name = attributeOf(lines, 'CN');
  if (attributeOf(lines, 'O') !== nodesGroup || !grid || !name?.startsWith(nodeUserPrefix) || lines.length !== 3) {
    return { refused: 'the client certificate is not one of a node' };
  }
  return {
    grid,
    nodeName: name.slice(nodeUserPrefix.length),
    fingerprint: keyFingerprint(x509.publicKey),
    notAfterMs: x509.validToDate.getTime(),
  };
}

function attributeOf(lines: readonly string[], attribute: string): string | undefined {
  return lines.find((line) => line.startsWith(`${attribute}=`))?.slice(attribute.length + 1);
}
