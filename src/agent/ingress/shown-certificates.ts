import type { IngressCertificate } from '../../adapters/ingress/port.ts';
import { secretNameOf } from '../../resources/certificates.ts';
import type { Certificate, Secret } from '../../resources/kinds.ts';
import type { CompiledIngress } from './compile-ingress.ts';

/** Everything of one namespace that says which certificate is shown for which host. */
export interface CertificateSources {
  readonly namespace: string;
  /** By the key of the Ingress object; those that are in force. */
  readonly ingresses: ReadonlyMap<string, CompiledIngress>;
  readonly certificates: readonly Certificate[];
  /** Secrets of type `kubernetes.io/tls`, by name. */
  readonly pair: (secretName: string) => KeyPair | undefined;
  /** The key of the Ingress object, of whatever namespace, that has all hosts that nobody else has. */
  readonly anyHost?: string;
}

/** PEM */
export interface KeyPair {
  readonly chain: string;
  readonly key: string;
}

export function keyPairOf({ type, data }: Secret): KeyPair | undefined {
  if (type !== 'kubernetes.io/tls') return undefined;
  return { chain: textOf(data?.['tls.crt']), key: textOf(data?.['tls.key']) };
}

export interface ShownCertificates {
  /** By `<namespace>/<Secret>`. */
  readonly certificates: ReadonlyMap<string, IngressCertificate>;
  /** Which Ingress objects each is for, by the same key. */
  readonly users: ReadonlyMap<string, readonly string[]>;
  /** Hosts whose certificate browsers may know: it is not one that the grid made for itself. */
  readonly publicHosts: ReadonlySet<string>;
  /** By the key of the Ingress object that asks for it. */
  readonly problems: ReadonlyMap<string, readonly string[]>;
}

interface Offer {
  readonly secretName: string;
  /** Somebody wrote it into an Ingress object. */
  readonly isWritten: boolean;
}

/**
 * Which Secret is shown for which host. Only for hosts that Ingress objects of the namespace have: nobody speaks for the host of
 * another one. An exact name goes before a wildcard, what an Ingress object names before what was made for it.
 */
export function shownCertificates(sources: CertificateSources): ShownCertificates {
  const { namespace, ingresses, certificates, anyHost } = sources;
  const issuers = new Map(certificates.map((one) => [secretNameOf(one), one.spec.issuer]));
  const offers = new Map<string, Offer>();
  const problems = new Map<string, readonly string[]>();
  const offer = (name: string, one: Offer) => {
    const known = offers.get(name);
    if (sources.pair(one.secretName) && (!known || isBefore(one, known))) offers.set(name, one);
  };
  for (const [key, { tls }] of ingresses) {
    for (const { hosts, secretName } of tls) {
      for (const name of hosts) offer(name, { secretName, isWritten: true });
      if (sources.pair(secretName) || issuers.has(secretName)) continue;
      const text = `there is no Secret ${namespace}/${secretName} of type kubernetes.io/tls`;
      problems.set(key, [...(problems.get(key) ?? []), text]);
    }
  }
  for (const one of certificates) {
    for (const name of one.spec.hosts) offer(name, { secretName: secretNameOf(one), isWritten: false });
  }

  const shown = new Map<string, { readonly hosts: Set<string>; readonly users: Set<string>; isDefault: boolean }>();
  const show = (secretName: string, user: string) => {
    const key = `${namespace}/${secretName}`;
    const one = shown.get(key) ?? { hosts: new Set<string>(), users: new Set<string>(), isDefault: false };
    shown.set(key, one);
    one.users.add(user);
    return one;
  };
  const publicHosts = new Set<string>();
  for (const [key, { hosts }] of ingresses) {
    for (const host of hosts) {
      const best = offers.get(host) ?? offers.get(`*${host.slice(host.indexOf('.'))}`);
      if (!best) continue;
      show(best.secretName, key).hosts.add(host);
      if (issuers.get(best.secretName) !== 'internal') publicHosts.add(host);
    }
  }
  const first = anyHost === undefined ? undefined : ingresses.get(anyHost)?.tls[0];
  if (anyHost !== undefined && first && sources.pair(first.secretName)) {
    show(first.secretName, anyHost).isDefault = true;
  }
  return {
    certificates: new Map(
      [...shown].flatMap(([key, { hosts, isDefault }]) => {
        const pair = sources.pair(key.slice(namespace.length + 1));
        const one = pair && { hosts: [...hosts].sort(), ...pair, ...(isDefault ? { isDefault } : {}) };
        return one ? [[key, one] as const] : [];
      }),
    ),
    users: new Map([...shown].map(([key, { users }]) => [key, [...users].sort()])),
    ...{ publicHosts, problems },
  };
}

function isBefore(a: Offer, b: Offer): boolean {
  return a.isWritten !== b.isWritten ? a.isWritten : a.secretName < b.secretName;
}

function textOf(base64: string | undefined): string {
  return Buffer.from(base64 ?? '', 'base64').toString('utf8');
}
