import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Token } from '../../resources/kinds.ts';
import { checkToken, mintToken, parseToken } from './tokens.ts';

const caHash = 'ab'.repeat(32);
const now = Date.UTC(2026, 0, 1);

function token(name: string, spec: Token['spec']): Token {
  return { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Token', metadata: { name }, spec };
}

test('what is stored does not hold the secret; what is answered is the whole text, once', () => {
  const { stored, answered } = mintToken(token('ci.build-1', { type: 'admin' }), caHash);
  const text = answered.status?.token ?? '';
  assert.match(text, /^fl1\.ci\.build-1\./);
  const parsed = parseToken(text)!;
  assert.deepEqual([parsed.type, parsed.id], ['admin', 'ci.build-1']);
  assert.ok(!JSON.stringify(stored).includes(parsed.secret));
  assert.equal(stored.status?.token, undefined);
});

test('a join token carries the hash of the authority', () => {
  const { answered } = mintToken(token('join-1', { type: 'join', grid: 'main' }), caHash);
  assert.ok(answered.status?.token?.startsWith('flj1.join-1.'));
  assert.ok(answered.status?.token?.endsWith(`.${caHash}`));
  assert.equal(parseToken(answered.status?.token ?? '')?.type, 'join');
});

const malformed = [
  '',
  'x',
  'fl1.',
  'fl1.a.short',
  'fl1..aaaaaaaaaaaaaaaaaaaaaaaa',
  `flj1.a.${'s'.repeat(32)}`,
  'fl2.a.b',
  `fl1.a.${'s'.repeat(600)}`,
];
for (const text of malformed) {
  test(`malformed: "${text.slice(0, 40)}"`, () => assert.equal(parseToken(text), undefined));
}

test('who a token speaks for', () => {
  const cases: [Token, string, string | undefined][] = [
    [token('admin-1a2b', { type: 'admin' }), 'flotilla:admin', undefined],
    [token('ci', { type: 'admin' }), 'flotilla:admin:ci', undefined],
    [token('j', { type: 'join', grid: 'blue' }), 'system:join:j', 'blue'],
    [token('k', { type: 'join' }), 'system:join:k', 'main'],
  ];
  for (const [object, name, grid] of cases) {
    const { stored, answered } = mintToken(object, caHash);
    const check = checkToken(parseToken(answered.status?.token ?? '')!, stored, now);
    assert.ok('user' in check);
    assert.deepEqual([check.user.name, check.user.grid], [name, grid]);
  }
});

test('refused: unknown, forged, expired, of another type, being deleted', () => {
  const { stored, answered } = mintToken(token('t', { type: 'join', expiresAt: '2026-01-01T00:00:00Z' }), caHash);
  const parsed = parseToken(answered.status?.token ?? '')!;
  const refusal = (object: Token | undefined, at = now - 1, asked = parsed) => {
    const check = checkToken(asked, object, at);
    return 'refused' in check ? check.refused : '';
  };
  assert.equal(refusal(stored), '');
  assert.match(refusal(stored, now), /expired at 2026-01-01/);
  assert.match(refusal(undefined), /unknown or was revoked/);
  assert.match(refusal(stored, now - 1, { ...parsed, secret: 'x'.repeat(32) }), /unknown or was revoked/);
  assert.match(refusal(stored, now - 1, { ...parsed, type: 'admin' }), /unknown or was revoked/);
  const leaving = { ...stored, metadata: { ...stored.metadata, deletionTimestamp: '2025-01-01T00:00:00Z' } };
  assert.match(refusal(leaving), /unknown or was revoked/);
  const broken = { ...stored, spec: { ...stored.spec, expiresAt: 'soon' } };
  assert.match(refusal(broken), /expired/);
});
