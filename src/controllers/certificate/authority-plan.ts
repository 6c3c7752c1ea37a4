import { inspectAuthority } from '../../lib/x509/inspect-authority.ts';

/**
 * Domains that nobody can own (RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`), or that are used as such: the grid's own
 * authority signs for them, and for the grid's base domain. Whoever trusts it trusts it for nothing else.
 */
export const privateDomains = ['localhost', 'internal', 'home.arpa', 'local', 'lan', 'test'] as const;

export interface Authority {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly domains: readonly string[];
}

export const authorityLifeMs = 3_650 * 86_400_000;
/** What it signs near its end would end with it. */
const lastPart = 0.1;

/** Domains for which a new authority is to be made; undefined: the one there is will do. */
export function planAuthority(
  kept: Authority | undefined,
  baseDomain: string | undefined,
  nowMs: number,
): readonly string[] | undefined {
  const known: readonly string[] = kept?.domains ?? [];
  const domains = [
    ...new Set<string>([...privateDomains, ...known, ...(baseDomain === undefined ? [] : [baseDomain])]),
  ];
  if (!kept) return domains;
  const times = inspectAuthority(kept.certificate, kept.key);
  if (!times || times.notAfterMs - nowMs < authorityLifeMs * lastPart) return domains;
  return domains.every((domain) => isBelow(domain, known)) ? undefined : domains;
}

/** Why the grid's own authority does not sign for these hosts; undefined: it does. */
export function authorityProblem(hosts: readonly string[], baseDomain: string | undefined): string | undefined {
  const domains = [...privateDomains, ...(baseDomain === undefined ? [] : [baseDomain])];
  const stranger = hosts.find((host) => !isBelow(host, domains));
  if (stranger === undefined) return undefined;
  const list = domains.join(', ');
  return `the grid's own authority signs for names below ${list}, not for ${stranger}: flotilla certificate register EMAIL, or import`;
}

/** `*.a.example` and `a.example` are below `example`, and a domain is below itself. */
export function isBelow(name: string, domains: readonly string[]): boolean {
  const plain = name.startsWith('*.') ? name.slice(2) : name;
  return domains.some((domain) => plain === domain || plain.endsWith(`.${domain}`));
}

/** Whether public authorities can certify it, as far as its name tells. */
export function isPublicHost(host: string): boolean {
  return host.includes('.') && !isBelow(host, [...privateDomains, 'example', 'invalid', 'onion', 'arpa']);
}
