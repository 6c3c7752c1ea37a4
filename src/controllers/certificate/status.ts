import type { CertificateChallenge, CertificateOrder, CertificateStatus } from '../../resources/certificates.ts';
import { certificateConditions } from '../../resources/certificates.ts';
import { type AnyCondition, formatTime, removeCondition, setCondition } from '../../resources/conditions.ts';
import { renewalMsOf } from './expiry.ts';
import { type CertificateObservation, expiryWarning, readinessOf, timeText } from './plan.ts';

/** What came of a step. */
export type CertificateOutcome =
  | { readonly type: 'none'; readonly isCurrent?: boolean }
  | { readonly type: 'begun'; readonly order: CertificateOrder; readonly why: string }
  | {
      readonly type: 'placed';
      readonly order: CertificateOrder;
      readonly challenges: readonly CertificateChallenge[];
    }
  | { readonly type: 'offered'; readonly order: CertificateOrder }
  /** A Secret was written. */
  | { readonly type: 'issued' }
  | { readonly type: 'settled' }
  | { readonly type: 'refused'; readonly reason: string; readonly message: string }
  | { readonly type: 'failed'; readonly message: string; readonly keepsOrder: boolean; readonly nextAttemptMs: number };

/** The whole status, from what is in the Secret and from what came of the last step. */
export function statusAfter(observed: CertificateObservation, outcome: CertificateOutcome): CertificateStatus {
  const old = observed.certificate.status ?? {};
  const { issuer } = observed.certificate.spec;
  const { facts } = observed.secret ?? {};
  const isManaged = issuer !== 'imported';
  return {
    conditions: conditionsAfter(observed, outcome),
    ...(facts
      ? {
          notBefore: timeText(facts.notBeforeMs),
          notAfter: timeText(facts.notAfterMs),
          serialNumber: facts.serialNumber,
          issuedBy: facts.issuedBy,
          ...(isManaged && observed.secret?.isOwn ? { renewalTime: timeText(renewalMsOf(facts)) } : {}),
        }
      : {}),
    ...(isManaged ? progressAfter(old, outcome, observed.request) : {}),
  };
}

type Progress = Pick<
  CertificateStatus,
  'triedRequest' | 'followedRequest' | 'failures' | 'nextAttemptTime' | 'order' | 'challenges'
>;

function progressAfter(old: CertificateStatus, outcome: CertificateOutcome, request: string | undefined): Progress {
  const { triedRequest, followedRequest, failures, nextAttemptTime, order, challenges } = old;
  const followed = followedRequest === undefined ? {} : { followedRequest };
  const last = { ...(triedRequest === undefined ? {} : { triedRequest }), ...followed };
  const now = { ...(request === undefined ? {} : { triedRequest: request }), ...followed };
  const tries = {
    ...(failures === undefined ? {} : { failures }),
    ...(nextAttemptTime === undefined ? {} : { nextAttemptTime }),
  };
  const running = { ...(order ? { order } : {}), ...(challenges ? { challenges } : {}) };
  switch (outcome.type) {
    case 'none':
      return outcome.isCurrent ? last : { ...last, ...tries, ...running };
    case 'begun':
      return { ...now, ...(failures === undefined ? {} : { failures }), order: outcome.order };
    case 'placed':
      return {
        ...{ ...last, ...tries, order: outcome.order },
        ...(outcome.challenges.length > 0 ? { challenges: [...outcome.challenges] } : {}),
      };
    case 'offered':
      return { ...last, ...tries, order: outcome.order, ...(challenges ? { challenges } : {}) };
    case 'issued':
      return request === undefined ? {} : { triedRequest: request, followedRequest: request };
    case 'settled':
    case 'refused':
      return last;
    case 'failed':
      return {
        ...now,
        ...{ failures: (failures ?? 0) + 1, nextAttemptTime: formatTime(outcome.nextAttemptMs) },
        ...(outcome.keepsOrder ? running : {}),
      };
  }
}

function conditionsAfter(observed: CertificateObservation, outcome: CertificateOutcome): Condition[] {
  const { certificate, nowMs } = observed;
  const ready = { type: certificateConditions.ready, ...readinessOf(observed) };
  let list = setCondition<AnyCondition>(certificate.status?.conditions, ready, nowMs);
  const issuing = issuingAfter(observed, outcome);
  const type = certificateConditions.issuing;
  if (certificate.spec.issuer === 'imported') list = removeCondition(list, type);
  else if (issuing) list = setCondition(list, { type, ...issuing }, nowMs);
  const warning = expiryWarning(observed);
  const soon = certificateConditions.expiresSoon;
  list =
    warning === undefined
      ? removeCondition(list, soon)
      : setCondition(list, { type: soon, status: 'True', reason: 'ExpiresSoon', message: warning }, nowMs);
  return list as Condition[];
}

type Condition = NonNullable<CertificateStatus['conditions']>[number];
type Said = { readonly status: string; readonly reason: string; readonly message: string };

/** Undefined: as it was. */
function issuingAfter(observed: CertificateObservation, outcome: CertificateOutcome): Said | undefined {
  const no = (reason: string, message: string): Said => ({ status: 'False', reason, message });
  const { facts } = observed.secret ?? {};
  switch (outcome.type) {
    case 'begun':
      return {
        status: 'True',
        reason: 'OrderRuns',
        message: `asks ${outcome.order.directoryURL}, since ${outcome.why}`,
      };
    case 'refused':
      return no(outcome.reason, outcome.message);
    case 'failed': {
      const tries = (observed.certificate.status?.failures ?? 0) + 1;
      return no(
        'Failed',
        `${outcome.message}; failed ${tries} times, is tried again at ${timeText(outcome.nextAttemptMs)}`,
      );
    }
    case 'issued':
    case 'settled':
      return facts ? no('NotDue', `is renewed at ${timeText(renewalMsOf(facts))}`) : undefined;
    case 'none':
      return outcome.isCurrent && facts ? no('NotDue', `is renewed at ${timeText(renewalMsOf(facts))}`) : undefined;
    default:
      return undefined;
  }
}
