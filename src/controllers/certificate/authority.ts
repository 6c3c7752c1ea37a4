import { createPublicKey, randomBytes } from 'node:crypto';
import { inspectAuthority, subjectOf } from '../../lib/x509/inspect-authority.ts';
import { type CertificateSubject, issueCertificate } from '../../lib/x509/issue-certificate.ts';
import { newKeyPem } from '../../lib/x509/new-key.ts';
import { authorityConfigMap, authoritySecret, systemNamespace } from '../../resources/certificates.ts';
import type { ConfigMap, Secret } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import type { ControllerContext } from '../controller-context.ts';
import type { ObjectWriter } from '../object-writer.ts';
import type { SharedInformer } from '../shared-informer.ts';
import { type Authority, authorityLifeMs, planAuthority } from './authority-plan.ts';
import { base64, type IssuedTls, textIn } from './secrets.ts';

export const authorityKey = `${systemNamespace}/${authoritySecret}`;
/** No type of Kubernetes': ingress nodes read those, and this key is none of their business. */
const authorityType = 'flotilla.dev/authority';
const leafLifeMs = 90 * 86_400_000;
/** Clocks of clients differ, by whole hours where somebody mistook the zone. */
const backdatedMs = 86_400_000;

export interface AuthorityKeeperOptions {
  readonly context: ControllerContext;
  readonly secrets: SharedInformer<Secret>;
  readonly configMaps: SharedInformer<ConfigMap>;
  readonly writer: ObjectWriter;
}

/** The grid's own authority, for names that no other certifies. Apart from the cluster's: nobody in it gets rights by it. */
export interface AuthorityKeeper {
  /** PEM; undefined: there is none yet. */
  certificate(): string | undefined;
  /** Signs with the authority of now, which is made when it is missing or does not do any more. */
  sign(hosts: readonly string[], baseDomain: string | undefined, signal: AbortSignal): Promise<IssuedTls>;
}

export function createAuthorityKeeper(options: AuthorityKeeperOptions): AuthorityKeeper {
  const { context, secrets, configMaps, writer } = options;
  const { clock, log, events } = context;

  function kept(): Authority | undefined {
    const secret = secrets.get(authorityKey);
    if (!secret) return undefined;
    const domains = secret.metadata.annotations?.[annotations.authorityDomains]?.split(',') ?? [];
    return { certificate: textIn(secret, 'ca.crt'), key: textIn(secret, 'ca.key'), domains };
  }

  async function ensure(baseDomain: string | undefined, signal: AbortSignal): Promise<Authority> {
    const found = kept();
    const domains = planAuthority(found, baseDomain, clock.wallMs());
    if (domains === undefined && found) {
      await publish(found, signal);
      return found;
    }
    const made = makeAuthority(domains ?? [], clock.wallMs());
    const old = secrets.get(authorityKey);
    const secret: Secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        ...(old?.metadata ?? { name: authoritySecret, namespace: systemNamespace }),
        annotations: { ...old?.metadata.annotations, [annotations.authorityDomains]: made.domains.join(',') },
      },
      type: authorityType,
      data: { 'ca.crt': base64(made.certificate), 'ca.key': base64(made.key) },
    };
    const written = old ? await writer.update(secrets, secret, signal) : await writer.create(secrets, secret, signal);
    if (!written) throw new Error(`Secret ${authorityKey} has appeared meanwhile`); // seen by the next try
    log.info('an authority of the grid was made', { domains: made.domains });
    events.record(written, 'Normal', 'AuthorityMade', `signs for names below ${made.domains.join(', ')}`);
    await publish(made, signal);
    return made;
  }

  /** Where everybody may read it. */
  async function publish({ certificate }: Authority, signal: AbortSignal): Promise<void> {
    const old = configMaps.get(`${systemNamespace}/${authorityConfigMap}`);
    if (old?.data?.['ca.crt'] === certificate) return;
    const data = { 'ca.crt': certificate };
    const metadata = old?.metadata ?? { name: authorityConfigMap, namespace: systemNamespace };
    const next: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
    if (old) await writer.update(configMaps, next, signal);
    else await writer.create(configMaps, next, signal);
  }

  return {
    certificate: () => kept()?.certificate,
    sign: async (hosts, baseDomain, signal) => signLeaf(await ensure(baseDomain, signal), hosts, clock.wallMs()),
  };
}

/** A new authority for names below `domains`, and for no address. */
export function makeAuthority(domains: readonly string[], wallMs: number): Authority {
  const key = newKeyPem();
  const subject: CertificateSubject = [
    ['O', 'Flotilla'],
    ['CN', `Flotilla ingress authority ${randomBytes(4).toString('hex')}`],
  ];
  const times = { notBeforeMs: wallMs - backdatedMs, notAfterMs: wallMs + authorityLifeMs };
  const certificate = issueCertificate(
    { subject, publicKey: createPublicKey(key), role: 'authority', permittedDomains: domains, ...times },
    { subject, keyPem: key },
  );
  return { certificate, key, domains };
}

/** A certificate with a new key for `hosts`. */
export function signLeaf(authority: Authority, hosts: readonly string[], wallMs: number): IssuedTls {
  const key = newKeyPem();
  const end = inspectAuthority(authority.certificate, authority.key)?.notAfterMs ?? wallMs;
  const chain = issueCertificate(
    {
      subject: [['O', 'Flotilla']],
      publicKey: createPublicKey(key),
      role: 'server',
      hosts,
      notBeforeMs: wallMs - backdatedMs,
      notAfterMs: Math.min(wallMs + leafLifeMs, end),
    },
    { subject: subjectOf(authority.certificate), keyPem: authority.key },
  );
  return { chain, key, authority: authority.certificate };
}
