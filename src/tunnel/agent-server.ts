import { once } from 'node:events';
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { isIP } from 'node:net';
import { FlotillaError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { AgentApi, ContainerRef, ExecOptions, LogsOptions } from './agent-api.ts';
import { serveExec } from './exec-server.ts';
import { serveForward } from './forward-server.ts';
import { statusOf } from './status.ts';

/** Of 64 nodes, each with a few addresses. */
const maxProbed = 512;
/** Of an access log. */
const defaultTailLines = 100;

/** Answers one request that a server sends through the tunnel. Never throws. */
export type AgentRequestHandler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** `count` hears of each request that begins and ends. */
export function createAgentApi(
  api: AgentApi,
  log: Logger,
  count: (change: 1 | -1) => void = () => {},
): AgentRequestHandler {
  return (stream, headers) => {
    const abort = new AbortController();
    count(1);
    stream.once('close', () => count(-1));
    stream.on('error', () => {}); // the close that follows says enough
    stream.on('close', () => abort.abort(new Error('the server went away')));
    const requestId = String(headers['x-request-id'] ?? '');
    answer(api, stream, headers, requestId, abort.signal).catch((error) => {
      if (abort.signal.aborted) return;
      log.warn('cannot answer a request through the tunnel', { path: headers[':path'], requestId, error });
      if (stream.headersSent) return stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      const status = statusOf(error);
      stream.respond({ ':status': status.code ?? 500, 'content-type': 'application/json' });
      stream.end(JSON.stringify(status));
    });
  };
}

async function answer(
  api: AgentApi,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  requestId: string,
  signal: AbortSignal,
): Promise<void> {
  const url = new URL(headers[':path'] ?? '/', 'http://agent');
  const [, verb, namespace, pod, container] = url.pathname.split('/').map(decodeURIComponent);
  const route = `${headers[':method']} ${verb}`;
  if (route === 'GET metrics') {
    const text = await api.metrics();
    stream.respond({ ':status': 200, 'content-type': 'text/plain; version=0.0.4' });
    stream.end(text);
    return;
  }
  if (route === 'GET network') {
    const report = await api.network({ withChecks: isTrue(url.searchParams, 'check') }, signal);
    stream.respond({ ':status': 200, 'content-type': 'application/json' });
    stream.end(JSON.stringify(report));
    return;
  }
  if (route === 'GET ingress') {
    const report = await api.ingress();
    stream.respond({ ':status': 200, 'content-type': 'application/json' });
    stream.end(JSON.stringify(report));
    return;
  }
  if (route === 'GET access-log') {
    const query = url.searchParams;
    const tailLines = numberOf(query, 'tailLines') ?? defaultTailLines;
    return await serveLogs(stream, api.accessLog({ follow: isTrue(query, 'follow'), tailLines }, signal));
  }
  if (route === 'GET probe') {
    const addresses = url.searchParams.getAll('address');
    const isFine = addresses.length <= maxProbed && addresses.every((address) => isIP(address) !== 0);
    if (!isFine) throw new FlotillaError('Invalid', `address: at most ${maxProbed} IP addresses`);
    const found = await api.probe(addresses, signal);
    stream.respond({ ':status': 200, 'content-type': 'application/json' });
    stream.end(JSON.stringify(found));
    return;
  }
  if (!namespace || !pod || !container) throw new FlotillaError('NotFound', `no such path: ${url.pathname}`);
  const ref: ContainerRef = { namespace, pod, container, requestId };
  if (route === 'GET logs') return await serveLogs(stream, await api.logs(ref, logsOptions(url), signal));
  switch (route) {
    case 'POST exec':
      return await serveExec(stream, await api.exec(ref, execOptions(url), signal), signal);
    case 'POST attach':
      return await serveExec(stream, await api.attach(ref, execOptions(url), signal), signal);
    case 'POST forward':
      return await serveForward(stream, await api.forward(ref, portOf(url), signal));
    case 'GET lifetime': {
      const { ended } = await api.lifetime(ref, signal);
      stream.respond({ ':status': 200 });
      await ended;
      stream.end();
      return;
    }
  }
  throw new FlotillaError('NotFound', `no such request: ${route}`, { hint: 'Upgrade the agent' });
}

async function serveLogs(stream: ServerHttp2Stream, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  stream.respond({ ':status': 200, 'content-type': 'text/plain; charset=utf-8' });
  for await (const chunk of chunks) {
    if (stream.destroyed) return;
    if (!stream.write(chunk)) await Promise.race([once(stream, 'drain'), once(stream, 'close')]);
  }
  stream.end();
}

function logsOptions({ searchParams: query }: URL): LogsOptions {
  const tailLines = numberOf(query, 'tailLines');
  const sinceSeconds = numberOf(query, 'sinceSeconds');
  const limitBytes = numberOf(query, 'limitBytes');
  const sinceTime = query.get('sinceTime');
  return {
    follow: isTrue(query, 'follow'),
    previous: isTrue(query, 'previous'),
    timestamps: isTrue(query, 'timestamps'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceTime === null ? {} : { sinceTime }),
  };
}

function execOptions({ searchParams: query }: URL): ExecOptions {
  return {
    command: query.getAll('command'),
    stdin: isTrue(query, 'stdin'),
    stdout: isTrue(query, 'stdout'),
    stderr: isTrue(query, 'stderr'),
    tty: isTrue(query, 'tty'),
  };
}

function portOf({ searchParams: query }: URL): number {
  const port = numberOf(query, 'port') ?? 0;
  if (port < 1 || port > 65_535) throw new FlotillaError('Invalid', `port: ${port} is not between 1 and 65535`);
  return port;
}

function isTrue(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== 'false' && value !== '0';
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new FlotillaError('Invalid', `${name}: "${text}" is not a whole number`);
  return Number(text);
}
