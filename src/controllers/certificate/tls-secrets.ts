import type { WorkResult } from '../../lib/work-queue.ts';
import { namesCover, secretNameOf } from '../../resources/certificates.ts';
import { anyHost, hostsOf } from '../../resources/ingress-facts.ts';
import {
  certificates as certificateKind,
  type Ingress,
  ingresses as ingressKind,
  type Secret,
  secrets as secretKind,
} from '../../resources/kinds.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { refOfKey } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { isSame } from '../same.ts';
import { noticesOf, whenText } from './expiry.ts';
import { expiredText, timeText } from './plan.ts';
import { type SecretReader, tlsSecretType } from './secrets.ts';

/** The wall clock may be set meanwhile. */
const recheckMs = 3_600_000;

/**
 * Says when certificates that somebody brought as a Secret, without a Certificate object, end, cannot be used, or are for other
 * hosts: in Events of the Secret and of the Ingress objects that name it. Metrics for all of them. Writes nothing.
 */
export function startTlsSecrets(context: ControllerContext, reader: SecretReader): RunningController {
  const { client, clock, events, informers, metrics } = context;
  const secrets = informers.of(secretKind);
  const ingresses = informers.of(ingressKind);
  const certificates = informers.of(certificateKind);
  ingresses.index('tls-secret', secretsOf);
  certificates.index('secret', (one) => [`${one.metadata.namespace ?? ''}/${secretNameOf(one)}`]);
  const measured = new Set<string>();
  /** Secret → on whom, and with which reason → what was said last. */
  const said = new Map<string, ReadonlyMap<string, string>>();
  const queue = startReconciler({ name: 'tls-secret', context, reconcile, concurrency: 1 });
  secrets.onChange((key, secret, old) => {
    if (secret?.type === tlsSecretType || old?.type === tlsSecretType) queue.add(key);
  });
  // Whoever names a Secret later than it was looked at is told, too.
  ingresses.onChange((_key, ingress, old) => {
    if (ingress && !isSame(ingress.spec, old?.spec)) for (const key of secretsOf(ingress)) queue.add(key);
  });
  certificates.onChange((_key, certificate, old) => {
    const one = certificate ?? old;
    if (one) queue.add(`${one.metadata.namespace ?? ''}/${secretNameOf(one)}`);
  });

  async function reconcile(key: string): Promise<WorkResult> {
    const secret = secrets.get(key);
    const { namespace = '', name } = refOfKey(key);
    const series = { grid: client.grid, namespace, secret: name };
    if (secret?.type !== tlsSecretType) {
      metrics.certificateExpiry.remove(series);
      measured.delete(key);
      said.delete(key);
      return;
    }
    const { facts, problem } = reader.inspect(secret);
    if (facts) metrics.certificateExpiry.set(Math.floor(facts.notAfterMs / 1_000), series);
    else metrics.certificateExpiry.remove(series);
    measured.add(key);
    if (certificates.byIndex('secret', key).length > 0) return; // its own controller says it
    const { resourceVersion = '' } = secret.metadata;
    const before = said.get(key);
    const now = new Map<string, string>();
    said.set(key, now);
    /** Once on each object for each `stage` of one version of the Secret. */
    const say = (object: Secret | Ingress, reason: string, message: string, stage = '') => {
      const about = `${object.kind} ${object.metadata.uid} ${reason}`;
      const text = `${resourceVersion} ${stage}`;
      now.set(about, text);
      if (before?.get(about) !== text) events.record(object, 'Warning', reason, message);
    };
    const users = ingresses.byIndex('tls-secret', key);
    const sayAll = (reason: string, message: string, stage?: string) => {
      for (const object of [secret, ...users]) say(object, reason, message, stage);
    };
    if (problem !== undefined || !facts) return sayAll('InvalidCertificate', `Secret ${key}: ${problem ?? ''}`);
    const nowMs = clock.wallMs();
    const passed = noticesOf(facts, 'imported').filter((atMs) => atMs <= nowMs);
    const what = `certificate for ${facts.names.join(', ')} in Secret ${key}`;
    if (facts.notAfterMs <= nowMs) sayAll('CertificateExpired', `${what}: ${expiredText(facts, nowMs)}`, '0');
    else if (passed.length > 0) {
      const when = `${what} ends ${whenText(facts.notAfterMs, nowMs)}, at ${timeText(facts.notAfterMs)}`;
      sayAll('CertificateExpiresSoon', `${when}: bring a new one`, String(passed.length));
    }
    for (const user of users) {
      const others = hostsFor(user, name).filter((host) => !namesCover(facts.names, [host]));
      if (others.length === 0) continue;
      const message = `the ${what} is not for ${others.join(', ')}: clients will not take it there`;
      say(user, 'CertificateForOtherHosts', message, others.join(' '));
    }
    const nextMs = noticesOf(facts, 'imported').find((atMs) => atMs > nowMs);
    return nextMs === undefined ? undefined : { againAfterMs: Math.min(recheckMs, nextMs - nowMs) };
  }

  return {
    stop: async () => {
      await queue.stop();
      // The next leader tells them.
      for (const key of measured) {
        const { namespace = '', name } = refOfKey(key);
        metrics.certificateExpiry.remove({ grid: client.grid, namespace, secret: name });
      }
    },
  };
}

function secretsOf({ metadata, spec }: Ingress): readonly string[] {
  return (spec.tls ?? []).flatMap(({ secretName }) =>
    secretName ? [`${metadata.namespace ?? ''}/${secretName}`] : [],
  );
}

/** For which an Ingress object names the Secret. */
function hostsFor(ingress: Ingress, secretName: string): readonly string[] {
  const entries = (ingress.spec.tls ?? []).filter((one) => one.secretName === secretName);
  const all = hostsOf(ingress).filter((host) => host !== anyHost);
  return [...new Set(entries.flatMap(({ hosts = [] }) => (hosts.length > 0 ? hosts : all)))];
}
