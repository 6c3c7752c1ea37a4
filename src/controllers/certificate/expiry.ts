import type { CertificateFacts } from '../../lib/x509/inspect-certificate.ts';
import type { CertificateIssuer } from '../../resources/certificates.ts';

const dayMs = 86_400_000;

/** Whoever renews by hand is told so long before. */
const longestNoticeMs = 30 * dayMs;

/**
 * At 2/3 of its life, a little earlier for some: certificates made together do not all ask at once. Depends on the certificate
 * alone, so that every leader says the same.
 */
export function renewalMsOf({ notBeforeMs, notAfterMs, serialNumber }: CertificateFacts): number {
  const lifeMs = notAfterMs - notBeforeMs;
  return Math.round(notBeforeMs + lifeMs * (2 / 3 - fractionOf(serialNumber) / 30));
}

/** When people are told that it ends: what renews itself is given the time to. */
export function noticesOf(facts: CertificateFacts, issuer: CertificateIssuer): readonly number[] {
  const { notBeforeMs, notAfterMs } = facts;
  const lifeMs = notAfterMs - notBeforeMs;
  const first =
    issuer === 'imported' ? Math.min(longestNoticeMs, lifeMs / 3) : Math.min(longestNoticeMs / 2, lifeMs / 6);
  return [first, Math.min(7 * dayMs, first / 3), Math.min(dayMs, first / 10), 0].map((left) =>
    Math.round(notAfterMs - left),
  );
}

/** `in 6 days`, `in 40 minutes`, `since 3 hours`. */
export function whenText(atMs: number, nowMs: number): string {
  const ms = Math.abs(atMs - nowMs);
  const [count, unit] =
    ms >= 2 * dayMs
      ? [Math.floor(ms / dayMs), 'days']
      : ms >= 7_200_000
        ? [Math.floor(ms / 3_600_000), 'hours']
        : ms >= 120_000
          ? [Math.floor(ms / 60_000), 'minutes']
          : [Math.round(ms / 1_000), 'seconds'];
  return atMs >= nowMs ? `in ${count} ${unit}` : `${count} ${unit} ago`;
}

/** FNV-1a as a number from 0 to below 1. */
function fractionOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  return (hash >>> 0) / 2 ** 32;
}
