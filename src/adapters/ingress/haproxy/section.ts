// What a backend of haproxy.cfg says apart from its servers. A section is a backend together with what is done to the requests
// of a route: one that asks for neither has no lines of its own, and any spare section can be given to it while HAProxy runs.
import { createHash } from 'node:crypto';
import type { BackendOptions, IngressBackend, IngressRoute, RouteOptions } from '../port.ts';
import { hasControl, quote, quoteFormat, Refused } from './quote.ts';

/** A file that lines speak of, by its name in the generation's directory. */
export type Files = ReadonlyMap<string, string>;

export interface SectionForm {
  readonly lines: readonly string[];
  readonly files: Files;
  /** Behind `server <name> <address>`: in the file as in `add server`. */
  readonly serverWords: readonly string[];
  /** Of `dynamic-cookie-key`; told again after each `add server`. */
  readonly cookieSecret?: string;
}

const maxPageBytes = 12 * 1024;

export function fileName(kind: string, content: string): string {
  return `${kind}/${createHash('sha256').update(content).digest('hex').slice(0, 16)}`;
}

/** Of a backend as routes without options use it. */
export function backendForm({ mode, options }: IngressBackend): SectionForm {
  const files = new Map<string, string>();
  const lines: string[] = [];
  if (mode === 'tcp') lines.push('mode tcp');
  lines.push(...balanceLines(options.balance));
  if (options.cookie && mode === 'http') {
    // `nocache`: no cache in between may give one client's cookie to others.
    lines.push(`cookie ${headerName(options.cookie.name)} insert indirect nocache httponly dynamic`);
    lines.push(`dynamic-cookie-key ${quote(options.cookie.secret)}`);
  }
  if (options.connectTimeoutMs !== undefined) lines.push(`timeout connect ${positive(options.connectTimeoutMs)}ms`);
  if (options.serverTimeoutMs !== undefined) lines.push(`timeout server ${positive(options.serverTimeoutMs)}ms`);
  if (options.tunnelTimeoutMs !== undefined) lines.push(`timeout tunnel ${positive(options.tunnelTimeoutMs)}ms`);
  if (options.retries !== undefined) lines.push(`retries ${natural(options.retries)}`);
  lines.push(...checkLines(options));
  if (options.protocol === 'h2s') lines.push(...neverKept);
  const kept = mode === 'http' ? connectionWords(options) : [];
  const serverWords = [...protocolWords(options, files), ...kept, ...checkWords(options)];
  if (options.maxConnectionsPerEndpoint !== undefined) {
    serverWords.push('maxconn', String(positive(options.maxConnectionsPerEndpoint)));
  }
  if (options.sendsProxyProtocol) serverWords.push('send-proxy-v2');
  for (const file of files.keys()) {
    // A certificate authority is loaded with the configuration: a server that takes nothing names it.
    if (file.startsWith('ca/'))
      lines.push(`server authority 127.0.0.1:9 id 4194304 disabled ssl verify required ca-file ${file}`);
  }
  const { cookie } = options;
  return { lines, files, serverWords, ...(cookie && mode === 'http' ? { cookieSecret: cookie.secret } : {}) };
}

/** Each request over a connection of its own, and none is asked again once it was sent. */
export const neverKept = ['option http-server-close', 'http-reuse never', 'retry-on conn-failure'] as const;

/**
 * Requests that change nothing may go over a connection that others have used; `txn.own` keeps all others from it, since a
 * connection is found again by its server name too (docs/adr/0031). Where connections are counted, are told who the client
 * is, or where nothing may be asked again, none is kept. One that idles is closed within a few seconds.
 */
function connectionWords({ protocol = 'http', ...options }: BackendOptions): readonly string[] {
  const { maxConnectionsPerEndpoint, sendsProxyProtocol = false, retries } = options;
  const own = protocol === 'http' || protocol === 'h2' ? ['sni', 'var(txn.own)'] : [];
  const isKept = protocol === 'http' && maxConnectionsPerEndpoint === undefined && !sendsProxyProtocol && retries !== 0;
  return [...own, 'pool-max-conn', isKept ? '64' : '0', 'pool-purge-delay', '1s'];
}

function balanceLines(balance: BackendOptions['balance']): readonly string[] {
  if (balance === undefined || balance === 'roundrobin') return [];
  if (balance !== 'source' && balance !== 'uri') return [`balance ${balance}`];
  return [`balance ${balance}`, 'hash-type consistent'];
}

function checkLines({ healthCheck: check }: BackendOptions): readonly string[] {
  const timeout = check?.timeoutMs === undefined ? [] : [`timeout check ${positive(check.timeoutMs)}ms`];
  if (check?.type !== 'http') return timeout;
  const path = check.path ?? '/';
  if (!path.startsWith('/') || hasControl(path) || path.includes(' '))
    throw new Refused(`${JSON.stringify(path)} is no path`);
  const host = quote(headerValue(check.host ?? 'health-check'));
  return [
    ...timeout,
    'option httpchk',
    `http-check send meth GET uri ${quote(path)} ver HTTP/1.1 hdr Host ${host}`,
    'http-check expect status 200-399',
  ];
}

function checkWords({ healthCheck: check }: BackendOptions): readonly string[] {
  if (check?.type === 'none') return [];
  const { intervalMs = 2_000, fall = 2, rise = 1 } = check ?? {};
  const counts = ['fall', String(positive(fall)), 'rise', String(positive(rise))];
  return ['check', 'inter', `${positive(intervalMs)}ms`, ...counts];
}

function protocolWords(options: BackendOptions, files: Map<string, string>): string[] {
  const { protocol = 'http', serverName, caCertificate } = options;
  if (protocol === 'http') return [];
  if (protocol === 'h2') return ['proto', 'h2'];
  const words = ['ssl', 'alpn', protocol === 'h2s' ? 'h2' : 'http/1.1'];
  if (protocol === 'h2s') words.push('check-alpn', 'h2');
  if (serverName !== undefined && !/^[\w.-]+$/.test(serverName))
    throw new Refused(`${JSON.stringify(serverName)} is no host name`);
  if (serverName !== undefined) words.push('sni', `str(${serverName})`, 'check-sni', serverName);
  if (caCertificate === undefined) return [...words, 'verify', 'none'];
  const file = `${fileName('ca', caCertificate)}.pem`;
  files.set(file, caCertificate);
  words.push('verify', 'required', 'ca-file', file);
  return serverName === undefined ? words : [...words, 'verifyhost', serverName];
}

/** What is done to the requests of a route; in the order in which it happens. */
export function routeForm(route: IngressRoute): SectionForm {
  const { options } = route;
  const files = new Map<string, string>();
  const lines = [
    ...accessLines(options, files),
    ...authLines(options, files),
    ...bodyLines(options),
    ...rewriteLines(route),
    ...headerLines(options),
  ];
  if (options.maintenancePage !== undefined) {
    const bytes = Buffer.byteLength(options.maintenancePage);
    if (bytes > maxPageBytes)
      throw new Refused(`the maintenance page has ${bytes} bytes; ${maxPageBytes} are possible`);
    const file = `${fileName('pages', options.maintenancePage)}.html`;
    files.set(file, options.maintenancePage);
    lines.push(`http-error status 503 content-type 'text/html; charset=utf-8' file ${file}`);
  }
  return { lines, files, serverWords: [] };
}

function accessLines({ allow, deny }: RouteOptions, files: Map<string, string>): readonly string[] {
  const lines: string[] = [];
  if (deny) lines.push(`http-request deny deny_status 403 if { src -f ${addressFile(deny, files)} }`);
  if (allow) lines.push(`http-request deny deny_status 403 unless { src -f ${addressFile(allow, files)} }`);
  return lines;
}

/** A file, since a line has 64 words at most. */
export function addressFile(cidrs: readonly string[], files: Map<string, string>): string {
  for (const cidr of cidrs)
    if (!/^[\da-fA-F.:]+(\/\d{1,3})?$/.test(cidr)) throw new Refused(`${JSON.stringify(cidr)} is no CIDR`);
  const content = cidrs.map((cidr) => `${cidr}\n`).join('');
  const file = `${fileName('lists', content)}.lst`;
  files.set(file, content);
  return file;
}

/**
 * Passwords are checked once per client and ten minutes: a hash that is slow to guess is slow to check, and would hold all
 * requests of a thread. What is remembered is the hash of the header.
 */
function authLines({ basicAuth }: RouteOptions, files: Map<string, string>): readonly string[] {
  if (!basicAuth) return [];
  const users = basicAuth.users.map((line) => {
    const at = line.indexOf(':');
    const [name, hash] = [line.slice(0, at), line.slice(at + 1)];
    const isHash = /^\$(1|2[abxy]|5|6|y)\$[\w./$=+,-]+$/.test(hash) || /^[\w./]{13}$/.test(hash);
    if (at <= 0 || hasControl(name) || !isHash) {
      throw new Refused(
        `the password of ${JSON.stringify(name)} is no hash of crypt(3) that is known here (bcrypt, SHA-256, SHA-512, MD5)`,
      );
    }
    return `  user ${quote(name)} password ${quote(hash)}\n`;
  });
  const content = users.join('');
  const list = fileName('users', content);
  files.set(list, content);
  return [
    'stick-table type binary len 32 size 10k expire 10m store gpt0',
    'http-request track-sc1 req.hdr(authorization),sha2(256) if { req.hdr(authorization) -m found }',
    `http-request auth realm ${quote(headerValue(basicAuth.realm))} unless { sc1_get_gpt0 eq 1 } or { http_auth(${listName(list)}) }`,
    'http-request sc-set-gpt0(1) 1',
  ];
}

/** A userlist is a section of its own, named after its file. */
export function listName(file: string): string {
  return file.replace('/', '-');
}

function bodyLines({ maxBodyBytes }: RouteOptions): readonly string[] {
  if (maxBodyBytes === undefined) return [];
  const limit = natural(maxBodyBytes);
  const unsaid = 'if !{ req.hdr(content-length) -m found } { req.body_len gt 0 }';
  return [
    `http-request deny deny_status 413 if { req.body_size gt ${limit} }`,
    // One that does not say how long it is could become any length. HTTP/2 shows only by its first byte that there is one.
    'http-request wait-for-body time 60s at-least 1 unless { req.hdr(content-length) -m found }',
    `http-request return status 411 content-type text/plain string "the length of the body must be said\\n" ${unsaid}`,
  ];
}

function rewriteLines({ path, pathType, options }: IngressRoute): readonly string[] {
  const { rewritePath } = options;
  if (rewritePath === undefined) return [];
  if (!/^\/[^\s?#]*$/.test(rewritePath) || hasControl(rewritePath))
    throw new Refused(`${JSON.stringify(rewritePath)} is no path`);
  const whole = `http-request set-path ${quoteFormat(rewritePath)}`;
  if (pathType === 'Exact') return [whole];
  const cut = encodedPath(path).replace(/\/+$/, '').length;
  const before = rewritePath.replace(/\/+$/, '').replaceAll('%', '%%');
  return [
    `${whole} unless { var(txn.path) -m len ${cut + 1}: }`,
    `http-request set-path ${quote(`${before}%[var(txn.path),bytes(${cut})]`)} if { var(txn.path) -m len ${cut + 1}: }`,
  ];
}

/** As requests have it. */
export function encodedPath(path: string): string {
  return path.replace(/[^\u0021-\u007e]+/gu, encodeURIComponent);
}

function headerLines(options: RouteOptions): readonly string[] {
  const lines: string[] = [];
  for (const name of options.removeRequestHeaders ?? []) lines.push(`http-request del-header ${headerName(name)}`);
  for (const [name, value] of Object.entries(options.setRequestHeaders ?? {})) {
    lines.push(`http-request set-header ${headerName(name)} ${quoteFormat(headerValue(value))}`);
  }
  for (const name of options.removeResponseHeaders ?? [])
    lines.push(`http-after-response del-header ${headerName(name)}`);
  for (const [name, value] of Object.entries(options.setResponseHeaders ?? {})) {
    lines.push(`http-after-response set-header ${headerName(name)} ${quoteFormat(headerValue(value))}`);
  }
  return lines;
}

/** RFC 9110 §5.6.2 */
function headerName(name: string): string {
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw new Refused(`${JSON.stringify(name)} is no name of a header`);
  return quote(name);
}

function headerValue(value: string): string {
  if (hasControl(value))
    throw new Refused(`${JSON.stringify(value)} is no value of a header: it has a control character`);
  return value;
}

function natural(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new Refused(`${value} is no whole number from 0 on`);
  return value;
}

function positive(value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw new Refused(`${value} is no whole number from 1 on`);
  return value;
}
