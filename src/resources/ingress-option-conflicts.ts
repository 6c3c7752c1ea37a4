import type { IngressSpec } from 'kubernetes-types/networking/v1.js';
import type { IngressOptions, OptionKey } from './ingress-options.ts';

export interface OptionConflict {
  readonly option: OptionKey;
  readonly problem: string;
}

/** Options of HTTP: they say nothing about connections that are only passed on. */
const ofHttp: readonly OptionKey[] = [
  'stickyCookieName',
  'rewritePath',
  'sslRedirect',
  'hstsSeconds',
  'basicAuthSecret',
  'basicAuthRealm',
  'setRequestHeaders',
  'removeRequestHeaders',
  'setResponseHeaders',
  'removeResponseHeaders',
  'maxBodyBytes',
  'backendProtocol',
  'healthCheckPath',
  'maintenancePage',
];

/** An option that does nothing without another one. */
const needs: readonly (readonly [option: OptionKey, other: OptionKey, value: string])[] = [
  ['stickyCookieName', 'sticky', 'cookie'],
  ['healthCheckPath', 'healthCheck', 'http'],
];

const ofHealthChecks: readonly OptionKey[] = [
  'healthCheckIntervalMs',
  'healthCheckTimeoutMs',
  'healthCheckFall',
  'healthCheckRise',
];

/** What options contradict each other, or what they are used with. Pure; `nameOf` is how the reader writes an option. */
export function optionConflicts(
  options: IngressOptions,
  spec: IngressSpec,
  nameOf: (key: OptionKey) => string,
): readonly OptionConflict[] {
  const found: OptionConflict[] = [];
  const isSaid = (key: OptionKey) => options[key] !== undefined;
  const add = (option: OptionKey, problem: string) => void found.push({ option, problem });

  for (const [key, other, value] of needs) {
    if (isSaid(key) && options[other] !== value) add(key, `needs ${nameOf(other)}: ${value}`);
  }
  if (isSaid('basicAuthRealm') && !isSaid('basicAuthSecret'))
    add('basicAuthRealm', `needs ${nameOf('basicAuthSecret')}`);
  if (options.sticky === 'source' && options.balance !== undefined && options.balance !== 'source') {
    add('balance', `contradicts ${nameOf('sticky')}: source, which is a balance of its own`);
  }
  if (options.healthCheck === 'none') {
    for (const key of ofHealthChecks) if (isSaid(key)) add(key, `contradicts ${nameOf('healthCheck')}: none`);
  }
  const { healthCheckIntervalMs: interval = 2_000, healthCheckTimeoutMs: timeout = 0 } = options;
  if (timeout > interval) add('healthCheckTimeoutMs', `must not be longer than ${nameOf('healthCheckIntervalMs')}`);
  for (const [set, removed] of [
    ['setRequestHeaders', 'removeRequestHeaders'],
    ['setResponseHeaders', 'removeResponseHeaders'],
  ] as const) {
    const names = new Set(options[removed]?.map((name) => name.toLowerCase()));
    const both = Object.keys(options[set] ?? {}).find((name) => names.has(name.toLowerCase()));
    if (both !== undefined) add(removed, `contradicts ${nameOf(set)}, which sets ${both}`);
  }
  const hasCertificate = spec.tls?.some((one) => one.secretName) ?? false;
  if (options.tls === 'none' && !hasCertificate) {
    if (options.sslRedirect) add('sslRedirect', `contradicts ${nameOf('tls')}: none: nothing answers HTTPS`);
    if (isSaid('hstsSeconds')) add('hstsSeconds', `contradicts ${nameOf('tls')}: none: nothing answers HTTPS`);
  }
  if (options.tcpPort !== undefined) passedOn('tcpPort');
  if (options.tlsPassthrough) passedOn('tlsPassthrough');
  if (options.tcpPort !== undefined) {
    const { rules = [], defaultBackend } = spec;
    if (rules.length > 0)
      add('tcpPort', 'has no hosts and paths: leave out spec.rules, spec.defaultBackend gets all of it');
    else if (!defaultBackend) add('tcpPort', 'needs spec.defaultBackend, which gets all of it');
    if (options.tlsPassthrough) add('tlsPassthrough', `contradicts ${nameOf('tcpPort')}, which passes on everything`);
  } else if (options.tlsPassthrough) {
    if (!spec.rules?.length || spec.rules.some(({ host }) => !host)) {
      add('tlsPassthrough', 'needs a host in each of spec.rules: it is what chooses');
    }
    const paths = spec.rules?.flatMap(({ http }) => http?.paths ?? []) ?? [];
    const isWhole = paths.every(({ path, pathType }) => (path || '/') === '/' && pathType !== 'Exact');
    const isOne = spec.rules?.every(({ http }) => (http?.paths.length ?? 0) < 2) ?? true;
    if (!isWhole || !isOne) add('tlsPassthrough', 'does not see paths: leave one path / for each host');
  }
  return found;

  function passedOn(by: 'tcpPort' | 'tlsPassthrough'): void {
    const why = `contradicts ${nameOf(by)}: what is sent is not looked at`;
    for (const key of ofHttp) if (isSaid(key)) add(key, why);
    if (options.sticky === 'cookie') add('sticky', why);
    if (options.balance === 'uri') add('balance', why);
    if (options.healthCheck === 'http') add('healthCheck', why);
    if (options.tls !== undefined && options.tls !== 'none')
      add('tls', `contradicts ${nameOf(by)}: TLS is not ended here`);
    else if (spec.tls?.length) add(by, 'does not end TLS: leave out spec.tls');
  }
}
