import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import { type ClientCertificate, dial } from './dial.ts';

export interface ConnectionOptions {
  /** `https://host:port`. Tried in this order, the one that worked last first; a function is asked at each connect. */
  readonly servers: readonly string[] | (() => readonly string[]);
  /** PEM of the CA that the servers' certificates must come from. */
  readonly caCertificate: string;
  /** Bearer token. */
  readonly token?: string | undefined;
  /** A function is asked at each connect: certificates are renewed. */
  readonly clientCertificate?: ClientCertificate | (() => ClientCertificate) | undefined;
  /** The name that the servers' certificates must have. Default: the host dialled. */
  readonly tlsName?: string | undefined;
  /** For TCP and TLS with one server. Default 3,000. */
  readonly connectTimeoutMs?: number;
  /** While requests run, a silent connection is asked for life so often, and given up after as long again. Default 5,000. */
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

  /** A TLS connection of its own, for upgrades of HTTP/1.1. */
  dialHttp1(): Promise<{ socket: TLSSocket; server: string }> {
    return this.#firstServer(async (server) => ({ socket: await this.#dial(server, 'http/1.1'), server }));
  }

  /** Ends the session at once; what runs fails with Unavailable. */
  close(): void {
    this.#isClosed = true;
    this.#session?.destroy();
    this.#session = undefined;
  }

  #connect(): Promise<ClientHttp2Session> {
    return this.#firstServer(async (server) => {
      const socket = await this.#dial(server, 'h2');
      const session = await openSession(server, socket);
      if (this.#isClosed) {
        session.destroy();
        throw new FlotillaError('Canceled', 'the client is closed');
      }
      const forget = (): void => {
        if (this.#session === session) this.#session = undefined;
      };
      session.on('goaway', forget); // running requests go on, new ones get a new session
      session.on('close', forget);
      keepAlive(session, this.options.pingMs ?? 5_000);
      this.#preferred = server;
      this.#session = session;
      return session;
    });
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

  async #firstServer<T>(open: (server: string) => Promise<T>): Promise<T> {
    const failures: FlotillaError[] = [];
    for (const server of this.#servers()) {
      try {
        return await open(server);
      } catch (error) {
        if (!(error instanceof FlotillaError) || error.code !== 'Unavailable') throw error;
        failures.push(error);
      }
    }
    if (failures.length === 0) throw new FlotillaError('BadUsage', 'no server is known');
    throw new FlotillaError('Unavailable', `no server answers: ${failures.map(messageOf).join('; ')}`, {
      retryable: failures.some((failure) => failure.retryable),
      hint: failures.find((failure) => failure.hint)?.hint ?? 'see that a server runs and can be reached from here',
      cause: failures[0],
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

/** A peer that went away without a word is noticed by a ping without answer; then every open stream fails at once. */
function keepAlive(session: ClientHttp2Session, pingMs: number): void {
  let isWaiting = false;
  const timer = setInterval(() => {
    if (session.destroyed) return;
    if (isWaiting) {
      // When it was us who stood still, the answer lies in the socket's buffer: read that first.
      setImmediate(() => {
        if (isWaiting) session.destroy(new Error(`no sign of life for ${2 * pingMs} ms`));
      });
      return;
    }
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
