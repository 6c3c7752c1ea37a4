import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SignJWT } from 'jose';
import { newKeyPem } from '../../../lib/x509/new-key.ts';
import type { Kind } from '../../../resources/kind.ts';
import type { ApiObject } from '../../../resources/object.ts';
import { type AccountClaims, apiAudience } from './token-claims.ts';
import { createServiceAccountTokens, isJwt } from './tokens.ts';

const startMs = Date.parse('2026-01-01T00:00:00Z');
const keyPem = newKeyPem();
const object = (name: string, uid: string, more: object = {}): ApiObject => ({
  apiVersion: 'v1',
  kind: 'X',
  metadata: { name, namespace: 'shop', uid, ...more },
});

/** What is there, by plural and name; changed by the tests. */
function world(key = keyPem) {
  const objects = new Map<string, ApiObject>([
    ['main serviceaccounts bot', object('bot', 'sa-1')],
    ['main pods web', object('web', 'pod-1')],
    ['main secrets old', object('old', 'secret-1')],
  ]);
  const state = { nowMs: startMs, refreshes: 0, late: new Map<string, ApiObject>() };
  const tokens = createServiceAccountTokens({
    keyPem: key,
    find: (grid, kind: Kind, _namespace, name) => objects.get(`${grid} ${kind.plural} ${name}`),
    refresh: async () => {
      state.refreshes++;
      for (const [at, one] of state.late) objects.set(at, one);
    },
    wallMs: () => state.nowMs,
  });
  return { objects, state, tokens };
}

const claims: AccountClaims = {
  grid: 'main',
  namespace: 'shop',
  account: { name: 'bot', uid: 'sa-1' },
  pod: { name: 'web', uid: 'pod-1' },
  node: { name: 'h1', uid: 'node-1' },
};
const issue = (one = world(), more: Partial<AccountClaims> = {}, audiences: string[] = []) =>
  one.tokens.issue({ claims: { ...claims, ...more }, audiences, lifetimeSeconds: 600 });
const refusalOf = async (one: ReturnType<typeof world>, token: string, audiences = [apiAudience]) => {
  const check = await one.tokens.check(token, audiences);
  return 'refused' in check ? check.refused : undefined;
};

test('a token says who it is, in which grid, and for which pod it was made', async () => {
  const one = world();
  const token = await issue(one);
  assert.ok(isJwt(token));
  const check = await one.tokens.check(token, [apiAudience]);
  assert.ok('user' in check);
  const { extra, ...user } = check.user;
  assert.deepEqual(user, {
    name: 'system:serviceaccount:shop:bot',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated'],
    uid: 'sa-1',
    grid: 'main',
  });
  assert.deepEqual(extra?.['authentication.kubernetes.io/pod-name'], ['web']);
  assert.deepEqual(extra?.['authentication.kubernetes.io/node-uid'], ['node-1']);
  assert.match(extra?.['authentication.kubernetes.io/credential-id']?.[0] ?? '', /^JTI=[0-9a-f-]{36}$/);
});

test('it ends with its time, its account and its pod', async () => {
  const one = world();
  const token = await issue(one);
  assert.equal(await refusalOf(one, token), undefined);
  one.objects.set('main pods web', object('web', 'pod-2'));
  assert.match((await refusalOf(one, token)) ?? '', /made for pod shop\/web, which is gone or another one/);
  one.objects.set('main pods web', object('web', 'pod-1'));
  one.objects.delete('main serviceaccounts bot');
  assert.match((await refusalOf(one, token)) ?? '', /made for service account shop\/bot/);
  one.objects.set('main serviceaccounts bot', object('bot', 'sa-1'));
  one.state.nowMs = startMs + 599_000;
  assert.equal(await refusalOf(one, token), undefined);
  one.state.nowMs = startMs + 600_000;
  assert.match((await refusalOf(one, token)) ?? '', /has expired/);
});

test('a pod that was told to go keeps its token for its grace period and a minute', async () => {
  const one = world();
  const token = await issue(one);
  one.objects.set('main pods web', object('web', 'pod-1', { deletionTimestamp: '2026-01-01T00:01:00Z' }));
  one.state.nowMs = startMs + 119_000;
  assert.equal(await refusalOf(one, token), undefined);
  one.state.nowMs = startMs + 121_000;
  assert.match((await refusalOf(one, token)) ?? '', /pod shop\/web/);
});

test('an account made a moment ago on another server is found', async () => {
  const one = world();
  const token = await issue(one);
  const account = one.objects.get('main serviceaccounts bot')!;
  one.objects.delete('main serviceaccounts bot');
  one.state.late.set('main serviceaccounts bot', account);
  assert.equal(await refusalOf(one, token), undefined);
  assert.equal(one.state.refreshes, 1);
});

test('audiences: those asked for, or this API; one in common is enough', async () => {
  const one = world();
  const vault = await issue(one, {}, ['vault', 'bank']);
  assert.match((await refusalOf(one, vault)) ?? '', /is for vault, bank, not for https:/);
  const check = await one.tokens.check(vault, ['bank', 'other']);
  assert.deepEqual('audiences' in check && check.audiences, ['bank']);
});

test('a token without an end is one of a Secret, and ends with it', async () => {
  const one = world();
  const { pod: _pod, node: _node, ...rest } = claims;
  const token = await one.tokens.issue({
    claims: { ...rest, secret: { name: 'old', uid: 'secret-1' } },
    audiences: [],
  });
  one.state.nowMs = startMs + 10 * 365 * 86_400_000;
  assert.equal(await refusalOf(one, token), undefined);
  one.objects.delete('main secrets old');
  assert.match((await refusalOf(one, token)) ?? '', /secret shop\/old/);
});

test('what was not signed with the key of this cluster is nobody, whatever it says', async () => {
  const one = world();
  const foreign = await issue(world(newKeyPem()));
  assert.match((await refusalOf(one, foreign)) ?? '', /is not good: signature verification failed/);
  const token = await issue(one);
  const [head = '', body = '', signature = ''] = token.split('.');
  const other = JSON.parse(Buffer.from(body, 'base64url').toString());
  other['kubernetes.io'].serviceaccount.name = 'root';
  const forged = [head, Buffer.from(JSON.stringify(other)).toString('base64url'), signature].join('.');
  assert.match((await refusalOf(one, forged)) ?? '', /is not good/);
  const unsigned = [Buffer.from('{"alg":"none"}').toString('base64url'), body, ''].join('.');
  assert.match((await refusalOf(one, unsigned)) ?? '', /is not good/);
  const hmac = await new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(keyPem));
  assert.match((await refusalOf(one, hmac)) ?? '', /is not good/);
  assert.equal(await refusalOf(one, `${token}${'x'.repeat(9_000)}`), 'the token is too long');
});

test('the token of one grid finds nothing in another', async () => {
  const one = world();
  assert.match((await refusalOf(one, await issue(one, { grid: 'blue' }))) ?? '', /service account shop\/bot/);
});

for (const text of ['', 'fl1.admin.secret', 'eyJ', 'eyJhIjoxfQ.x', 'eyJ.a b.c']) {
  test(`no JWT: "${text}"`, () => assert.equal(isJwt(text), false));
}
