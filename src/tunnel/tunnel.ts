import { type Http2Session, performServerHandshake } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { AgentRequestHandler } from './agent-server.ts';
import { dial, type NodeCredentials } from './dial.ts';
import { tunnelPath, tunnelUpgrade } from './protocol.ts';
import { keepConnections, type ServerConnections } from './server-connections.ts';

export interface TunnelOptions {
  readonly servers: readonly string[];
  readonly credentials: () => NodeCredentials;
  /** From `createAgentApi`. */
  readonly handler: AgentRequestHandler;
  readonly onState?: (server: string, isConnected: boolean) => void;
  readonly clock?: Clock;
  readonly log: Logger;
}

/** Of both ends, so that one stream fills a long fat line: 1 MiB a stream, 8 MiB a connection. */
export const tunnelWindows = { streamBytes: 1_048_576, connectionBytes: 8_388_608 } as const;
export const tunnelSessionOptions = {
  settings: { initialWindowSize: tunnelWindows.streamBytes, enablePush: false, maxConcurrentStreams: 1_000 },
  maxSessionMemory: 64,
} as const;

const pingEveryMs = 10_000;
const pingTimeoutMs = 30_000;

/** Keeps a tunnel to every server; in it the server asks and this side answers. */
export function connectTunnel(options: TunnelOptions): ServerConnections {
  const { clock = systemClock, log, handler } = options;
  return keepConnections({
    name: 'tunnel',
    servers: options.servers,
    clock,
    log,
    ...(options.onState ? { onState: options.onState } : {}),
    connect: async (server, onOpen, signal) => {
      const credentials = options.credentials();
      const socket = await dial({ server, path: tunnelPath, upgrade: tunnelUpgrade, credentials, signal });
      await serve(socket, handler, clock, onOpen, signal);
    },
  });
}

function serve(
  socket: TLSSocket,
  handler: AgentRequestHandler,
  clock: Clock,
  onOpen: () => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.setNoDelay(true);
    const session = performServerHandshake(socket, tunnelSessionOptions);
    let problem: Error | undefined;
    const onAbort = () => session.destroy();
    const stopPings = keepAlive(session, clock);
    session.on('stream', handler);
    session.on('error', (error: Error) => {
      problem ??= error;
    });
    session.once('close', () => {
      stopPings();
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      if (problem) reject(problem);
      else resolve();
    });
    session.once('remoteSettings', () => {
      session.setLocalWindowSize(tunnelWindows.connectionBytes);
      onOpen();
    });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

/** A line that went away without a word is noticed by pings without answer; a slow one may be full of data meanwhile. */
export function keepAlive(session: Http2Session, clock: Clock): () => void {
  let answeredMs = clock.monotonicMs();
  let cancel = () => {};
  const tick = () => {
    if (session.destroyed) return;
    if (clock.monotonicMs() - answeredMs > pingTimeoutMs)
      return session.destroy(new Error('the tunnel has gone silent'));
    session.ping((error) => {
      if (!error) answeredMs = clock.monotonicMs();
    });
    cancel = clock.after(pingEveryMs, tick);
  };
  cancel = clock.after(pingEveryMs, tick);
  return () => cancel();
}
