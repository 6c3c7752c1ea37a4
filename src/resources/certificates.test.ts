import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CertificateSpec, nameCovers, namesCover, secretNameOf } from './certificates.ts';
import { type Certificate, certificates } from './kinds.ts';
import { renderTable } from './table.ts';
import { validate, validateUpdate } from './validate.ts';

function certificate(spec: Partial<CertificateSpec> = {}, status: Certificate['status'] = {}): Certificate {
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Certificate',
    metadata: { name: 'web', namespace: 'shop', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { hosts: ['shop.example.org'], issuer: 'acme', ...spec },
    status,
  };
}

describe('names of certificates', () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['a.example.org', 'a.example.org', true],
    ['a.example.org', 'b.example.org', false],
    ['*.example.org', 'a.example.org', true],
    ['*.example.org', '*.example.org', true],
    ['*.example.org', 'a.b.example.org', false],
    ['*.example.org', 'example.org', false],
    ['*.example.org', '*.a.example.org', false],
    ['a.example.org', '*.example.org', false],
    ['*.org', 'xorg', false],
  ];
  for (const [name, host, expected] of cases) {
    it(`${name} is ${expected ? '' : 'not '}for ${host}`, () => assert.equal(nameCovers(name, host), expected));
  }
  it('cover a list together', () => {
    assert.ok(namesCover(['a.b', '*.c.d'], ['x.c.d', 'a.b']));
    assert.ok(!namesCover(['a.b', '*.c.d'], ['x.c.d', 'b.b']));
  });
});

describe('a Certificate', () => {
  const problems = (spec: object) =>
    validate(certificates, certificate(spec)).map(({ field, message }) => `${field}: ${message}`);
  const refused: readonly (readonly [string, object, RegExp])[] = [
    ['no host', { hosts: [] }, /^spec\.hosts: Required value/],
    ['an address', { hosts: ['10.0.0.1'] }, /10\.0\.0\.1: must be a name, not an address/],
    ['capital letters', { hosts: ['Shop.example.org'] }, /^spec\.hosts: Invalid value/],
    ['a star elsewhere', { hosts: ['a.*.org'], issuer: 'internal' }, /^spec\.hosts: Invalid value/],
    ['one host twice', { hosts: ['a.b', 'a.b'] }, /^spec\.hosts: Duplicate value: "a\.b"/],
    ['a wildcard by ACME', { hosts: ['*.example.org'] }, /certifies wildcards by DNS only: import one/],
    ['too many', { hosts: Array.from({ length: 101 }, (_, at) => `h${at}.org`) }, /^spec\.hosts: Too many: 101/],
    ['another issuer', { issuer: 'letsencrypt' }, /^spec\.issuer: Unsupported value: "letsencrypt"/],
    ['a bad name', { secretName: 'Web' }, /^spec\.secretName: Invalid value/],
  ];
  for (const [what, spec, expected] of refused) {
    it(`is refused with ${what}`, () => assert.match(problems(spec).join('\n'), expected));
  }
  it('may have a wildcard of the grid itself, or of somebody who brings it', () => {
    for (const issuer of ['internal', 'imported'])
      assert.deepEqual(problems({ hosts: ['*.web.localhost'], issuer }), []);
  });

  it('keeps its Secret, and may get other hosts and another issuer', () => {
    const changed = (spec: Partial<CertificateSpec>) =>
      validateUpdate(certificates, certificate(spec), certificate()).map(({ field }) => field);
    assert.deepEqual(changed({ hosts: ['www.example.org'] }), []);
    assert.deepEqual(changed({ secretName: 'other' }), ['spec.secretName']);
    assert.deepEqual(changed({ issuer: 'internal' }), []);
  });

  it('shows when it ends', () => {
    const nowMs = Date.UTC(2026, 0, 11);
    const ready = { type: 'Ready', status: 'True' as const, reason: 'Valid', message: '', lastTransitionTime: '' };
    const cells = (status: Certificate['status']) =>
      renderTable(certificates, [certificate({}, status)], { nowMs }).rows[0]?.cells.slice(0, 5);
    assert.deepEqual(cells({}), ['web', 'shop.example.org', 'acme', 'Unknown', '<none>']);
    assert.deepEqual(cells({ conditions: [ready], notAfter: '2026-03-12T00:00:00Z' })?.slice(3), ['True', '60d']);
    assert.deepEqual(cells({ notAfter: '2026-01-01T00:00:00Z' })?.slice(3), ['Unknown', 'expired']);
  });

  it('has its own name where it names no Secret', () => {
    assert.equal(secretNameOf(certificate()), 'web');
    assert.equal(secretNameOf(certificate({ secretName: 'tls' })), 'tls');
  });
});
