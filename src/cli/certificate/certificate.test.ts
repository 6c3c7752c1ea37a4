import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { describe, it } from 'node:test';
import { hasCode } from '../../lib/errors.ts';
import { issueCertificate } from '../../lib/x509/issue-certificate.ts';
import { newKeyPem } from '../../lib/x509/new-key.ts';
import type { CertificateSpec, CertificateStatus } from '../../resources/certificates.ts';
import type { Certificate, Ingress } from '../../resources/kinds.ts';
import { checkImport } from './import.ts';
import { stateOf } from './ls.ts';
import { judgeRequest } from './request.ts';
import { certificateLines } from './show.ts';
import { usersOf } from './users-of.ts';

const nowMs = Date.UTC(2026, 0, 10);
const dayMs = 86_400_000;

function condition(type: string, status: 'True' | 'False', reason: string, message: string) {
  return { type, status, reason, message, lastTransitionTime: '2026-01-01T00:00:00Z' };
}
const ready = condition('Ready', 'True', 'Valid', 'holds until 2026-04-01T00:00:00Z');
const pending = condition('Ready', 'False', 'Pending', 'Secret shop/web does not exist yet');
const failed = condition('Issuing', 'False', 'Failed', 'the ACME server refused the certificate: no');
const running = condition('Issuing', 'True', 'OrderRuns', 'asks https://acme.example/dir, since there is none');

function certificate(status?: CertificateStatus, spec: Partial<CertificateSpec> = {}): Certificate {
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Certificate',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { hosts: ['shop.example.org'], issuer: 'acme', ...spec },
    ...(status ? { status } : {}),
  };
}

function ingress(name: string, spec: Ingress['spec'], namespace = 'shop'): Ingress {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name, namespace }, spec };
}

describe('flotilla certificate ls', () => {
  const cases: readonly (readonly [string, CertificateStatus | undefined])[] = [
    ['Unknown', undefined],
    ['Pending', { conditions: [pending] }],
    ['OrderRuns', { conditions: [pending, running] }],
    ['Failed', { conditions: [pending, failed] }],
    ['Ready', { conditions: [ready, failed] }],
    ['Ready, ExpiresSoon', { conditions: [ready, condition('ExpiresSoon', 'True', 'ExpiresSoon', 'soon')] }],
    ['Expired', { conditions: [condition('Ready', 'False', 'Expired', 'it ended'), failed] }],
  ];
  for (const [state, status] of cases) it(`says ${state}`, () => assert.equal(stateOf(certificate(status)), state));
});

describe('flotilla certificate show', () => {
  it('has times, users, and why the last try failed', () => {
    const status: CertificateStatus = {
      conditions: [ready, failed],
      notBefore: '2026-01-01T00:00:00Z',
      notAfter: '2026-04-01T00:00:00Z',
      renewalTime: '2026-03-01T00:00:00Z',
      nextAttemptTime: '2026-01-10T00:05:00Z',
      serialNumber: 'AB12',
      issuedBy: 'R3',
    };
    const lines = certificateLines(
      certificate(status),
      [ingress('web', { rules: [{ host: 'shop.example.org' }] })],
      nowMs,
    );
    assert.deepEqual(lines, [
      'certificate  shop/web',
      'hosts        shop.example.org',
      'issuer       acme',
      'secret       web',
      'state        Ready: holds until 2026-04-01T00:00:00Z',
      'signed by    R3',
      'serial       AB12',
      'holds from   2026-01-01T00:00:00Z (9d ago)',
      'holds until  2026-04-01T00:00:00Z (in 81d)',
      'renewal      2026-03-01T00:00:00Z (in 50d)',
      'used by      shop/web',
      'last try     the ACME server refused the certificate: no',
      'next try     2026-01-10T00:05:00Z (in 5m)',
    ]);
  });

  it('says what an order waits for', () => {
    const order = {
      startTime: '2026-01-10T00:00:00Z',
      directoryURL: 'https://acme.example/dir',
      url: 'https://acme.example/1',
    };
    const challenges = [{ host: 'shop.example.org', token: 't', keyAuthorization: 't.x' }];
    const text = (status: CertificateStatus) => certificateLines(certificate(status), [], nowMs).join('\n');
    assert.match(
      text({ order, challenges }),
      /^order +waits until ingress nodes answer for shop\.example\.org, since 2026/m,
    );
    assert.match(
      text({ order: { ...order, offerTime: order.startTime }, challenges }),
      /^order +waits for the ACME server/m,
    );
  });
});

describe('who uses a certificate', () => {
  const of = (...all: Ingress[]) => usersOf(certificate(), all);
  it('is who has its host or names its Secret, in its namespace', () => {
    const byHost = ingress('host', { rules: [{ host: 'shop.example.org' }] });
    const bySecret = ingress('secret', { tls: [{ secretName: 'web' }] });
    const elsewhere = ingress('web', { rules: [{ host: 'shop.example.org' }] }, 'other');
    const other = ingress('other', { rules: [{ host: 'www.example.org' }] });
    assert.deepEqual(of(byHost, bySecret, elsewhere, other), ['shop/host', 'shop/secret']);
  });
  it('is not who brings another one for that host', () => {
    const tls = [{ hosts: ['shop.example.org'], secretName: 'mine' }];
    assert.deepEqual(of(ingress('web', { rules: [{ host: 'shop.example.org' }], tls })), []);
  });
});

describe('flotilla certificate request', () => {
  const cases: readonly (readonly [string, Certificate, Certificate | undefined, string])[] = [
    ['waits for the leader', certificate(), undefined, 'waits'],
    ['waits for an order', certificate({ conditions: [pending, running] }), undefined, 'waits'],
    ['is done when it is there', certificate({ conditions: [ready], serialNumber: '1' }), undefined, 'done'],
    [
      'is not done with the old one',
      certificate({ conditions: [ready], serialNumber: '1' }),
      certificate({ conditions: [ready], serialNumber: '1' }),
      'waits',
    ],
    [
      'is done with a new one',
      certificate({ conditions: [ready], serialNumber: '2' }),
      certificate({ conditions: [ready], serialNumber: '1' }),
      'done',
    ],
    ['fails with the first refusal', certificate({ conditions: [pending, failed] }), undefined, 'failed'],
    [
      'does not take an old refusal for a new one',
      certificate({ conditions: [pending, failed] }),
      certificate({ conditions: [pending, failed] }),
      'waits',
    ],
  ];
  for (const [what, now, before, expected] of cases) {
    it(what, () => assert.equal(judgeRequest(now, before).type, expected));
  }
});

describe('flotilla certificate import', () => {
  const rootKey = newKeyPem();
  const key = newKeyPem();
  const issue = (hosts: readonly string[], leftMs: number) =>
    issueCertificate(
      {
        ...{ subject: [['CN', 'leaf']], publicKey: createPublicKey(key), role: 'server', hosts },
        ...{ notBeforeMs: nowMs - 30 * dayMs, notAfterMs: nowMs + leftMs },
      },
      { subject: [['CN', 'Root']], keyPem: rootKey },
    );
  const good = issue(['shop.example.org', '10.0.0.1'], 60 * dayMs);

  it('takes a certificate and its key, and the hosts from it', () => {
    const { chain, hosts } = checkImport([`\n${good}\n\n`, ''], `${key}\n\n`, nowMs);
    assert.equal(chain, good);
    assert.deepEqual(hosts, ['shop.example.org'], 'an address is no host');
  });

  const refused: readonly (readonly [string, string, string, RegExp])[] = [
    [
      'another key',
      good,
      newKeyPem(),
      /^cannot import: the key does not belong to the certificate for shop\.example\.org$/,
    ],
    ['one that has ended', issue(['a.b'], -dayMs), key, /^cannot import: the certificate ended at 2026-01-09T/],
    ['one for addresses', issue(['10.0.0.1'], dayMs), key, /^cannot import: it is for 10\.0\.0\.1 only$/],
    ['no certificate', 'hello', key, /^cannot import: it has no certificate in PEM$/],
  ];
  for (const [what, chain, own, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => checkImport([chain], own, nowMs),
        (error) => hasCode(error, 'BadFile') && message.test(error.message) && error.hint !== undefined,
      );
    });
  }
});
