import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromPem, readDer, toPem } from '../lib/x509/der.ts';
import { makeCertificateRequest, parseCertificateRequest } from './certificate-request.ts';

function newKey(namedCurve = 'P-256'): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

const label = 'CERTIFICATE REQUEST';

test('a request proves the key that made it', () => {
  const request = makeCertificateRequest(newKey(), 'h1');
  assert.equal(parseCertificateRequest(request).asymmetricKeyDetails?.namedCurve, 'prime256v1');
});

test('a request with one byte changed is refused, never crashes', () => {
  const bytes = fromPem(label, makeCertificateRequest(newKey(), 'h1'))!;
  fc.assert(
    fc.property(fc.nat(bytes.byteLength - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(bytes);
      changed[at] = changed[at]! ^ change;
      assert.throws(() => parseCertificateRequest(toPem(label, changed)), { code: 'Invalid' });
    }),
    { numRuns: 300 },
  );
});

const bad: readonly (readonly [name: string, pem: () => string])[] = [
  ['no PEM', () => 'hello'],
  ['empty', () => ''],
  ['another label', () => makeCertificateRequest(newKey(), 'h1').replaceAll('REQUEST', 'BREAKFAST')],
  ['cut off', () => toPem(label, fromPem(label, makeCertificateRequest(newKey(), 'h1'))!.subarray(0, 60))],
  ['too large', () => 'x'.repeat(20_000)],
];
for (const [name, pem] of bad) {
  test(`no request: ${name}`, () => assert.throws(() => parseCertificateRequest(pem()), { code: 'Invalid' }));
}

test('a key of another curve is refused', () => {
  assert.throws(() => parseCertificateRequest(makeCertificateRequest(newKey('P-384'), 'h1')), /not a P-256 key/);
});

test('bytes that are no DER are refused, whatever they are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        const total = readDer(Buffer.from(bytes)).reduce((sum, element) => sum + element.whole.byteLength, 0);
        assert.equal(total, bytes.byteLength);
      } catch (error) {
        assert.match((error as Error).message, /DER/);
      }
    }),
  );
});
