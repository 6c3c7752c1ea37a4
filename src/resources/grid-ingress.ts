import { isIP } from 'node:net';
import { invalid, required } from './field-errors.ts';
import { ingressHost, ipRange, portNumber } from './name-checks.ts';
import type { FieldError } from './schema.ts';

/** How a grid lets the world in: what a Grid object says, with everything it leaves out. */
export interface GridIngress {
  /** Services get `<service>.<stack>.<base domain>`. Absent: no names by themselves. */
  readonly baseDomain?: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** CIDRs: who stands in front of the proxies and is believed about clients' addresses. */
  readonly trustedProxies: readonly string[];
  /** Those speak the PROXY protocol. */
  readonly acceptProxyProtocol: boolean;
  /** At a time, to one proxy. */
  readonly maxConnections: number;
  /** Answered with 200 for any host, where a load balancer in front looks. Absent: none. */
  readonly healthPath?: string;
  /** Who signs certificates with `tls: acme`. Absent: nobody. */
  readonly acme?: GridAcme;
}

export interface GridAcme {
  /** `https://…/directory` of an ACME server. */
  readonly directoryURL: string;
  /** Where it writes when something is wrong. */
  readonly email: string;
  /** PEM: whom to trust about the ACME server itself. Default: what the machine trusts. */
  readonly caCertificate?: string;
}

/** As it is written in `Grid.spec.ingress`. */
export type GridIngressSpec = {
  -readonly [Field in keyof GridIngress]?: GridIngress[Field] extends readonly string[] ? string[] : GridIngress[Field];
};

export const defaultGridIngress = { httpPort: 80, httpsPort: 443, maxConnections: 20_000 } as const;

/** What holds for a grid; absent: one whose object says nothing about it. */
export function gridIngressOf(spec: GridIngressSpec | undefined): GridIngress {
  return {
    ...(spec?.baseDomain ? { baseDomain: spec.baseDomain } : {}),
    httpPort: spec?.httpPort ?? defaultGridIngress.httpPort,
    httpsPort: spec?.httpsPort ?? defaultGridIngress.httpsPort,
    trustedProxies: (spec?.trustedProxies ?? []).map(networkOf),
    acceptProxyProtocol: spec?.acceptProxyProtocol ?? false,
    maxConnections: spec?.maxConnections ?? defaultGridIngress.maxConnections,
    ...(spec?.healthPath ? { healthPath: spec.healthPath } : {}),
    ...(spec?.acme ? { acme: spec.acme } : {}),
  };
}

const mostConnections = 1_000_000;

/** What is wrong with what a Grid object says about its way in. */
export function gridIngressErrors(spec: GridIngressSpec, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const at = (field: keyof GridIngress) => `${path}.${field}`;
  const { baseDomain, healthPath, acme } = spec;
  for (const problem of baseDomain ? baseDomainProblems(baseDomain) : []) {
    errors.push(invalid(at('baseDomain'), baseDomain, problem));
  }
  for (const field of ['httpPort', 'httpsPort'] as const) {
    const port = spec[field];
    if (port === undefined) continue;
    for (const problem of portNumber(port)) errors.push(invalid(at(field), port, problem));
  }
  const { httpPort, httpsPort } = gridIngressOf(spec);
  if (httpPort === httpsPort) errors.push(invalid(at('httpsPort'), httpsPort, 'must not be that of HTTP'));
  for (const [index, text] of (spec.trustedProxies ?? []).entries()) {
    if (ipRange(networkOf(text)).length === 0) continue;
    const detail = 'must be an address or a network such as 10.0.0.0/8';
    errors.push(invalid(`${at('trustedProxies')}[${index}]`, text, detail));
  }
  if (spec.acceptProxyProtocol && !spec.trustedProxies?.length) {
    errors.push(required(at('trustedProxies'), 'the PROXY protocol is taken from those only'));
  }
  const { maxConnections } = spec;
  if (maxConnections !== undefined && !(maxConnections >= 10 && maxConnections <= mostConnections)) {
    errors.push(invalid(at('maxConnections'), maxConnections, `must be between 10 and ${mostConnections}, inclusive`));
  }
  if (healthPath && !/^\/[A-Za-z0-9\-._~/]{0,255}$/.test(healthPath)) {
    errors.push(invalid(at('healthPath'), healthPath, 'must be a path such as /healthz'));
  }
  if (acme) errors.push(...acmeErrors(acme, at('acme')));
  return errors;
}

/** Names of services and stacks come before it, of 63 letters each. */
const longestBaseDomain = 253 - 2 * 64;

function baseDomainProblems(domain: string): readonly string[] {
  const problems = [...ingressHost(domain)];
  if (domain.includes('*')) problems.push('must be a domain without *');
  if (isIP(domain) > 0) problems.push('must be a domain, not an IP address');
  if (domain.length > longestBaseDomain) problems.push(`must be no more than ${longestBaseDomain} characters`);
  return problems.slice(0, 1);
}

function acmeErrors({ directoryURL, email, caCertificate }: Partial<GridAcme>, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!directoryURL) errors.push(required(`${path}.directoryURL`));
  else if (URL.parse(directoryURL)?.protocol !== 'https:') {
    errors.push(invalid(`${path}.directoryURL`, directoryURL, 'must be an https:// URL'));
  }
  if (!email) errors.push(required(`${path}.email`));
  else if (!/^[^\s@:,<>]{1,64}@[^\s@:,<>]{1,190}$/.test(email)) {
    errors.push(invalid(`${path}.email`, email, 'must be an address such as admin@example.org'));
  }
  if (caCertificate && !/-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----/.test(caCertificate)) {
    errors.push(invalid(`${path}.caCertificate`, caCertificate, 'must be a certificate in PEM'));
  }
  return errors;
}

function networkOf(text: string): string {
  const version = text.includes('/') ? 0 : isIP(text);
  return version === 0 ? text : `${text}/${version === 6 ? 128 : 32}`;
}
