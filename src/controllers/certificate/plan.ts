import type { CertificateFacts, InspectedTls } from '../../lib/x509/inspect-certificate.ts';
import { type Certificate, namesCover, secretNameOf } from '../../resources/certificates.ts';
import { noticesOf, renewalMsOf, whenText } from './expiry.ts';

/** The Secret that a Certificate names. */
export interface ObservedSecret extends InspectedTls {
  /** Made by this controller for this Certificate: it may be written. */
  readonly isOwn: boolean;
  /** Who signed what is in it, as its annotation says. */
  readonly issuer?: string;
  /** Its signer is the authority that the grid has now; for `internal`. */
  readonly isOfAuthority?: boolean;
}

export interface CertificateObservation {
  readonly certificate: Certificate;
  readonly secret: ObservedSecret | undefined;
  /** The grid's ACME server. */
  readonly acme: { readonly directoryURL: string } | undefined;
  /** Which of its hosts is another namespace's. */
  readonly claimProblem?: string | undefined;
  /** Why the grid's own authority does not sign for these hosts. */
  readonly authorityProblem?: string | undefined;
  /** `startTime` of the order that this very controller has begun. */
  readonly ownStartTime?: string | undefined;
  /** Since when ingress nodes are waited for that do not answer the challenges yet; undefined: all do. */
  readonly laggingSinceMs?: number | undefined;
  /** Somebody asked for a new one; the text is another one each time. */
  readonly request?: string | undefined;
  readonly nowMs: number;
}

export type CertificateStep =
  /** Nothing to do before `untilMs`; undefined: before something changes. `isCurrent`: no other certificate is needed now. */
  | { readonly type: 'rest'; readonly untilMs: number | undefined; readonly isCurrent?: boolean }
  /** Cannot be got as things are. */
  | { readonly type: 'refuse'; readonly reason: string; readonly message: string }
  /** By the grid's own authority. */
  | { readonly type: 'sign'; readonly why: string }
  /** Says in the object that an order is about to be placed: whoever leads next knows. */
  | { readonly type: 'begin'; readonly why: string }
  | { readonly type: 'place' }
  /** The server may look: ingress nodes answer, or have been waited for long enough. */
  | { readonly type: 'offer' }
  /** Asks how the order is, and goes on with it. */
  | { readonly type: 'follow' }
  /** The order leads nowhere. */
  | { readonly type: 'giveUp'; readonly message: string }
  /** It has led to what is in the Secret. */
  | { readonly type: 'settle' };

/** So long ingress nodes are waited for. */
export const nodePatienceMs = 10_000;
/** No call to an ACME server takes longer: whoever began an order and said nothing for so long is gone. */
export const intentPatienceMs = 30_000;
/** ACME servers forget them after a day or a week; one that takes an hour needs to be looked at. */
export const orderPatienceMs = 3_600_000;
/** No server means it when it says later than in so long: the clock was set. */
const longestWaitMs = 8 * 86_400_000;
/** What is signed here begins a day ago; so far into the future it begins only when the clock was wrong. */
const clockErrorMs = 86_400_000;

/** The next thing to do for one certificate. */
export function planCertificate(observed: CertificateObservation): CertificateStep {
  const { certificate, secret } = observed;
  const { issuer } = certificate.spec;
  const order = certificate.status?.order;
  if (issuer === 'imported' || (secret && !secret.isOwn)) {
    return order ? { type: 'settle' } : { type: 'rest', untilMs: nextNoticeMs(observed) };
  }
  const why = reasonForNew(observed);
  if (why === undefined) {
    if (order) return { type: 'settle' };
    const { facts } = secret ?? {};
    const untilMs = facts && Math.min(renewalMsOf(facts), nextNoticeMs(observed) ?? Number.POSITIVE_INFINITY);
    return { type: 'rest', untilMs, isCurrent: true };
  }
  if (observed.claimProblem !== undefined) {
    return { type: 'refuse', reason: 'HostTaken', message: observed.claimProblem };
  }
  if (issuer === 'acme' && !observed.acme) {
    const hint = 'flotilla certificate register EMAIL';
    return { type: 'refuse', reason: 'NoAcmeServer', message: `the grid has no account with an ACME server: ${hint}` };
  }
  if (issuer === 'internal' && observed.authorityProblem !== undefined) {
    return { type: 'refuse', reason: 'NotPermitted', message: observed.authorityProblem };
  }
  const waitMs = waitsUntilMs(observed);
  if (waitMs !== undefined) return { type: 'rest', untilMs: waitMs };
  if (issuer === 'internal') return { type: 'sign', why };
  return planOrder(observed, why);
}

function planOrder(observed: CertificateObservation, why: string): CertificateStep {
  const { certificate, acme, nowMs } = observed;
  const order = certificate.status?.order;
  if (!order || order.directoryURL !== acme?.directoryURL) return { type: 'begin', why };
  const ageMs = nowMs - Date.parse(order.startTime);
  // Begun in the future: somebody set the clock back.
  if (ageMs > orderPatienceMs || ageMs < -orderPatienceMs) {
    return { type: 'giveUp', message: `the order of ${order.startTime} did not come to an end` };
  }
  if (order.url === undefined) {
    if (order.startTime === observed.ownStartTime) return { type: 'place' };
    // Another leader began it, and may still be asking.
    if (Math.abs(ageMs) > intentPatienceMs) return { type: 'begin', why };
    return { type: 'rest', untilMs: nowMs + intentPatienceMs - Math.max(0, ageMs) };
  }
  if (order.offerTime !== undefined || (order.challengeURLs ?? []).length === 0) return { type: 'follow' };
  const { laggingSinceMs } = observed;
  if (laggingSinceMs === undefined || nowMs - laggingSinceMs >= nodePatienceMs) return { type: 'offer' };
  return { type: 'rest', untilMs: laggingSinceMs + nodePatienceMs };
}

/** Why a new certificate is needed; undefined: it is not. */
function reasonForNew(observed: CertificateObservation): string | undefined {
  const { certificate, secret, nowMs } = observed;
  const { issuer, hosts } = certificate.spec;
  if (!secret) return 'there is none';
  const { facts } = secret;
  if (secret.problem !== undefined || !facts) return secret.problem ?? 'there is none';
  if (!namesCover(facts.names, hosts)) return 'it is for other hosts';
  if (secret.issuer !== issuer) return `it was signed by another issuer, ${secret.issuer ?? 'unknown'}`;
  if (issuer === 'internal' && secret.isOfAuthority === false) return 'the authority of the grid is a new one';
  if (issuer === 'internal' && facts.notBeforeMs > nowMs + clockErrorMs) return 'it holds from a future day';
  if (facts.notAfterMs <= nowMs) return `it ended ${whenText(facts.notAfterMs, nowMs)}`;
  if (renewalMsOf(facts) <= nowMs) return `it ends ${whenText(facts.notAfterMs, nowMs)}`;
  return isRequested(observed) ? 'somebody asked for a new one' : undefined;
}

function isRequested({ certificate, request }: CertificateObservation): boolean {
  return request !== undefined && request !== certificate.status?.followedRequest;
}

function isUntried({ certificate, request }: CertificateObservation): boolean {
  return request !== undefined && request !== certificate.status?.triedRequest;
}

/** After a failure; what somebody asks for is tried at once, and an order that runs goes on. */
function waitsUntilMs(observed: CertificateObservation): number | undefined {
  const { nextAttemptTime } = observed.certificate.status ?? {};
  if (nextAttemptTime === undefined || isUntried(observed)) return undefined;
  const atMs = Date.parse(nextAttemptTime);
  return atMs > observed.nowMs && atMs < observed.nowMs + longestWaitMs ? atMs : undefined;
}

function nextNoticeMs({ certificate, secret, nowMs }: CertificateObservation): number | undefined {
  if (!secret?.facts) return undefined;
  return noticesOf(secret.facts, certificate.spec.issuer).find((atMs) => atMs > nowMs);
}

export interface Readiness {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** Whether clients are shown a certificate that holds. */
export function readinessOf(observed: CertificateObservation): Readiness {
  const { certificate, secret, nowMs } = observed;
  const { spec, metadata } = certificate;
  const name = `${metadata.namespace ?? ''}/${secretNameOf(certificate)}`;
  const no = (reason: string, message: string): Readiness => ({ status: 'False', reason, message });
  if (!secret) {
    return spec.issuer === 'imported'
      ? no('Missing', `Secret ${name} does not exist: flotilla certificate import`)
      : no('Pending', `Secret ${name} does not exist yet`);
  }
  if (!secret.isOwn && spec.issuer !== 'imported') {
    return no('SecretTaken', `Secret ${name} was not made for this Certificate, and is left alone: rename one of them`);
  }
  const { facts } = secret;
  if (secret.problem !== undefined || !facts)
    return no('Invalid', `Secret ${name}: ${secret.problem ?? 'no certificate'}`);
  if (!namesCover(facts.names, spec.hosts)) {
    return no('OtherHosts', `Secret ${name} is for ${facts.names.join(', ')}, not for all of ${spec.hosts.join(', ')}`);
  }
  if (facts.notAfterMs <= nowMs) return no('Expired', `Secret ${name}: ${expiredText(facts, nowMs)}`);
  if (facts.notBeforeMs > nowMs + 60_000) {
    return no('NotYetValid', `Secret ${name} holds from ${timeText(facts.notBeforeMs)} on: is a clock wrong?`);
  }
  return { status: 'True', reason: 'Valid', message: `holds until ${timeText(facts.notAfterMs)}` };
}

/** One sentence when people should know that it ends; undefined: not yet. */
export function expiryWarning({ certificate, secret, nowMs }: CertificateObservation): string | undefined {
  const { facts } = secret ?? {};
  const { issuer } = certificate.spec;
  if (!facts || (noticesOf(facts, issuer)[0] ?? 0) > nowMs) return undefined;
  const what = `certificate for ${facts.names.join(', ')} in Secret ${secretNameOf(certificate)}`;
  if (facts.notAfterMs <= nowMs) return `${what}: ${expiredText(facts, nowMs)}`;
  const next = issuer === 'imported' ? 'import a new one' : 'it has not been renewed, see why in condition Issuing';
  return `${what} ends ${whenText(facts.notAfterMs, nowMs)}, at ${timeText(facts.notAfterMs)}: ${next}`;
}

export function expiredText({ notAfterMs }: CertificateFacts, nowMs: number): string {
  return `it ended ${whenText(notAfterMs, nowMs)}, at ${timeText(notAfterMs)}`;
}

export function timeText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}
