import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import { serversHeader } from '../resources/names.ts';
import { type ClientCertificate, dial } from './dial.ts';
import { firstServer } from './first-server.ts';

export interface ConnectionOptions {
  /** `https://host:port`. Asked in this order, the one that worked last first; a function is called at each connect. */
  readonly servers: readonly string[] | (() => readonly string[]);
  /** PEM of the CA that the servers' certificates must come from. */
  readonly caCertificate: string;
  /** Bearer token. */
  readonly token?: string | undefined;
  /** A function is asked at each connect: certificates are renewed. */
  readonly clientCertificate?: ClientCertificate | (() => ClientCertificate) | undefined;
  /** The name that the servers' certificates must have. Default: the host dialled. */
  readonly tlsName?: string | undefined;
  /** Called when a server tells of servers that are not among `servers`, with all that it knows. Absent: not asked for. */
  readonly onServers?: (servers: readonly string[]) => void;
  /** Called with each sentence that an answer carries for the person who asked (`Warning` headers). */
  readonly onWarning?: (sentence: string) => void;
  /** For TCP and TLS with one server. Default 3,000. */
  readonly connectTimeoutMs?: number;
  /** A connection is asked for life so often, and given up when not a byte comes for as long again. Default 2,000. */
  readonly pingMs?: number;
}

const streamWindowBytes = 1 << 20;
const connectionWindowBytes = 4 << 20;

/** One HTTP/2 session to the first server that answers; made anew, perhaps elsewhere, when it breaks. */
export class Connection {
  readonly options: ConnectionOptions;
  #preferred: string | undefined;
  #session: ClientHttp2Session | undefined;
  #connecting: Promise<ClientHttp2Session> | undefined;
  #isClosed = false;

  constructor(options: ConnectionOptions) {
    this.options = options;
  }

  /** The server in use, or the one that would be tried first. */
  get server(): string {
    return this.#servers()[0] ?? '';
  }

  /** An open session. Throws FlotillaError Unavailable when no server answers. */
  async session(): Promise<ClientHttp2Session> {
    if (this.#isClosed) throw new FlotillaError('Canceled', 'the client is closed');
    if (this.#session && !this.#session.closed && !this.#session.destroyed) return this.#session;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  /** Headers of every request. */
  get headers(): Readonly<Record<string, string>> {
    return this.options.onServers ? { [serversHeader]: this.#servers().join(' ') } : {};
  }

  /** What an answer's headers say beside the answer. */
  note(headers: Readonly<Record<string, string | string[] | undefined>>): void {
    const { onServers, onWarning } = this.options;
    const servers = headers[serversHeader];
    if (typeof servers === 'string') onServers?.(servers.split(' ').filter((one) => one.startsWith('https://')));
    if (onWarning) for (const sentence of warningsOf(headers.warning)) onWarning(sentence);
  }

  /** A TLS connection of its own, for upgrades of HTTP/1.1. */
  dialHttp1(): Promise<{ socket: TLSSocket; server: string }> {
    return firstServer({
      servers: this.#servers(),
      open: async (server) => ({ socket: await this.#dial(server, 'http/1.1'), server }),
      discard: ({ socket }) => void socket.destroy(),
    });
  }

  /** Ends the session at once; what runs fails with Unavailable. */
  close(): void {
    this.#isClosed = true;
    this.#session?.destroy();
    this.#session = undefined;
  }

  async #connect(): Promise<ClientHttp2Session> {
    const { session, server } = await firstServer({
      servers: this.#servers(),
      open: async (server) => ({ session: await openSession(server, await this.#dial(server, 'h2')), server }),
      discard: ({ session: late }) => late.destroy(),
    });
    if (this.#isClosed) {
      session.destroy();
      throw new FlotillaError('Canceled', 'the client is closed');
    }
    const forget = (): void => {
      if (this.#session === session) this.#session = undefined;
    };
    session.on('goaway', forget); // running requests go on, new ones get a new session
    session.on('close', forget);
    keepAlive(session, this.options.pingMs ?? 2_000);
    this.#preferred = server;
    this.#session = session;
    return session;
  }

  #dial(server: string, protocol: 'h2' | 'http/1.1'): Promise<TLSSocket> {
    const { caCertificate, clientCertificate, connectTimeoutMs, tlsName } = this.options;
    return dial({
      server,
      protocol,
      caCertificate,
      clientCertificate: typeof clientCertificate === 'function' ? clientCertificate() : clientCertificate,
      tlsName,
      timeoutMs: connectTimeoutMs ?? 3_000,
    });
  }

  #servers(): readonly string[] {
    const servers = typeof this.options.servers === 'function' ? this.options.servers() : this.options.servers;
    const preferred = this.#preferred;
    if (preferred === undefined || !servers.includes(preferred)) return servers;
    return [preferred, ...servers.filter((server) => server !== preferred)];
  }
}

function openSession(server: string, socket: TLSSocket): Promise<ClientHttp2Session> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientHttp2Session>();
  const session = connectHttp2(server, {
    createConnection: () => socket,
    settings: { initialWindowSize: streamWindowBytes, enablePush: false },
    maxSessionMemory: 64, // MB; long lists come over many streams at once
  });
  // Its streams tell each caller; without a listener the process would end.
  session.on('error', (cause) => {
    reject(new FlotillaError('Unavailable', `server ${server}: ${messageOf(cause)}`, { retryable: true, cause }));
  });
  session.once('close', () => {
    reject(new FlotillaError('Unavailable', `server ${server}: the connection was closed`, { retryable: true }));
  });
  session.once('connect', () => {
    session.setLocalWindowSize(connectionWindowBytes);
    resolve(session);
  });
  return promise;
}

/**
 * A peer that went away without a word is noticed by a ping after which nothing comes; then every open stream fails at once.
 * Any byte is a sign of life: on a slow line the answer may stand behind a long list.
 */
function keepAlive(session: ClientHttp2Session, pingMs: number): void {
  let isWaiting = false;
  let bytesThen = 0;
  const bytesNow = (): number => (session.destroyed ? 0 : (session.socket?.bytesRead ?? 0));
  const timer = setInterval(() => {
    if (session.destroyed) return;
    if (isWaiting && bytesNow() === bytesThen) {
      // When it was us who stood still, the answer lies in the socket's buffer: read that first.
      setImmediate(() => {
        if (isWaiting && bytesNow() === bytesThen) session.destroy(new Error(`no sign of life for ${2 * pingMs} ms`));
      });
      return;
    }
    bytesThen = bytesNow();
    if (isWaiting) return;
    try {
      isWaiting = session.ping((error) => {
        if (!error) isWaiting = false;
      });
    } catch {
      // closing: its close event follows
    }
  }, pingMs);
  timer.unref();
  session.once('close', () => clearInterval(timer));
}

/** RFC 9110's old form, `299 - "text"`, once or more in a header; text is UTF-8. */
function warningsOf(header: string | string[] | undefined): string[] {
  const text = Buffer.from(Array.isArray(header) ? header.join(', ') : (header ?? ''), 'latin1').toString('utf8');
  return [...text.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, quoted]) => (quoted ?? '').replace(/\\(.)/g, '$1'));
}
