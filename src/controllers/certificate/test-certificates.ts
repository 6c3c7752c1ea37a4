import type { CertificateFacts } from '../../lib/x509/inspect-certificate.ts';
import type { CertificateIssuer, CertificateStatus } from '../../resources/certificates.ts';
import type { Certificate } from '../../resources/kinds.ts';
import { sampleNowMs } from '../sample-objects.ts';
import type { CertificateObservation, ObservedSecret } from './plan.ts';

/** Objects for tests of certificates, 90 days long, of which `usedDays` have passed. */

export const dayMs = 86_400_000;
export const directoryURL = 'https://acme.example/dir';

export function sampleCertificate(
  given: { hosts?: string[]; issuer?: CertificateIssuer; status?: CertificateStatus; name?: string } = {},
): Certificate {
  const { hosts = ['shop.example.org'], issuer = 'acme', status, name = 'shop.example.org' } = given;
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Certificate',
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion: '7' },
    spec: { hosts, issuer },
    ...(status ? { status } : {}),
  };
}

export function sampleFacts(usedDays: number, names: readonly string[] = ['shop.example.org']): CertificateFacts {
  const notBeforeMs = sampleNowMs - usedDays * dayMs;
  return { names, notBeforeMs, notAfterMs: notBeforeMs + 90 * dayMs, serialNumber: 'AB12', issuedBy: 'Some CA' };
}

export function sampleSecret(usedDays: number, more: Partial<ObservedSecret> = {}): ObservedSecret {
  return { facts: sampleFacts(usedDays), isOwn: true, issuer: 'acme', ...more };
}

export function sampleObservation(given: Partial<CertificateObservation> = {}): CertificateObservation {
  return {
    certificate: sampleCertificate(),
    secret: undefined,
    acme: { directoryURL },
    nowMs: sampleNowMs,
    ...given,
  };
}
