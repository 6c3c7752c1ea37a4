import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { Token } from '../../resources/kinds.ts';
import { createAuthenticator } from './authenticate.ts';
import { type Identity, nodeLifetimeMs, openIdentity } from './identity.ts';
import { keyFingerprint } from './node-keys.ts';
import { mintToken } from './tokens.ts';

const nowMs = Date.parse('2026-01-01T00:00:00Z');
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicKey = createPublicKey(privateKey);
let directory = '';
let identity: Identity;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flotilla-authenticate-'));
  identity = await openIdentity(directory, nowMs);
});
after(() => rm(directory, { recursive: true, force: true }));

interface Situation {
  readonly wallMs?: number;
  readonly isKeyOf?: boolean;
  readonly stored?: Token;
  /** Comes into sight only when the cache has caught up. */
  readonly isLate?: boolean;
}

function authenticatorIn({ wallMs = nowMs, isKeyOf = true, stored, isLate = false }: Situation) {
  let isSeen = !isLate;
  return createAuthenticator({
    nodeKeys: { isKeyOf: (_grid, _node, fingerprint) => isKeyOf && fingerprint === keyFingerprint(publicKey) },
    findToken: () => (isSeen ? stored : undefined),
    refresh: async () => {
      isSeen = true;
    },
    serviceAccounts: { check: async () => ({ refused: 'no service account has it' }) },
    wallMs: () => wallMs,
  });
}

/** As TLS shows it: whether the authority is ours, TLS itself has said. */
function socketWith(certificate: string | undefined, problem?: string): TLSSocket {
  return {
    authorized: problem === undefined,
    authorizationError: problem,
    getPeerX509Certificate: () => (certificate === undefined ? undefined : new X509Certificate(certificate)),
  } as unknown as TLSSocket;
}

const refusedWith = (message: RegExp) => (error: { status?: { code?: number; message?: string } }) => {
  assert.equal(error.status?.code, 401);
  assert.match(error.status?.message ?? '', message);
  return true;
};

test('a certificate says which node asks', async () => {
  const socket = socketWith(identity.issueNodeCertificate('main', 'h1', publicKey, nowMs));
  const user = await authenticatorIn({})(undefined, socket);
  assert.deepEqual(user, { name: 'system:node:h1', groups: ['system:nodes', 'system:authenticated'], grid: 'main' });
});

test('a certificate that has expired, lost its name, is of another authority or of no node is refused', async () => {
  const node = identity.issueNodeCertificate('main', 'h1', publicKey, nowMs);
  const server = identity.issueServerCertificate('s1', publicKey, ['localhost'], nowMs);
  const ask = (situation: Situation, socket: TLSSocket) => authenticatorIn(situation)(undefined, socket);
  // Also on a connection that was made while it was good.
  const longOpen = socketWith(node);
  await ask({}, longOpen);
  const late = { wallMs: nowMs + nodeLifetimeMs + 1_000 };
  await assert.rejects(ask(late, longOpen), refusedWith(/certificate of node "h1" has expired: join again/));
  await assert.rejects(ask({ isKeyOf: false }, socketWith(node)), refusedWith(/"h1" .* joined with another key since/));
  await assert.rejects(
    ask({}, socketWith(node, 'CERT_HAS_EXPIRED')),
    refusedWith(/not of this cluster \(CERT_HAS_EXPI/),
  );
  await assert.rejects(ask({}, socketWith(server)), refusedWith(/not one of a node/));
  await assert.rejects(ask({}, socketWith(undefined)), refusedWith(/no token and no client certificate/));
});

test('a token counts before a certificate; one made a moment ago on another server is found', async () => {
  const object: Token = {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Token',
    metadata: { name: 't' },
    spec: { type: 'admin' },
  };
  const { stored, answered } = mintToken(object, identity.caHash);
  const bearer = `Bearer ${answered.status?.token}`;
  const socket = socketWith(identity.issueNodeCertificate('main', 'h1', publicKey, nowMs));
  assert.equal((await authenticatorIn({ stored, isLate: true })(bearer, socket)).name, 'flotilla:admin:t');
  const ask = (authorization: string, situation: Situation) => authenticatorIn(situation)(authorization, socket);
  await assert.rejects(ask('Basic eDp5', { stored }), refusedWith(/is not "Bearer <token>"/));
  await assert.rejects(ask('Bearer fl1.t.short', { stored }), refusedWith(/malformed/));
  await assert.rejects(ask(`${bearer.slice(0, -4)}aaaa`, { stored }), refusedWith(/unknown or was revoked/));
  await assert.rejects(
    ask(bearer, {}),
    refusedWith(/unknown or was revoked; take another one with `flotilla context add`/),
  );
  const ended = { ...stored, spec: { ...stored.spec, expiresAt: '2025-12-31T00:00:00Z' } };
  await assert.rejects(ask(bearer, { stored: ended }), refusedWith(/expired at 2025-12-31/));
});
