// Plain TCP, and TLS that is passed through by the name that a client asks for.
import type { TcpListener } from '../port.ts';
import { bindLines, type Environment, type Line } from './bind-lines.ts';
import { quote } from './quote.ts';
import { listenerKey, refusedClients, type WishedListener } from './wish.ts';

const tcpLogFormat = `{${[
  '"time":%Ts%ms',
  '"kind":"tcp"',
  '"client":"%[src]"',
  '"port":%fp',
  '"received":%U',
  '"sent":%B',
  '"queueMs":%Tw',
  '"connectMs":%Tc',
  '"totalMs":%Tt',
  '"section":"%b"',
  '"server":"%s"',
  '"end":"%ts"',
].join(',')}}`;

export interface ListenerWords {
  readonly nameOf: (section: string) => string;
  readonly environment: Environment;
  readonly proxied: readonly string[];
  readonly files: Map<string, string>;
  /** Who takes what no name asks for. */
  readonly rest: string | undefined;
}

export function listenerLines(port: number, group: readonly WishedListener[], words: ListenerWords): readonly Line[] {
  const { environment, proxied, nameOf } = words;
  const byName = group.filter(({ listener }) => listener.serverNames);
  const plain = group.find(({ listener }) => !listener.serverNames);
  const isLogged = environment.logSocket !== undefined && words.rest === undefined;
  const common = [
    `frontend tcp-${port}`,
    '  mode tcp',
    ...bindLines(environment, port),
    '  timeout client 1h',
    ...(isLogged ? [`  log-format ${quote(tcpLogFormat)}`] : ['  no log']),
    ...proxied,
  ];
  const lines: Line[] = common.map((text) => ({
    text,
    owner: listenerKey((plain ?? group[0])?.listener ?? emptyListener),
  }));
  if (byName.length > 0) {
    const named = byName.map(({ listener, section }) => nameLines(listener, nameOf(section), words.files));
    lines.push({ text: '  tcp-request inspect-delay 5s' }, ...named.flatMap(({ rejecting }) => rejecting));
    lines.push(
      { text: '  tcp-request content accept if { req.ssl_hello_type 1 }' },
      ...named.flatMap(({ using }) => using),
    );
  }
  // After the PROXY protocol, where one is spoken: before it the client is the proxy.
  for (const test of plain ? refusedClients(plain.listener, words.files) : []) {
    lines.push({ text: `  tcp-request session reject if ${test}`, owner: plain ? listenerKey(plain.listener) : '' });
  }
  const rest = plain ? nameOf(plain.section) : words.rest;
  if (rest !== undefined) lines.push({ text: `  default_backend ${rest}` });
  return lines;
}

const emptyListener: TcpListener = { port: 0, backend: '' };

/** The client's SNI; a `*.` takes one label. */
function nameLines(listener: TcpListener, section: string, files: Map<string, string>) {
  const owner = listenerKey(listener);
  const names = listener.serverNames ?? [];
  const tests = names.map((name) =>
    name.startsWith('*.')
      ? `{ req.ssl_sni,lower,field(2,.,0) -m str ${quote(name.slice(2))} }`
      : `{ req.ssl_sni,lower -m str ${quote(name)} }`,
  );
  const rejecting = refusedClients(listener, files).flatMap((refused) =>
    tests.map((test) => ({ text: `  tcp-request content reject if ${test} ${refused}`, owner })),
  );
  const using = tests.map((test) => ({ text: `  use_backend ${section} if ${test}`, owner }));
  return { rejecting, using };
}
