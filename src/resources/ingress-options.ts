import { nearest } from '../lib/nearest.ts';
import { invalid } from './field-errors.ts';
import { optionConflicts } from './ingress-option-conflicts.ts';
import {
  bytes,
  cookieName,
  count,
  duration,
  flag,
  headerNames,
  headers,
  networks,
  type OptionForm,
  objectName,
  oneOf,
  page,
  type Reading,
  realm,
  removableHeaderNames,
  seconds,
  urlPath,
} from './ingress-option-forms.ts';
import type { Ingress } from './kinds.ts';
import type { FieldError } from './schema.ts';

/** Annotations with it say how an Ingress object is served. */
export const optionPrefix = 'ingress.flotilla.dev/';

export interface IngressOption<T> {
  /** In an annotation, behind the prefix: `sticky-cookie-name`. In a stack file with `_` instead of `-`. */
  readonly name: string;
  readonly form: OptionForm<T>;
  /** One sentence for the documentation, its default included. */
  readonly description: string;
  readonly example: string;
}

function option<T>(name: string, form: OptionForm<T>, description: string, example: string): IngressOption<T> {
  return { name, form, description, example };
}

const longestTimeout = '480h';

/** All there are, by the name of their value. The stack file's keys and the documentation are made from it. */
export const ingressOptions = {
  balance: option(
    'balance',
    oneOf('roundrobin', 'leastconn', 'random', 'source', 'uri'),
    'How instances take turns. `source` and `uri` choose by a hash of the client’s address or the path. Default: `roundrobin`.',
    'leastconn',
  ),
  sticky: option(
    'sticky',
    oneOf('cookie', 'source'),
    'A client stays with its instance: by a cookie of the proxy, or by its address. Default: it does not.',
    'cookie',
  ),
  stickyCookieName: option('sticky-cookie-name', cookieName, 'Of that cookie. Default: `flotilla`.', 'shop-instance'),
  rewritePath: option(
    'rewrite-path',
    urlPath,
    'The part of the path that matched is replaced by this; `/` takes it away. Default: the path stays.',
    '/',
  ),
  sslRedirect: option(
    'ssl-redirect',
    flag,
    'HTTP is answered with 308 to HTTPS. Default: `false`; in a stack file `true` where `tls` names ACME or a Secret.',
    'true',
  ),
  hstsSeconds: option(
    'hsts',
    seconds('366d'),
    'Browsers shall use HTTPS only, for so long (Strict-Transport-Security). Default: nothing is said.',
    '180d',
  ),
  basicAuthSecret: option(
    'basic-auth-secret',
    objectName,
    'A Secret of type `flotilla.dev/basic-auth` whose key `auth` has lines `name:hash`: only they get in. Default: everybody does.',
    'staff',
  ),
  basicAuthRealm: option(
    'basic-auth-realm',
    realm,
    'What browsers say when they ask. Default: `Restricted`.',
    'Staff only',
  ),
  allow: option('allow', networks, 'Clients that get in; others get 403. Default: all.', '10.0.0.0/8,192.0.2.7'),
  deny: option('deny', networks, 'Clients that get 403, before `allow` is looked at. Default: none.', '192.0.2.0/24'),
  setRequestHeaders: option(
    'set-request-headers',
    headers,
    'Headers that instances get, instead of what the client sent.',
    '{"X-Env": "live"}',
  ),
  removeRequestHeaders: option(
    'remove-request-headers',
    removableHeaderNames,
    'Headers that instances do not get.',
    'X-Debug,X-Internal',
  ),
  setResponseHeaders: option(
    'set-response-headers',
    headers,
    'Headers that clients get, instead of what the instance sent.',
    '{"X-Frame-Options": "DENY"}',
  ),
  removeResponseHeaders: option('remove-response-headers', headerNames, 'Headers that clients do not get.', 'Server'),
  connectTimeoutMs: option(
    'connect-timeout',
    duration(1, longestTimeout),
    'For connecting to an instance. Default: `2s`.',
    '5s',
  ),
  serverTimeoutMs: option(
    'server-timeout',
    duration(1, longestTimeout),
    'Until an instance begins its answer, and between parts of it. Default: `60s`.',
    '5m',
  ),
  tunnelTimeoutMs: option(
    'tunnel-timeout',
    duration(1, longestTimeout),
    'Of a WebSocket or a plain TCP connection on which nobody speaks. Default: `1h`.',
    '12h',
  ),
  maxBodyBytes: option(
    'max-body-size',
    bytes('1t'),
    'A request with a larger body gets 413. Default: no limit.',
    '10m',
  ),
  backendProtocol: option(
    'backend-protocol',
    oneOf('http', 'h2', 'https', 'h2s'),
    'How instances are spoken to; `h2` is HTTP/2 without TLS, `h2s` with. Default: `http`.',
    'h2',
  ),
  healthCheck: option(
    'health-check',
    oneOf('tcp', 'http', 'none'),
    'The proxy’s own look at each instance, besides the probes of its node. Default: `tcp`.',
    'http',
  ),
  healthCheckPath: option(
    'health-check-path',
    urlPath,
    'Asked for with `http`; 2xx and 3xx are right. Default: `/`.',
    '/up',
  ),
  healthCheckIntervalMs: option('health-check-interval', duration(100, '1h'), 'Default: `2s`.', '1s'),
  healthCheckTimeoutMs: option(
    'health-check-timeout',
    duration(10, '10m'),
    'An answer that takes longer has failed; HAProxy notices no sooner than after the interval, or `connect-timeout` where that is shorter. Default: the interval.',
    '500ms',
  ),
  healthCheckFall: option(
    'health-check-fall',
    count(1, 100),
    'So many that fail in a row: it is out. Default: 2.',
    '3',
  ),
  healthCheckRise: option(
    'health-check-rise',
    count(1, 100),
    'So many that succeed in a row: it is in. Default: 1.',
    '2',
  ),
  retries: option(
    'retries',
    count(0, 10),
    'Further instances that are tried where one cannot be connected to, and for GET, HEAD and OPTIONS where one ends without an answer; anything else is sent once. With 0 nothing is asked again, and each request has a connection of its own. Default: 3.',
    '1',
  ),
  maxConnections: option(
    'max-connections',
    count(1, 1_000_000),
    'At a time, to one instance, from one proxy; more wait. Default: no limit.',
    '200',
  ),
  maintenancePage: option(
    'maintenance-page',
    page,
    'What 503 says while no instance is ready, one line of HTML. Default: a short sentence.',
    '<h1>Back soon</h1>',
  ),
  proxyProtocol: option(
    'proxy-protocol',
    flag,
    'Instances get the PROXY protocol (version 2), which has the client’s address. Default: `false`.',
    'true',
  ),
  tls: option(
    'tls',
    oneOf('acme', 'internal', 'none'),
    'Who makes the certificate of hosts for which `spec.tls` names no Secret: the grid’s ACME server, or the grid itself. Default: `none`, and for hosts that `spec.tls` lists `acme` where the grid has it, else `internal`.',
    'acme',
  ),
  tcpPort: option(
    'tcp-port',
    count(1, 65_535),
    'Plain TCP: this port of the ingress nodes goes to the default backend. Default: HTTP.',
    '5432',
  ),
  tlsPassthrough: option(
    'tls-passthrough',
    flag,
    'TLS is not ended by the proxy: the host name that the client asks for (SNI) chooses, instances have the certificate. Default: `false`.',
    'true',
  ),
} as const;

type Table = typeof ingressOptions;
export type OptionKey = keyof Table;
/** What an Ingress object says of itself; absent: the default. Durations are in ms where they do not say seconds. */
export type IngressOptions = {
  readonly [Key in OptionKey]?: Table[Key] extends IngressOption<infer T> ? T : never;
};

const byName: ReadonlyMap<string, readonly [OptionKey, IngressOption<unknown>]> = new Map(
  (Object.entries(ingressOptions) as [OptionKey, IngressOption<unknown>][]).map((entry) => [entry[1].name, entry]),
);

/** A line more in a value is a line more in what goes to instances, or in the proxy's own rules. */
const controlPattern = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/** What one text says; `problem` ends a sentence that begins with the option's name. */
export function readIngressOption(form: OptionForm<unknown>, text: string): Reading<unknown> {
  if (controlPattern.test(text)) return { problem: 'must be one line without control characters' };
  return form.read(text);
}

export interface OptionProblem {
  /** As it was written, without the prefix. */
  readonly name: string;
  readonly problem: string;
}

/** What texts say, by the names of options; those that cannot be read are left out. */
export function readOptionTexts(texts: Readonly<Record<string, string>>): {
  readonly options: IngressOptions;
  readonly problems: readonly OptionProblem[];
} {
  const options: Partial<Record<OptionKey, unknown>> = {};
  const problems: OptionProblem[] = [];
  for (const [name, text] of Object.entries(texts)) {
    const known = byName.get(name);
    if (!known) {
      problems.push({ name, problem: unknownOption(name) });
      continue;
    }
    const [key, { form }] = known;
    const reading = readIngressOption(form, text);
    if ('problem' in reading) problems.push({ name, problem: reading.problem });
    else options[key] = reading.value;
  }
  return { options: options as IngressOptions, problems };
}

/** What the annotations say; those that cannot be read are left out, admission has refused them. */
export function ingressOptionsOf(ingress: Ingress): IngressOptions {
  return readOptionTexts(textsOf(ingress)).options;
}

/** What is wrong with the annotations, and what does not go together. */
export function ingressOptionErrors(ingress: Ingress): readonly FieldError[] {
  const texts = textsOf(ingress);
  const { options, problems } = readOptionTexts(texts);
  const nameOf = (key: OptionKey) => ingressOptions[key].name;
  const conflicts = problems.length > 0 ? [] : optionConflicts(options, ingress.spec, nameOf);
  return [...problems, ...conflicts.map(({ option: key, problem }) => ({ name: nameOf(key), problem }))].map(
    ({ name, problem }) => invalid(`metadata.annotations[${optionPrefix}${name}]`, texts[name], problem),
  );
}

function textsOf({ metadata }: Ingress): Readonly<Record<string, string>> {
  const own = Object.entries(metadata.annotations ?? {}).filter(([name]) => name.startsWith(optionPrefix));
  return Object.fromEntries(own.map(([name, text]) => [name.slice(optionPrefix.length), text]));
}

function unknownOption(name: string): string {
  const near = nearest(name, byName.keys());
  const hint = near === undefined ? `known are: ${[...byName.keys()].join(', ')}` : `did you mean "${near}"?`;
  return `there is no such option; ${hint}`;
}
