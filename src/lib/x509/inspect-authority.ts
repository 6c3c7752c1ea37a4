import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { CertificateSubject } from './issue-certificate.ts';

/** Until when an authority may sign; undefined: certificate (PEM) and key (PEM) are none, or not of one pair. */
export function inspectAuthority(
  certificatePem: string,
  keyPem: string,
): { readonly notBeforeMs: number; readonly notAfterMs: number } | undefined {
  try {
    const certificate = new X509Certificate(certificatePem);
    if (!certificate.ca || !certificate.checkPrivateKey(createPrivateKey(keyPem))) return undefined;
    return { notBeforeMs: certificate.validFromDate.getTime(), notAfterMs: certificate.validToDate.getTime() };
  } catch {
    return undefined;
  }
}

/** Its name, in the form in which it signs. */
export function subjectOf(certificatePem: string): CertificateSubject {
  return new X509Certificate(certificatePem).subject.split('\n').flatMap((line) => {
    const [, attribute, value = ''] = /^(O|OU|CN)=(.*)$/.exec(line) ?? [];
    return attribute === 'O' || attribute === 'OU' || attribute === 'CN' ? [[attribute, value] as const] : [];
  });
}
