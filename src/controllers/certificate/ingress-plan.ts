import {
  type Certificate,
  type CertificateIssuer,
  certificateConditions,
  namesCover,
  secretNameOf,
} from '../../resources/certificates.ts';
import { annotations, labels } from '../../resources/names.ts';
import { authorityProblem, isPublicHost } from './authority-plan.ts';

/** What an Ingress object asks for. */
export interface IngressHosts {
  /** `<namespace>/<name>` */
  readonly key: string;
  /** Hosts whose certificate nobody brings. */
  readonly hosts: readonly string[];
  /** The same, with the Secret that the certificate is to be in, which nobody else has made. */
  readonly named?: readonly { readonly secretName: string; readonly hosts: readonly string[] }[];
  /** Its option `tls`; undefined: whoever can. `none`: it wants no certificate. */
  readonly tls: 'acme' | 'internal' | 'none' | undefined;
}

export interface NamespaceObservation {
  readonly ingresses: readonly IngressHosts[];
  readonly certificates: readonly Certificate[];
  readonly hasAcme: boolean;
  readonly baseDomain: string | undefined;
  readonly nowMs: number;
  /** Short text that is the same for the same list of hosts. */
  readonly hash: (hosts: readonly string[]) => string;
}

export type NamespaceStep =
  | {
      readonly type: 'create';
      readonly name: string;
      readonly hosts: readonly string[];
      readonly issuer: CertificateIssuer;
    }
  | {
      readonly type: 'change';
      readonly certificate: Certificate;
      readonly hosts: readonly string[];
      readonly issuer: CertificateIssuer;
    }
  /** Nobody needs it since now, or somebody does again (`sinceMs` undefined). */
  | { readonly type: 'markUnused'; readonly certificate: Certificate; readonly sinceMs: number | undefined }
  | { readonly type: 'remove'; readonly certificate: Certificate }
  | { readonly type: 'warn'; readonly key: string; readonly reason: string; readonly message: string };

/** Of one certificate. */
const maxHosts = 100;
const longestName = 200;
/** ACME servers issue few for the same hosts a week: what is deployed again within a day has its certificate still. */
export const unusedKeptMs = 86_400_000;

interface Wanted {
  readonly hosts: readonly string[];
  /** Somebody has chosen it; else the hosts do. */
  readonly name?: string;
  readonly issuer: CertificateIssuer;
}

/**
 * Which Certificates a namespace needs for its Ingress objects: one a set of hosts, shared. One that people made is used, never
 * changed. One that is not needed any more stays while a host of it has no other that is ready; one of an ACME server a day longer.
 */
export function planNamespace(observed: NamespaceObservation): NamespaceStep[] {
  const own = observed.certificates.filter(isAutomatic);
  const others = observed.certificates.filter((one) => !isAutomatic(one));
  const steps: NamespaceStep[] = [];
  const sets: Wanted[] = [];
  for (const ingress of observed.ingresses) {
    if (ingress.tls === 'none') continue;
    const open = ingress.hosts.filter((host) => !others.some(({ spec }) => namesCover(spec.hosts, [host])));
    const named = (ingress.named ?? []).filter(
      ({ secretName }) => !others.some((one) => secretNameOf(one) === secretName),
    );
    const warning = wildcardWarning(ingress, [...open, ...named.flatMap(({ hosts }) => hosts)]);
    if (warning) steps.push(warning);
    for (const { secretName, hosts } of named) {
      const issuer = ingress.tls === 'acme' && !hosts.some(isWildcard) ? 'acme' : 'internal';
      sets.push({ hosts: [...hosts].sort().slice(0, maxHosts), issuer, name: secretName });
    }
    for (const hosts of groups(open, (host) => groupOf(host, ingress.tls, observed))) {
      const issuer = issuerOf(hosts[0] ?? '', ingress.tls, observed);
      for (let at = 0; issuer && at < hosts.length; at += maxHosts) {
        sets.push({ hosts: hosts.slice(at, at + maxHosts), issuer });
      }
    }
  }
  const wanted = withoutSubsets(sets);
  const names = new Map<string, Wanted>(
    wanted.map((one) => [one.name ?? nameFor(one.hosts, others, observed.hash), one]),
  );
  const ownByName = new Map(own.map((one) => [one.metadata.name, one]));
  for (const [name, { hosts, issuer }] of names) {
    const found = ownByName.get(name);
    if (!found) steps.push({ type: 'create', name, hosts, issuer });
    else if (found.spec.issuer !== issuer || found.spec.hosts.join() !== hosts.join()) {
      steps.push({ type: 'change', certificate: found, hosts, issuer });
    } else if (unusedSinceMs(found) !== undefined) {
      steps.push({ type: 'markUnused', certificate: found, sinceMs: undefined });
    }
  }
  let left = observed.certificates;
  for (const certificate of own) {
    if (names.has(certificate.metadata.name) || isStillShown(certificate, wanted, left)) continue;
    left = left.filter((one) => one !== certificate);
    const sinceMs = unusedSinceMs(certificate);
    if (certificate.spec.issuer !== 'acme' || !isReady(certificate)) steps.push({ type: 'remove', certificate });
    else if (sinceMs === undefined) steps.push({ type: 'markUnused', certificate, sinceMs: observed.nowMs });
    // Also when the clock was set back.
    else if (Math.abs(observed.nowMs - sinceMs) >= unusedKeptMs) steps.push({ type: 'remove', certificate });
  }
  return steps;
}

export function unusedSinceMs({ metadata }: Certificate): number | undefined {
  const time = metadata.annotations?.[annotations.unusedSince];
  return time === undefined ? undefined : Date.parse(time);
}

function isWildcard(host: string): boolean {
  return host.startsWith('*');
}

export function isAutomatic(certificate: Certificate): boolean {
  return certificate.metadata.labels?.[labels.automaticCertificate] === 'true';
}

/** Undefined: nobody can. One who may not says why in the object. */
function issuerOf(
  host: string,
  tls: IngressHosts['tls'],
  { hasAcme }: NamespaceObservation,
): CertificateIssuer | undefined {
  if (tls === 'internal') return 'internal';
  if (tls === 'acme') return isWildcard(host) ? undefined : 'acme';
  return hasAcme && !isWildcard(host) && isPublicHost(host) ? 'acme' : 'internal';
}

/** Hosts of one certificate. One that the grid may not sign for must not keep the others from theirs. */
function groupOf(host: string, tls: IngressHosts['tls'], observed: NamespaceObservation): string {
  const issuer = issuerOf(host, tls, observed);
  const isRefused = issuer === 'internal' && authorityProblem([host], observed.baseDomain) !== undefined;
  return isRefused ? 'refused' : (issuer ?? 'nobody');
}

function groups(hosts: readonly string[], by: (host: string) => string): string[][] {
  const found = new Map<string, string[]>();
  for (const host of [...new Set(hosts)].sort()) found.set(by(host), [...(found.get(by(host)) ?? []), host]);
  return [...found.values()];
}

function wildcardWarning({ key, tls }: IngressHosts, open: readonly string[]): NamespaceStep | undefined {
  const host = tls === 'acme' ? open.find(isWildcard) : undefined;
  if (host === undefined) return undefined;
  const message = `an ACME server certifies ${host} by DNS only: flotilla certificate import, or tls: internal`;
  return { type: 'warn', key, reason: 'WildcardByImport', message };
}

/** Sets whose hosts another one of the same issuer has too are served by that one. */
function withoutSubsets(sets: readonly Wanted[]): Wanted[] {
  const kept: Wanted[] = [];
  /** By issuer and host: thousands of hosts are not compared with each other. */
  const byHost = new Map<string, Wanted[]>();
  for (const one of [...sets].sort((a, b) => b.hosts.length - a.hosts.length || compare(a, b))) {
    const [first = ''] = one.hosts;
    const names = [first, `*${first.slice(first.indexOf('.'))}`];
    const rivals = names.flatMap((name) => byHost.get(`${one.issuer} ${name}`) ?? []);
    if (one.name === undefined && rivals.some(({ hosts }) => namesCover(hosts, one.hosts))) continue;
    kept.push(one);
    for (const host of one.hosts) {
      const key = `${one.issuer} ${host}`;
      byHost.set(key, [...(byHost.get(key) ?? []), one]);
    }
  }
  return kept.sort(compare);
}

function compare(a: Wanted, b: Wanted): number {
  const [left, right] = [`${a.hosts.join()} ${a.issuer}`, `${b.hosts.join()} ${b.issuer}`];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The same for the same hosts, whoever signs: another issuer takes over the object and its Secret. */
function nameFor(
  hosts: readonly string[],
  others: readonly Certificate[],
  hash: (hosts: readonly string[]) => string,
): string {
  const first = (hosts[0] ?? '').replace(/^\*\./, 'wildcard.');
  const isPlain = hosts.length === 1 && first.length <= longestName;
  const isFree = !others.some(({ metadata }) => metadata.name === first);
  return isPlain && isFree ? first : `${first.slice(0, longestName).replace(/[-.]+$/, '')}-${hash(hosts)}`;
}

/** A host that a wanted certificate is to have, which is not ready yet, is shown the old one meanwhile. */
function isStillShown(old: Certificate, wanted: readonly Wanted[], certificates: readonly Certificate[]): boolean {
  if (!isReady(old)) return false;
  return old.spec.hosts.some((host) => {
    if (!wanted.some(({ hosts }) => namesCover(hosts, [host]))) return false;
    return !certificates.some((one) => one !== old && isReady(one) && namesCover(one.spec.hosts, [host]));
  });
}

export function isReady(certificate: Certificate | undefined): boolean {
  return (
    certificate?.status?.conditions?.some(
      ({ type, status }) => type === certificateConditions.ready && status === 'True',
    ) ?? false
  );
}
