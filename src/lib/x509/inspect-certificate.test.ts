import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { describe, it } from 'node:test';
import { toPem } from './der.ts';
import { inspectTls, isSignedBy } from './inspect-certificate.ts';
import { type CertificateSpec, issueCertificate } from './issue-certificate.ts';
import { newKeyPem } from './new-key.ts';

const times = { notBeforeMs: Date.UTC(2026, 0, 1), notAfterMs: Date.UTC(2026, 3, 1) };

function issue(name: string, issuer: { name: string; key: string }, more: Partial<CertificateSpec> = {}) {
  const key = newKeyPem();
  const pem = issueCertificate(
    { subject: [['CN', name]], publicKey: createPublicKey(key), role: 'server', ...times, ...more },
    { subject: [['CN', issuer.name]], keyPem: issuer.key },
  );
  return { name, key, pem };
}

const rootKey = newKeyPem();
const root = { name: 'Root', key: rootKey };
const middle = issue('Middle', root, { role: 'authority' });
const leaf = issue('leaf', middle, { hosts: ['shop.example.org', '*.Shop.example.org', '10.0.0.1'] });

describe('a certificate with its key', () => {
  it('says for what, until when and by whom', () => {
    const { facts, problem } = inspectTls(`${leaf.pem}\n${middle.pem}`, leaf.key);
    assert.equal(problem, undefined);
    assert.deepEqual(facts?.names, ['shop.example.org', '*.shop.example.org', '10.0.0.1']);
    assert.deepEqual([facts?.notBeforeMs, facts?.notAfterMs], [times.notBeforeMs, times.notAfterMs]);
    assert.equal(facts?.issuedBy, 'Middle');
    assert.match(facts?.serialNumber ?? '', /^[0-9A-F]{32}$/);
  });

  it('may stand among other text', () => {
    assert.equal(inspectTls(`Bag Attributes\n  x: y\n${leaf.pem}trailing\n`, leaf.key).problem, undefined);
  });

  const other = issue('other', root, { hosts: ['other.example'] });
  const bare = issue('bare', root);
  const locked = '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n';
  const cases: readonly (readonly [string, string, string, RegExp])[] = [
    ['no PEM', 'hello', leaf.key, /^it has no certificate in PEM$/],
    [
      'a certificate that is cut off',
      toPem('CERTIFICATE', Buffer.alloc(40)),
      leaf.key,
      /^certificate 1 of 1 cannot be read$/,
    ],
    ['a key of another', leaf.pem, other.key, /^the key does not belong to the certificate for shop\.example\.org$/],
    ['a key that is none', leaf.pem, leaf.pem, /^the key is no private key in PEM$/],
    ['a locked key', leaf.pem, locked, /passphrase/],
    [
      'the wrong order',
      middle.pem + leaf.pem,
      leaf.key,
      /^the key belongs to certificate 2: the one of the host comes first$/,
    ],
    [
      'a chain that is none',
      leaf.pem + other.pem,
      leaf.key,
      /^certificate 2 \("other"\) did not sign certificate 1, which names "Middle"$/,
    ],
    ['no host', bare.pem, bare.key, /names no host/],
    ['too many', leaf.pem.repeat(11), leaf.key, /^it has 11 certificates/],
  ];
  for (const [what, chain, key, expected] of cases) {
    it(`names ${what}`, () => assert.match(inspectTls(chain, key).problem ?? '', expected));
  }

  it('has no name that does something to a terminal', () => {
    const evil = issue('evil', { name: `\u001b[2J${'x'.repeat(300)}`, key: rootKey }, { hosts: ['a.b'] });
    const { issuedBy } = inspectTls(evil.pem, evil.key).facts ?? {};
    assert.match(issuedBy ?? '', /^.{0,6}\[2Jx{190,}$/);
    assert.doesNotMatch(issuedBy ?? '', /\p{Cc}/u);
    assert.ok((issuedBy?.length ?? 0) <= 200);
  });

  it('shows who signed it', () => {
    assert.ok(isSignedBy(leaf.pem, middle.pem));
    assert.ok(!isSignedBy(other.pem, middle.pem));
    assert.ok(!isSignedBy('nothing', middle.pem));
  });
});
