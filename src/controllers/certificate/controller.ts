import type { WorkResult } from '../../lib/work-queue.ts';
import { secretNameOf } from '../../resources/certificates.ts';
import type { GridIngress } from '../../resources/grid-ingress.ts';
import {
  type Certificate,
  certificates as certificateKind,
  ingressClasses as classKind,
  configMaps as configMapKind,
  ingresses as ingressKind,
  nodes as nodeKind,
  secrets as secretKind,
} from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createIngressFollowers, deadAfterMs } from '../ingress-followers.ts';
import { createObjectWriter } from '../object-writer.ts';
import { controllerOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { isSame } from '../same.ts';
import { acmeAccountKey, createAcmeAccount } from './acme-account.ts';
import { authorityKey, createAuthorityKeeper } from './authority.ts';
import { authorityProblem } from './authority-plan.ts';
import { noticesOf } from './expiry.ts';
import { startCertificatesForIngresses } from './for-ingresses.ts';
import { createHostClaims } from './host-claims.ts';
import { createStepPerformer } from './perform-step.ts';
import { type CertificateObservation, expiryWarning, planCertificate } from './plan.ts';
import { createSecretReader } from './secrets.ts';
import { type CertificateOutcome, statusAfter } from './status.ts';
import { startTlsSecrets } from './tls-secrets.ts';

/** The wall clock may be set meanwhile. */
const recheckMs = 3_600_000;

/**
 * Issues and renews what Certificates ask for. Writes: Certificate.status, their Secrets, the grid's ACME account and its own
 * authority (Secrets and a ConfigMap in `flotilla-system`), Certificates for Ingress objects.
 */
export function startCertificateController(context: ControllerContext): RunningController {
  const { client, clock, events, gridSettings, informers, liveness, loadAcme } = context;
  const certificates = informers.of(certificateKind);
  const secrets = informers.of(secretKind);
  const writer = createObjectWriter(client);
  const configMaps = informers.of(configMapKind);
  const reader = createSecretReader();
  const authority = createAuthorityKeeper({ context, secrets, configMaps, writer });
  const account = loadAcme && createAcmeAccount({ context, secrets, writer, loadAcme });
  const followers = createIngressFollowers({ grid: client.grid, nodes: informers.of(nodeKind), liveness, clock });
  const perform = createStepPerformer({ context, secrets, writer, authority, account, observe });
  const ingresses = informers.of(ingressKind);
  const claims = createHostClaims(ingresses, informers.of(classKind));
  certificates.index('secret', (one) => [secretKeyOf(one)]);
  certificates.index('refused', ({ status }) => (status?.conditions?.some(isTaken) ? ['taken'] : []));
  /** Key → `startTime` of the order that this leader began. */
  const ownStartTimes = new Map<string, string>();
  /** Key → since when nodes are waited for, monotonic. */
  const lagging = new Map<string, number>();
  /** Key → how many notices of its end people have had. */
  const noticed = new Map<string, number>();

  const queue = startReconciler({ name: 'certificate', context, reconcile });
  const accounts = startReconciler({ name: 'acme-account', context, reconcile: reconcileAccount, concurrency: 1 });
  const everything = () => {
    for (const { metadata } of certificates.list()) queue.add(`${metadata.namespace ?? ''}/${metadata.name}`);
    accounts.add(acmeAccountKey);
  };
  certificates.onChange((key) => queue.add(key));
  secrets.onChange((key, secret, old) => {
    const [namespace] = key.split('/', 1);
    for (const { metadata } of certificates.byIndex('secret', key)) queue.add(`${namespace}/${metadata.name}`);
    const owner = [secret, old]
      .map((one) => one && controllerOf(one))
      .find((one) => one?.kind === certificateKind.kind);
    if (owner) queue.add(`${namespace}/${owner.name}`);
    if (key === authorityKey) everything();
    if (key !== acmeAccountKey || isSame(secret?.data, old?.data)) return;
    account?.forget();
    everything();
  });
  ingresses.onChange(() => {
    for (const { metadata } of certificates.byIndex('refused', 'taken'))
      queue.add(`${metadata.namespace}/${metadata.name}`);
  });
  const stopFollowing = gridSettings.onChange(everything);
  const stopListening = followers.onChange(() => {
    for (const key of lagging.keys()) queue.add(key);
  });
  accounts.add(acmeAccountKey);
  const parts = [startCertificatesForIngresses(context), startTlsSecrets(context, reader)];

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const certificate = certificates.get(key);
    if (!certificate || certificates.isBeingDeleted(certificate)) {
      for (const map of [ownStartTimes, lagging, noticed]) map.delete(key);
      return;
    }
    const settings = await gridSettings.ingress();
    const observed = observe(key, certificate, settings);
    const step = planCertificate(observed);
    const { outcome, againAfterMs, cleanUp } = await perform(key, step, observed, settings, signal);
    await writeStatus(key, certificate, settings, outcome, signal);
    await cleanUp?.(signal);
    // Not before it is written: of two that begin in one second, one has not.
    if (outcome.type === 'begun') ownStartTimes.set(key, outcome.order.startTime);
    tellExpiry(key, observed);
    const untilMs = step.type === 'rest' ? step.untilMs : undefined;
    const waitMs = againAfterMs ?? (untilMs === undefined ? recheckMs : Math.max(10, untilMs - clock.wallMs()));
    return { againAfterMs: Math.min(lagging.has(key) ? deadAfterMs : recheckMs, waitMs) };
  }

  function observe(key: string, certificate: Certificate, settings: GridIngress): CertificateObservation {
    const secret = secrets.get(secretKeyOf(certificate));
    return {
      certificate,
      secret: secret && reader.observe(secret, certificate, authority.certificate()),
      acme: account && settings.acme,
      claimProblem: claims.problemOf(certificate),
      authorityProblem: authorityProblem(certificate.spec.hosts, settings.baseDomain),
      ownStartTime: ownStartTimes.get(key),
      laggingSinceMs: laggingSince(key, certificate),
      request: certificate.metadata.annotations?.[annotations.renewRequested],
      nowMs: clock.wallMs(),
    };
  }

  /** As a time of the wall clock; undefined: every ingress node that is heard answers the challenges, or nobody asks. */
  function laggingSince(key: string, { metadata, status }: Certificate): number | undefined {
    const isAwaited = status?.challenges !== undefined && status.order?.offerTime === undefined;
    const slow = isAwaited ? followers.at('certificates', Number(metadata.resourceVersion)).lagging : [];
    if (slow.length === 0) {
      lagging.delete(key);
      return undefined;
    }
    const nowMs = clock.monotonicMs();
    const sinceMs = lagging.get(key) ?? nowMs;
    lagging.set(key, sinceMs);
    return clock.wallMs() - (nowMs - sinceMs);
  }

  /** On the revision that was read: what somebody else wrote meanwhile makes it a conflict, and another turn. */
  async function writeStatus(
    key: string,
    certificate: Certificate,
    settings: GridIngress,
    outcome: CertificateOutcome,
    signal: AbortSignal,
  ): Promise<void> {
    const status = statusAfter(observe(key, certificate, settings), outcome);
    if (isSame(status, certificate.status ?? {})) return;
    await writer.updateStatus(certificates, { ...certificate, status }, signal);
  }

  function tellExpiry(key: string, observed: CertificateObservation): void {
    const { secret, certificate, nowMs } = observed;
    const notices = secret?.facts ? noticesOf(secret.facts, certificate.spec.issuer) : [];
    const passed = notices.filter((atMs) => atMs <= nowMs).length;
    const warning = expiryWarning(observed);
    if (warning !== undefined && passed > (noticed.get(key) ?? 0)) {
      events.record(certificate, 'Warning', 'CertificateExpiresSoon', warning);
    }
    noticed.set(key, passed);
  }

  async function reconcileAccount(_key: string, signal: AbortSignal): Promise<WorkResult> {
    const { acme } = await gridSettings.ingress();
    return acme && (await account?.register(acme, signal));
  }

  return {
    stop: async () => {
      stopFollowing();
      stopListening();
      await Promise.all([queue.stop(), accounts.stop(), ...parts.map((part) => part.stop())]);
    },
  };
}

function isTaken({ reason }: { readonly reason?: string }): boolean {
  return reason === 'HostTaken';
}

function secretKeyOf(certificate: Certificate): string {
  return `${certificate.metadata.namespace ?? ''}/${secretNameOf(certificate)}`;
}
