// All of haproxy.cfg but its backends: what is the same for each request, and where it goes by maps.
import { bindLines, type Environment, type Line } from './bind-lines.ts';
import { forwardedLines } from './forwarded-lines.ts';
import { listenerLines } from './listener-lines.ts';
import { quote } from './quote.ts';
import { addressFile, neverKept } from './section.ts';
import { anyHost, type Wish } from './wish.ts';

export const mapFiles = ['hosts.map', 'exact.map', 'prefix.map', 'challenges.map'] as const;
export const crtList = 'crt.list';
export const defaultCertificate = 'default.pem';
/**
 * A worker of an earlier configuration has an entry there, and then leads each request to the newest one: nobody can tell it any
 * more which servers there are (`set server` answers "Proxy is disabled").
 */
export const handoverMap = 'handover.map';
/** What the worker before has found of servers; read once, when a worker starts. */
export const serverStates = 'servers.state';
/** Counts by host. */
export const hostTable = 'hosts';
export const loopBackend = 'https-loop';

/** Of the Mozilla "intermediate" kind: forward secrecy and authenticated encryption alone. */
const ciphers = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** Lines of user files are the fault of nobody: a file is named after its hash, so text that differs means another file. */
export function renderFrame(
  wish: Wish,
  nameOf: (section: string) => string,
  environment: Environment,
): { readonly lines: readonly Line[]; readonly files: ReadonlyMap<string, string> } {
  const files = new Map<string, string>();
  const lines: Line[] = [];
  const add = (...texts: string[]) => lines.push(...texts.map((text) => ({ text })));
  add(...globalLines(wish, environment));
  if (environment.logSocket !== undefined) add(...ringLines(environment.logSocket));
  add(...defaultLines(environment));
  add(`backend ${hostTable}`, '  stick-table type string len 255 size 20k store http_req_cnt,http_fail_cnt');
  const { trustedProxies, acceptsProxyProtocol } = wish.settings;
  const trusted = trustedProxies.length > 0 ? addressFile(trustedProxies, files) : undefined;
  const proxied = trusted !== undefined && acceptsProxyProtocol ? expectProxy(trusted) : [];
  const groups = Map.groupBy(wish.listeners, ({ listener }) => listener.port);
  const loop = groups.get(wish.settings.httpsPort);
  add(...httpLines(wish, environment, { trusted, proxied, isLooped: loop !== undefined }));
  for (const [port, group] of groups) {
    const rest = port === wish.settings.httpsPort ? loopBackend : undefined;
    lines.push(...listenerLines(port, group, { nameOf, environment, proxied, files, rest }));
  }
  if (loop) {
    add(`backend ${loopBackend}`, '  mode tcp', '  timeout server 1h');
    add(`  server loop unix@${environment.socketDirectory}/loop.sock send-proxy-v2`);
  }
  for (const kind of ['plain', 'tls']) {
    add(`backend handover-${kind}`, '  timeout server 1h', ...neverKept.map((line) => `  ${line}`));
    add(`  server newest unix@${environment.socketDirectory}/${kind}.sock send-proxy-v2`);
  }
  return { lines, files };
}

function globalLines({ settings }: Wish, { maxConnections, user }: Environment): readonly string[] {
  return [
    'global',
    // A worker that crashes should end no other. (2.6 forgets that when its master waits, and ends all; the agent starts it anew.)
    '  master-worker no-exit-on-failure',
    `  maxconn ${Math.max(1, Math.min(settings.maxConnections, maxConnections))}`,
    // A bound for workers of earlier configurations, far beyond what a connection may wait for.
    '  hard-stop-after 24h',
    '  mworker-max-reloads 50',
    '  spread-checks 5',
    `  server-state-file ${serverStates}`,
    ...(user ? [`  user ${user.name}`, `  group ${user.group}`] : []),
    '  ssl-default-bind-options ssl-min-ver TLSv1.2',
    `  ssl-default-bind-ciphers ${ciphers}`,
    '  tune.ssl.default-dh-param 2048',
  ];
}

/** What it cannot send at once waits in memory, the oldest goes first: nobody who is slow to read the log holds a request. */
function ringLines(socket: string): readonly string[] {
  return [
    'ring access',
    '  format raw',
    '  maxlen 8192',
    '  size 4194304',
    '  timeout connect 1s',
    '  timeout server 10s',
    `  server agent unix@${socket} log-proto octet-count`,
  ];
}

function defaultLines({ logSocket }: Environment): readonly string[] {
  return [
    'defaults',
    '  mode http',
    ...(logSocket === undefined ? [] : ['  log ring@access len 8192 local0 info', '  option dontlognull']),
    // A SYN may be lost once; whose host is gone is then tried elsewhere before clients give up.
    '  timeout connect 2s',
    '  timeout client 60s',
    '  timeout client-fin 30s',
    '  timeout server 60s',
    '  timeout queue 30s',
    '  timeout tunnel 1h',
    '  timeout http-request 10s',
    '  timeout http-keep-alive 75s',
    '  timeout check 2s',
    '  load-server-state-from-file global',
    // An instance may close a connection that idles just as the next request is written to it, and nobody can tell then
    // whether it was received: only what changes nothing goes over one that was used before, and is asked again (docs/adr/0031).
    '  http-reuse always',
    '  retries 3',
    '  retry-on conn-failure empty-response',
    '  option redispatch 1',
    // An instance whose host is gone ends no connection: one on which nothing comes is found to be dead within five seconds.
    '  option srvtcpka',
    '  srvtcpka-idle 2s',
    '  srvtcpka-intvl 1s',
    '  srvtcpka-cnt 3',
    // A reload closes no connection that a client may be writing to: the next answer says "close".
    '  option idle-close-on-response',
    // Browsers connect ahead: one that has sent nothing when its time is over is closed without a word. A 408 would be read as the
    // answer to the request that is written just then.
    '  option http-ignore-probes',
    '  http-error status 503 content-type text/plain string "no instance is ready to answer\\n"',
  ];
}

function expectProxy(trusted: string): readonly string[] {
  return [`  tcp-request connection expect-proxy layer4 if { src -f ${trusted} }`];
}

/** For other workers of ours: they say who the client is. */
function innerBind({ socketDirectory, user }: Environment, kind: 'loop' | 'plain' | 'tls', words = ''): string {
  const owner = user ? ` user ${user.name}` : '';
  return `  bind unix@${socketDirectory}/${kind}.sock name ${kind} mode 600${owner} accept-proxy${words}`;
}

interface HttpWords {
  readonly trusted: string | undefined;
  readonly proxied: readonly string[];
  readonly isLooped: boolean;
}

function httpLines(
  { settings }: Wish,
  environment: Environment,
  { trusted, proxied, isLooped }: HttpWords,
): readonly string[] {
  const tls = ` ssl crt-list ${crtList} alpn h2,http/1.1`;
  const secure = isLooped ? [innerBind(environment, 'loop', tls)] : bindLines(environment, settings.httpsPort, tls);
  const portText = settings.httpsPort === 443 ? '' : `:${settings.httpsPort}`;
  return [
    'frontend http',
    ...bindLines(environment, settings.httpPort),
    ...secure,
    innerBind(environment, 'plain'),
    innerBind(environment, 'tls'),
    ...proxied,
    ...(environment.logSocket === undefined ? [] : [`  log-format ${quote(httpLogFormat)}`]),
    '  http-request set-var(txn.proto) str(http)',
    '  http-request set-var(txn.proto) str(https) if { ssl_fc } or { so_name -m str tls }',
    `  http-request set-var(txn.old) str(old),map_str(${handoverMap})`,
    '  http-request set-log-level silent if { var(txn.old) -m found }',
    '  http-request allow if { var(txn.old) -m found }',
    ...ownConnectionLines,
    '  http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)',
    '  http-request set-var(txn.path) path',
    // Nobody may reach by `..` what another path guards. Few paths have what is worth decoding.
    `  http-request deny deny_status 400 if ${climbing} { path,url_dec -m sub /../ } or ${climbing} { path,url_dec -m end /.. }`,
    ...(settings.healthPath === undefined
      ? []
      : [
          `  http-request return status 200 content-type text/plain string "ok\\n" if { var(txn.proto) -m str http } { path -m str ${quote(settings.healthPath)} }`,
        ]),
    `  http-request return status 200 content-type text/plain lf-string %[${challenge}] if { path_beg /.well-known/acme-challenge/ } { ${challenge} -m found }`,
    '  http-request set-var(txn.site) var(txn.host),map_str(hosts.map)',
    // A host that is known by its name is one; of others it must be looked at, they come to stand in headers.
    "  http-request deny deny_status 400 if { var(txn.host) -m reg '[^a-z0-9._:[\\]-]' } !{ var(txn.site) -m found }",
    '  http-request set-var(txn.parent) var(txn.host),field(2,.,0) if !{ var(txn.site) -m found }',
    '  http-request set-var(txn.site) str(*.),concat(,txn.parent),map_str(hosts.map) if !{ var(txn.site) -m found }',
    `  http-request set-var(txn.site) str(${anyHost}),map_str(hosts.map) if !{ var(txn.site) -m found }`,
    '  http-request return status 404 content-type text/plain string "no such host here\\n" if !{ var(txn.site) -m found }',
    ...forwardedLines(trusted),
    `  http-request track-sc0 var(txn.site) table ${hostTable}`,
    '  http-request set-var(txn.route) var(txn.site),concat(,txn.path),map_str(exact.map)',
    '  http-request set-var(txn.route) var(txn.site),concat(,txn.path,/),map_beg(prefix.map) if !{ var(txn.route) -m found }',
    '  http-request return status 404 content-type text/plain string "no such path on this host\\n" if !{ var(txn.route) -m found }',
    `  http-request redirect code 308 location https://%[var(txn.host)]${portText}%[pathq] if { var(txn.proto) -m str http } { var(txn.route),field(2,|) -m str R } !{ path_beg /.well-known/acme-challenge/ }`,
    '  http-after-response set-header Strict-Transport-Security max-age=%[var(txn.route),field(3,|)] if { var(txn.proto) -m str https } { var(txn.route),field(3,|) -m len 1: }',
    '  use_backend handover-tls if { var(txn.old) -m found } { var(txn.proto) -m str https }',
    '  use_backend handover-plain if { var(txn.old) -m found }',
    '  use_backend %[var(txn.route),field(1,|)]',
  ];
}

const climbing = '{ path -m sub .. % }';
const challenge = 'path,field(4,/),map_str(challenges.map)';

/** A request that may change something: nobody else's connection, which is closed after it, and it is sent once. */
const ownConnectionLines = [
  '  http-request set-var(txn.own) uuid if !{ method GET HEAD OPTIONS }',
  '  http-request disable-l7-retry if { var(txn.own) -m found }',
  '  http-request set-header Connection close if { var(txn.own) -m found } !{ req.hdr(upgrade) -m found }',
];

/** One JSON object a request; numbers that may be -1 say that it did not come so far. */
const httpLogFormat = `{${[
  '"time":%Ts%ms',
  '"kind":"http"',
  '"client":"%[src]"',
  '"host":"%[var(txn.host),bytes(0,255),json(utf8ps)]"',
  '"site":"%[var(txn.site)]"',
  '"method":"%HM"',
  '"path":"%[var(txn.path),bytes(0,2048),json(utf8ps)]"',
  '"protocol":"%HV"',
  '"status":%ST',
  '"received":%U',
  '"sent":%B',
  '"requestMs":%TR',
  '"queueMs":%Tw',
  '"connectMs":%Tc',
  '"responseMs":%Tr',
  '"totalMs":%Ta',
  '"section":"%b"',
  '"server":"%s"',
  '"retries":"%rc"',
  '"tls":"%sslv"',
  '"end":"%tsc"',
].join(',')}}`;
