import { createHash } from 'node:crypto';
import type { WorkResult } from '../../lib/work-queue.ts';
import type { Certificate } from '../../resources/certificates.ts';
import { formatTime } from '../../resources/conditions.ts';
import { isOurIngress } from '../../resources/is-our-ingress.ts';
import {
  certificates as certificateKind,
  ingressClasses as classKind,
  ingresses as ingressKind,
  secrets as secretKind,
} from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { startReconciler } from '../reconciler.ts';
import { ingressHostsOf } from './ingress-hosts.ts';
import { isAutomatic, isReady, type NamespaceStep, planNamespace, unusedSinceMs } from './ingress-plan.ts';
import { tlsSecretType } from './secrets.ts';

/** Certificates that nobody uses are kept for a while. */
const recheckMs = 3_600_000;

/** Makes and removes Certificates for Ingress objects, one namespace at a time. Writes: those with the label `automatic-certificate`. */
export function startCertificatesForIngresses(context: ControllerContext): RunningController {
  const { clock, informers, gridSettings, events, log } = context;
  const ingresses = informers.of(ingressKind);
  const classes = informers.of(classKind);
  const certificates = informers.of(certificateKind);
  const secrets = informers.of(secretKind);
  const writer = createObjectWriter(context.client);
  const inNamespace = ({ metadata }: { metadata: { namespace?: string } }) => [metadata.namespace ?? ''];
  ingresses.index('namespace', inNamespace);
  certificates.index('namespace', inNamespace);

  const queue = startReconciler({ name: 'ingress-certificate', context, reconcile });
  const namespaceOf = (key: string) => key.split('/', 1)[0] ?? '';
  const all = () => {
    for (const { metadata } of ingresses.list()) queue.add(metadata.namespace ?? '');
  };
  ingresses.onChange((key) => queue.add(namespaceOf(key)));
  certificates.onChange((key, one, old) => {
    // What an order is at does not matter here, and there are many.
    if (one?.metadata.generation !== old?.metadata.generation || isReady(one) !== isReady(old))
      queue.add(namespaceOf(key));
  });
  secrets.onChange((key, secret, old) => {
    const namespace = namespaceOf(key);
    const isTls = [secret, old].some((one) => one?.type === tlsSecretType);
    if (isTls && ingresses.byIndex('namespace', namespace).length > 0) queue.add(namespace);
  });
  classes.onChange(all);
  const stopFollowing = gridSettings.onChange(all);

  async function reconcile(namespace: string, signal: AbortSignal): Promise<WorkResult> {
    const { acme, baseDomain } = await gridSettings.ingress();
    const known = new Map([...classes.list()].map((one) => [one.metadata.name, one]));
    const ours = ingresses
      .byIndex('namespace', namespace)
      .filter((one) => !ingresses.isBeingDeleted(one) && isOurIngress(one, known))
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    const steps = planNamespace({
      ingresses: ours.map((one) => ingressHostsOf(one, (name) => secrets.get(`${namespace}/${name}`))),
      certificates: certificates.byIndex('namespace', namespace).filter((one) => !certificates.isBeingDeleted(one)),
      hasAcme: acme !== undefined,
      baseDomain,
      nowMs: clock.wallMs(),
      hash: (hosts) => createHash('sha256').update(hosts.join()).digest('hex').slice(0, 10),
    });
    for (const step of steps) await perform(step, namespace, signal);
    const isKept = certificates.byIndex('namespace', namespace).some((one) => unusedSinceMs(one) !== undefined);
    return isKept ? { againAfterMs: recheckMs } : undefined;
  }

  async function perform(step: NamespaceStep, namespace: string, signal: AbortSignal): Promise<void> {
    switch (step.type) {
      case 'create': {
        const { name, hosts, issuer } = step;
        const certificate: Certificate = {
          apiVersion: 'flotilla.dev/v1alpha1',
          kind: 'Certificate',
          metadata: { name, namespace, labels: { [labels.automaticCertificate]: 'true' } },
          spec: { hosts: [...hosts], issuer },
        };
        const made = await writer.create(certificates, certificate, signal);
        if (made) log.info('a certificate is wanted', { namespace, certificate: name, hosts, issuer });
        return;
      }
      case 'change': {
        const { certificate, hosts, issuer } = step;
        const spec = { ...certificate.spec, hosts: [...hosts], issuer };
        await writer.update(certificates, { ...certificate, spec }, signal);
        return;
      }
      case 'markUnused': {
        const { certificate, sinceMs } = step;
        const { [annotations.unusedSince]: _since, ...others } = certificate.metadata.annotations ?? {};
        const since = sinceMs === undefined ? {} : { [annotations.unusedSince]: formatTime(sinceMs) };
        const metadata = { ...certificate.metadata, annotations: { ...others, ...since } };
        await writer.update(certificates, { ...certificate, metadata }, signal);
        return;
      }
      case 'remove':
        if (isAutomatic(step.certificate)) await writer.remove(certificates, step.certificate, { signal });
        return;
      case 'warn': {
        const ingress = ingresses.get(step.key);
        if (ingress) events.record(ingress, 'Warning', step.reason, step.message);
      }
    }
  }

  return {
    stop: async () => {
      stopFollowing();
      await queue.stop();
    },
  };
}
