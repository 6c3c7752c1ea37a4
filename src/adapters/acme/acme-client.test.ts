import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { describe, it } from 'node:test';
import { newKeyPem } from '../../lib/x509/new-key.ts';
import { isObject } from '../../resources/json.ts';
import { openAcme } from './acme-client.ts';
import type { HttpAnswer, HttpCall } from './https.ts';
import { AcmeFailed } from './port.ts';

const base = 'https://acme.example';
const accountKey = newKeyPem();
const signal = new AbortController().signal;
const nowMs = Date.UTC(2026, 0, 1);

type Reply = { status?: number; body?: unknown; headers?: Record<string, string> };

/** A server of which only the answers to POSTs are given, in turn; each carries a nonce. */
function server(replies: Readonly<Record<string, readonly Reply[]>>, more: { eab?: boolean } = {}) {
  const calls: (HttpCall & { payload?: unknown; header: Record<string, unknown> })[] = [];
  const turns = new Map<string, number>();
  let nonce = 0;
  const send = async (call: HttpCall): Promise<HttpAnswer> => {
    const signed = call.body === undefined ? undefined : JSON.parse(call.body);
    if (signed) {
      const input = Buffer.from(`${signed.protected}.${signed.payload}`);
      const key = { key: createPublicKey(accountKey), dsaEncoding: 'ieee-p1363' as const };
      assert.ok(
        verify('sha256', input, key, Buffer.from(signed.signature, 'base64url')),
        'signed with the account key',
      );
    }
    const text = (part: string) => Buffer.from(part, 'base64url').toString();
    const header = signed ? JSON.parse(text(signed.protected)) : {};
    calls.push({ ...call, header, ...(signed?.payload ? { payload: JSON.parse(text(signed.payload)) } : {}) });
    const path = call.url.slice(base.length);
    const turn = turns.get(path) ?? 0;
    turns.set(path, turn + 1);
    const list = { '/dir': [directory], '/nonce': [{}], '/acct': [account], ...replies }[path] ?? [{ status: 404 }];
    const { status = 200, body = {}, headers = {} } = list[Math.min(turn, list.length - 1)] ?? {};
    nonce += 1;
    const all: Record<string, string> = { 'replay-nonce': `n${nonce}`, ...headers };
    return { status, body: typeof body === 'string' ? body : JSON.stringify(body), header: (name) => all[name] };
  };
  const acme = openAcme({
    ...{ directoryURL: `${base}/dir`, email: 'a@example.org', accountKey, send, wallMs: () => nowMs },
    ...(more.eab ? { externalAccount: { keyId: 'kid-1', hmacKey: Buffer.from('secret').toString('base64url') } } : {}),
  });
  return { acme, calls, pathsOf: () => calls.map(({ method, url }) => `${method} ${url.slice(base.length)}`) };
}

const directory: Reply = { body: { newNonce: `${base}/nonce`, newAccount: `${base}/acct`, newOrder: `${base}/order` } };
const account: Reply = { status: 201, body: { status: 'valid' }, headers: { location: `${base}/acct/1` } };
const orderBody = { status: 'pending', finalize: `${base}/fin`, authorizations: [`${base}/authz/1`] };
const problem = (type: string, detail: string, more: object = {}) => ({
  type: `urn:ietf:params:acme:error:${type}`,
  detail,
  ...more,
});
const challenge = { type: 'http-01', url: `${base}/chall/1`, token: 'tok-1', status: 'pending' };
const authorization = {
  status: 'pending',
  identifier: { type: 'dns', value: 'a.example.org' },
  challenges: [challenge],
};

async function failureOf(call: Promise<unknown>): Promise<AcmeFailed> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof AcmeFailed, String(error));
  return error;
}

describe('an ACME client', () => {
  it('makes its account once and places an order in its name', async () => {
    const { acme, calls, pathsOf } = server({
      '/order': [{ status: 201, body: orderBody, headers: { location: `${base}/o/1` } }],
    });
    const order = await acme.placeOrder(['a.example.org', 'b.example.org'], signal);
    await acme.placeOrder(['a.example.org'], signal);
    assert.deepEqual(pathsOf(), ['GET /dir', 'HEAD /nonce', 'POST /acct', 'POST /order', 'POST /order']);
    assert.equal(order.url, `${base}/o/1`);
    assert.equal(calls[2]?.header.kid, undefined);
    assert.equal(calls[3]?.header.kid, `${base}/acct/1`);
    assert.equal(calls[3]?.header.url, `${base}/order`);
    assert.deepEqual(calls[3]?.payload, {
      identifiers: [
        { type: 'dns', value: 'a.example.org' },
        { type: 'dns', value: 'b.example.org' },
      ],
    });
    const nonces = calls.flatMap(({ header }) => header.nonce ?? []);
    assert.equal(new Set(nonces).size, nonces.length, 'no nonce twice');
  });

  it('binds to an account elsewhere', async () => {
    const { acme, calls } = server({}, { eab: true });
    await acme.account(signal);
    const registered = calls.find(({ url }) => url === `${base}/acct`)?.payload;
    assert.ok(isObject(registered) && isObject(registered.externalAccountBinding));
    const header = Buffer.from(String(registered.externalAccountBinding.protected), 'base64url').toString();
    assert.deepEqual(JSON.parse(header), {
      ...{ alg: 'HS256', kid: 'kid-1', url: `${base}/acct` },
    });
  });

  it('answers challenges with the thumbprint of its key (RFC 7638)', async () => {
    const { acme } = server({ '/authz/1': [{ body: authorization }] });
    const { x, y } = createPublicKey(accountKey).export({ format: 'jwk' });
    const thumbprint = createHash('sha256')
      .update(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`)
      .digest('base64url');
    const order = { url: '', status: 'pending' as const, finalizeURL: '', authorizationURLs: [`${base}/authz/1`] };
    assert.deepEqual(await acme.challengesOf(order, signal), [
      { url: `${base}/chall/1`, host: 'a.example.org', token: 'tok-1', keyAuthorization: `tok-1.${thumbprint}` },
    ]);
  });

  it('tries again with the nonce of a refusal, not for ever', async () => {
    const bad = { status: 400, body: problem('badNonce', 'no') };
    const patient = server({
      '/order': [bad, bad, { status: 201, body: orderBody, headers: { location: `${base}/o/1` } }],
    });
    await patient.acme.placeOrder(['a.example.org'], signal);
    const endless = server({ '/order': [bad] });
    assert.equal((await failureOf(endless.acme.placeOrder(['a.example.org'], signal))).type, 'badNonce');
    assert.ok(endless.calls.length < 20);
  });

  it('makes the account anew when the server has forgotten it', async () => {
    const { acme, pathsOf } = server({
      '/o/1': [{ status: 400, body: problem('accountDoesNotExist', 'who?') }, { body: orderBody }],
    });
    await acme.readOrder(`${base}/o/1`, signal);
    assert.equal(pathsOf().filter((path) => path === 'POST /acct').length, 2);
  });

  it('gives the server’s own words, and its wish to be left alone', async () => {
    const details = { subproblems: [{ identifier: { value: 'b.example.org' }, detail: 'on a list' }] };
    const limited = server({
      '/order': [
        { status: 429, body: problem('rateLimited', 'too many\ncertificates'), headers: { 'retry-after': '3600' } },
      ],
    });
    const error = await failureOf(limited.acme.placeOrder(['a.example.org'], signal));
    assert.equal(
      error.message,
      'the ACME server refused an order for a.example.org: too many certificates (rateLimited)',
    );
    assert.equal(error.retryAfterMs, 3_600_000);
    const later = new Date(nowMs + 5_000).toUTCString();
    const dated = server({
      '/order': [
        { status: 503, body: problem('rejectedIdentifier', 'no', details), headers: { 'retry-after': later } },
      ],
    });
    const other = await failureOf(dated.acme.placeOrder(['a.example.org'], signal));
    assert.equal(other.retryAfterMs, 5_000);
    assert.match(other.message, /no; b\.example\.org: on a list \(rejectedIdentifier\)$/);
  });

  it('says which host failed, and why', async () => {
    const failed = { ...challenge, status: 'invalid', error: problem('unauthorized', 'got "x"') };
    const { acme } = server({ '/authz/1': [{ body: { ...authorization, status: 'invalid', challenges: [failed] } }] });
    const order = { url: '', status: 'invalid' as const, finalizeURL: '', authorizationURLs: [`${base}/authz/1`] };
    const error = await acme.failureOf(order, signal);
    assert.equal(error.message, 'the ACME server refused the certificate: a.example.org: got "x" (unauthorized)');
    assert.equal(error.type, 'unauthorized');
  });

  it('may tell a server twice to look, also one that does not like it', async () => {
    const refusal = { status: 400, body: problem('malformed', 'Cannot update challenge') };
    const { acme } = server({ '/chall/1': [refusal, { body: { ...challenge, status: 'valid' } }] });
    await acme.offerChallenge(`${base}/chall/1`, signal);
    const still = server({ '/chall/1': [refusal, { body: challenge }] });
    assert.equal((await failureOf(still.acme.offerChallenge(`${base}/chall/1`, signal))).type, 'malformed');
  });

  const strange: readonly (readonly [string, Reply, RegExp])[] = [
    ['HTML', { body: '<html>captive portal</html>' }, /is no ACME directory: it answered 200 <html>captive/],
    ['an error page', { status: 502, body: 'Bad Gateway' }, /answered 502 Bad Gateway/],
    ['a list', { body: [] }, /is no ACME directory/],
  ];
  for (const [what, reply, expected] of strange) {
    it(`names ${what} where the directory should be`, async () => {
      const { acme } = server({ '/dir': [reply] });
      assert.match((await failureOf(acme.account(signal))).message, expected);
    });
  }

  it('takes no token that could be another path, and no host that http-01 cannot prove', async () => {
    const order = { url: '', status: 'pending' as const, finalizeURL: '', authorizationURLs: [`${base}/authz/1`] };
    for (const one of [
      { ...challenge, token: '../../admin' },
      { ...challenge, type: 'dns-01' },
    ]) {
      const { acme } = server({ '/authz/1': [{ body: { ...authorization, challenges: [one] } }] });
      await assert.rejects(acme.challengesOf(order, signal), AcmeFailed);
    }
  });
});
