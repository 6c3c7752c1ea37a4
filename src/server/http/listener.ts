import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { ApiError } from '../../resources/api-error.ts';
import type { HttpRequest, HttpResponse } from '../request.ts';
import { watchOver } from './http2-sessions.ts';
import { isLong } from './is-long.ts';
import { Lifetimes } from './lifetimes.ts';
import { writeStatus } from './write-status.ts';

export interface ListenerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: ListenerTls;
  readonly onRequest: (incoming: Incoming, request: HttpRequest, response: HttpResponse) => Promise<void>;
  readonly onUpgrade: (incoming: Incoming, request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>;
  readonly log: Logger;
}

/** PEM. */
export interface ListenerTls {
  readonly key: string;
  /** The server's own, followed by the authority's: joining nodes read the latter. */
  readonly chain: string;
  readonly ca: string;
}

/** What is known of a request before anybody looked at it. */
export interface Incoming {
  readonly requestId: string;
  readonly socket: TLSSocket;
  readonly sourceAddress: string;
  readonly userAgent: string;
  /** Aborted when the client went away or the server stops. */
  readonly signal: AbortSignal;
}

export interface Listener {
  readonly address: AddressInfo;
  /** For connections from now on. */
  setTls(tls: ListenerTls): void;
  /** Connections open now. */
  readonly connections: number;
  /** No new requests; running ones are told by their signals and have three seconds. */
  stop(): Promise<void>;
}

const maxConnections = 20_000;
/** Names and values of all headers of a request; answered with 431 beyond. */
const maxHeaderBytes = 65_536;
const handshakeTimeoutMs = 10_000;
/** What is answered already finishes within this time when the server stops. */
const stopGraceMs = 3_000;
const flushGraceMs = 1_000;
/** How the older protocol keeps slow senders off: it has no types in the options of HTTP/2. */
const http1 = {
  http1Options: {
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: 10_000,
    requestTimeout: 60_000,
    keepAliveTimeout: 75_000,
    connectionsCheckingInterval: 2_000,
  },
};

/** HTTPS with HTTP/2 and HTTP/1.1. Client certificates are asked for, and judged by who authenticates. */
export async function startListener(options: ListenerOptions): Promise<Listener> {
  /** Ends watches at once, everything else after a while. */
  const stopping = { long: new Lifetimes(), short: new Lifetimes() };
  const sockets = new Set<TLSSocket>();
  const sessions = new Set<ServerHttp2Session>();
  const running = new Set<Promise<void>>();
  const server = createSecureServer({
    ...tlsOptions(options.tls),
    allowHTTP1: true,
    ...http1,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    handshakeTimeout: handshakeTimeoutMs,
    settings: {
      maxConcurrentStreams: 1_000,
      // Beyond it a stream is reset without a word; between the two it is answered.
      maxHeaderListSize: 2 * maxHeaderBytes,
      initialWindowSize: 1_048_576,
      enablePush: false,
    },
    maxSessionMemory: 64,
  });
  server.maxConnections = maxConnections;
  const track = (work: Promise<void>) => {
    running.add(work);
    work.finally(() => running.delete(work)).catch((error) => options.log.error('a request handler threw', { error }));
  };

  server.on('secureConnection', (socket: TLSSocket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // clients go away as they like
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('session', (session: ServerHttp2Session) => {
    sessions.add(session);
    session.on('error', () => {});
    session.once('close', () => sessions.delete(session));
    session.setLocalWindowSize?.(8_388_608);
    watchOver(session);
  });
  server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
    const { signal, end } = (isLong(request.url) ? stopping.long : stopping.short).begin();
    response.on('close', end);
    response.on('error', () => {});
    const incoming = describe(request, socketOf(request), signal);
    response.setHeader('x-request-id', incoming.requestId);
    if (headerBytes(request) > maxHeaderBytes) {
      writeStatus(response, tooLargeHeaders());
      return;
    }
    track(options.onRequest(incoming, request, response));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (!socket.writable) return;
    // Ended, not destroyed: what was read too late would take the answer with it.
    const status = clientErrors[error.code ?? ''] ?? '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    setTimeout(() => socket.destroy(), flushGraceMs).unref();
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const { signal, end } = stopping.long.begin();
    socket.once('close', end);
    socket.on('error', () => {});
    track(options.onUpgrade(describe(request, request.socket as TLSSocket, signal), request, socket, head));
  });

  server.listen(options.port, options.host);
  await once(server, 'listening').catch((cause) => {
    const message = `cannot listen on ${options.host}:${options.port}: ${messageOf(cause)}`;
    throw new FlotillaError('Unavailable', message, { hint: 'Choose another address with --listen', cause });
  });
  server.on('error', (error) => options.log.error('the listener failed', { error }));
  return {
    address: server.address() as AddressInfo,
    setTls: (tls) => server.setSecureContext(tlsOptions(tls)),
    get connections() {
      return sockets.size;
    },
    stop: () => stop(server, { stopping, sockets, sessions, running }),
  };
}

interface Running {
  readonly stopping: { readonly long: Lifetimes; readonly short: Lifetimes };
  readonly sockets: Set<TLSSocket>;
  readonly sessions: Set<ServerHttp2Session>;
  readonly running: Set<Promise<void>>;
}

async function stop(server: Http2SecureServer, { stopping, sockets, sessions, running }: Running): Promise<void> {
  server.close();
  for (const session of sessions) session.close();
  const why = new Error('the server stops');
  stopping.long.abort(why);
  await within(stopGraceMs, Promise.allSettled(running));
  stopping.short.abort(why);
  // What was answered must leave first: a session closes by itself once its last stream has ended.
  const closed = [...sessions].map((session) => once(session, 'close').catch(() => {}));
  for (const socket of sockets) if (socket.alpnProtocol !== 'h2') socket.destroySoon();
  await within(flushGraceMs, Promise.all(closed));
  for (const session of sessions) session.destroy();
  for (const socket of sockets) socket.destroy();
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

function tlsOptions({ key, chain, ca }: ListenerTls) {
  return { key, cert: chain, ca };
}

/**
 * One object for all requests of a connection: over HTTP/2 `request.socket` is another one for each of them. That of a
 * session throws when it has ended, while `request.socket` then knows nothing.
 */
function socketOf({ stream, socket }: Http2ServerRequest): TLSSocket {
  const session = stream?.session;
  return (session && !session.destroyed ? session.socket : socket) as TLSSocket;
}

function describe(request: HttpRequest, socket: TLSSocket, signal: AbortSignal): Incoming {
  const sent = request.headers['x-request-id'];
  const isSane = typeof sent === 'string' && /^[A-Za-z0-9._:-]{1,64}$/.test(sent);
  return {
    requestId: isSane ? sent : randomUUID(),
    socket,
    sourceAddress: socket.remoteAddress?.replace(/^::ffff:/, '') ?? '',
    userAgent: String(request.headers['user-agent'] ?? '').slice(0, 256),
    signal,
  };
}

const clientErrors: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

function headerBytes({ rawHeaders }: HttpRequest): number {
  let bytes = 0;
  for (const text of rawHeaders) bytes += text.length;
  return bytes;
}

function tooLargeHeaders(): ApiError {
  const message = `the headers of the request are larger than ${maxHeaderBytes} bytes`;
  return new ApiError({ code: 431, reason: 'RequestHeaderFieldsTooLarge', message });
}
