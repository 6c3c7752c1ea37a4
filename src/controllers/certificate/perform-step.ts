import { AcmeFailed } from '../../adapters/acme/port.ts';
import { secretNameOf } from '../../resources/certificates.ts';
import { formatTime } from '../../resources/conditions.ts';
import type { GridIngress } from '../../resources/grid-ingress.ts';
import type { Certificate, Secret } from '../../resources/kinds.ts';
import type { ControllerContext } from '../controller-context.ts';
import type { ObjectWriter } from '../object-writer.ts';
import { controllerOf } from '../owners.ts';
import type { SharedInformer } from '../shared-informer.ts';
import type { AcmeAccount } from './acme-account.ts';
import type { AuthorityKeeper } from './authority.ts';
import { followOrder, isPassing, type OrderKeys, placeOrder } from './order.ts';
import { type CertificateObservation, type CertificateStep, planCertificate } from './plan.ts';
import { retryMs } from './retry.ts';
import { type IssuedTls, orderKeyName, orderKeySecret, textIn, tlsSecret } from './secrets.ts';
import { type CertificateOutcome, statusAfter } from './status.ts';

/** What came of a step, and when to look again. */
export interface Performed {
  readonly outcome: CertificateOutcome;
  readonly againAfterMs?: number;
  /** To be done once the status is written: until then another leader may need what it takes away. */
  readonly cleanUp?: (signal: AbortSignal) => Promise<void>;
}

export interface StepPerformerOptions {
  readonly context: ControllerContext;
  readonly secrets: SharedInformer<Secret>;
  readonly writer: ObjectWriter;
  readonly authority: AuthorityKeeper;
  /** Absent: no ACME server is asked. */
  readonly account: AcmeAccount | undefined;
  /** The same, as it would be seen now. */
  readonly observe: (key: string, certificate: Certificate, settings: GridIngress) => CertificateObservation;
}

export type PerformStep = (
  key: string,
  step: CertificateStep,
  observed: CertificateObservation,
  settings: GridIngress,
  signal: AbortSignal,
) => Promise<Performed>;

/** Does steps of Certificates: asks the ACME server, signs, writes Secrets. The caller writes the status. */
export function createStepPerformer(options: StepPerformerOptions): PerformStep {
  const { context, secrets, writer, authority, account, observe } = options;
  const { events, log } = context;

  const perform: PerformStep = async (key, step, observed, settings, signal) => {
    const { certificate, nowMs } = observed;
    const { hosts } = certificate.spec;
    switch (step.type) {
      case 'rest':
        return { outcome: { type: 'none', ...(step.isCurrent ? { isCurrent: true } : {}) } };
      case 'refuse':
        return { outcome: { type: 'refused', reason: step.reason, message: step.message } };
      case 'settle':
        return { outcome: { type: 'settled' }, cleanUp: (until) => removeOrderKey(certificate, until) };
      case 'giveUp':
        return failed(observed, step.message, false);
      case 'sign':
        log.info('signs a certificate', { certificate: key, hosts, why: step.why });
        return await store(key, observed, await authority.sign(hosts, settings.baseDomain, signal), settings, signal);
      case 'begin': {
        const order = { startTime: formatTime(nowMs), directoryURL: settings.acme?.directoryURL ?? '' };
        log.info('asks for a certificate', { certificate: key, hosts, why: step.why });
        return { outcome: { type: 'begun', order, why: step.why } };
      }
      default:
        return await performOrder(key, step.type, observed, settings, signal);
    }
  };

  async function performOrder(
    key: string,
    type: 'place' | 'offer' | 'follow',
    observed: CertificateObservation,
    settings: GridIngress,
    signal: AbortSignal,
  ): Promise<Performed> {
    const { certificate, nowMs } = observed;
    const { order } = certificate.status ?? {};
    const { hosts } = certificate.spec;
    if (!order || !account || !settings.acme) throw new Error(`Certificate ${key} has no order to ${type}`);
    try {
      const acme = await account.open(settings.acme, signal);
      if (type === 'place') {
        return { outcome: { type: 'placed', ...(await placeOrder(acme, hosts, order, signal)) } };
      }
      if (type === 'offer') {
        for (const url of order.challengeURLs ?? []) await acme.offerChallenge(url, signal);
        return { outcome: { type: 'offered', order: { ...order, offerTime: formatTime(nowMs) } } };
      }
      const ageMs = nowMs - Date.parse(order.offerTime ?? order.startTime);
      const progress = await followOrder(acme, order, hosts, orderKeys(certificate), Math.max(0, ageMs), signal);
      if (progress.type === 'waits') return { outcome: { type: 'none' }, againAfterMs: progress.againAfterMs };
      return await store(key, observed, progress, settings, signal);
    } catch (error) {
      if (!(error instanceof AcmeFailed)) throw error;
      account.forget();
      log.warn('no certificate', { certificate: key, error });
      return failed(observed, error.message, type !== 'place' && isPassing(error), error.retryAfterMs);
    }
  }

  function failed(
    { certificate, nowMs }: CertificateObservation,
    message: string,
    keepsOrder: boolean,
    retryAfterMs?: number,
  ): Performed {
    const waitMs = retryMs((certificate.status?.failures ?? 0) + 1, retryAfterMs);
    events.record(certificate, 'Warning', 'NotIssued', message);
    return { outcome: { type: 'failed', message, keepsOrder, nextAttemptMs: nowMs + waitMs }, againAfterMs: waitMs };
  }

  /** Into the Secret; one that is of no use by this server's clock counts as a failure, or it would be asked for for ever. */
  async function store(
    key: string,
    observed: CertificateObservation,
    issued: IssuedTls,
    settings: GridIngress,
    signal: AbortSignal,
  ): Promise<Performed> {
    const { certificate } = observed;
    const name = `${certificate.metadata.namespace ?? ''}/${secretNameOf(certificate)}`;
    const old = secrets.get(name);
    const secret = tlsSecret(certificate, certificate.spec.issuer, issued, old);
    const written = old ? await writer.update(secrets, secret, signal) : await writer.create(secrets, secret, signal);
    if (!written) throw new Error(`Secret ${name} has appeared meanwhile`); // seen by the next try
    const after = observe(key, { ...certificate, status: statusAfter(observed, { type: 'issued' }) }, settings);
    const next = planCertificate(after);
    if (next.type !== 'rest') {
      const why = 'why' in next ? next.why : next.type;
      const message = `the certificate that was issued is of no use, ${why}: is this server's clock right?`;
      return failed(observed, message, false);
    }
    events.record(certificate, 'Normal', 'Issued', `Secret ${secretNameOf(certificate)} has a new certificate`);
    log.info('a certificate was issued', { certificate: key, hosts: certificate.spec.hosts });
    return { outcome: { type: 'issued' }, cleanUp: (until) => removeOrderKey(certificate, until) };
  }

  function orderKeys(certificate: Certificate): OrderKeys {
    const read = () => {
      const secret = orderKeyOf(certificate);
      return secret && textIn(secret, 'tls.key');
    };
    return {
      read,
      ensure: async (make, signal) => {
        const known = read();
        if (known !== undefined) return known;
        const made = await writer.create(secrets, orderKeySecret(certificate, make()), signal);
        if (made) return textIn(made, 'tls.key');
        throw new Error(
          `Secret ${orderKeyName(certificate)} exists and is not of Certificate ${certificate.metadata.name}`,
        );
      },
    };
  }

  function orderKeyOf(certificate: Certificate): Secret | undefined {
    const secret = secrets.get(`${certificate.metadata.namespace ?? ''}/${orderKeyName(certificate)}`);
    return secret && controllerOf(secret)?.uid === certificate.metadata.uid ? secret : undefined;
  }

  async function removeOrderKey(certificate: Certificate, signal: AbortSignal): Promise<void> {
    const secret = orderKeyOf(certificate);
    if (secret) await writer.remove(secrets, secret, { signal });
  }

  return perform;
}
