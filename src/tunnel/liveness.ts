import type { TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { type Clock, systemClock } from '../lib/clock.ts';
import { FlotillaError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { ApiError } from '../resources/api-error.ts';
import type { Applied, IngressProblem } from '../resources/applied.ts';
import { dial, type NodeCredentials } from './dial.ts';
import { dialOften } from './dial-often.ts';
import { onJsonLines, writeJsonLine } from './lines.ts';
import {
  capabilities,
  type LivenessFromServer,
  livenessPath,
  livenessUpgrade,
  pingIntervalMs,
  protocolVersion,
} from './protocol.ts';
import { keepConnections, type ServerConnections } from './server-connections.ts';

export interface LivenessOptions {
  /** `https://host:port`, all that are known. */
  readonly servers: readonly string[];
  /** Asked at each connection, so that a renewed certificate is used. */
  readonly credentials: () => NodeCredentials;
  readonly agentVersion: string;
  /** All servers of the cluster as one of them says; not empty. Keep it on disk and give it to the tunnel. */
  readonly onServers?: (servers: readonly string[]) => void;
  readonly onState?: (server: string, isConnected: boolean) => void;
  /** This node's address as a server sees it. */
  readonly onSeenAs?: (address: string) => void;
  /** What all nodes have applied, as one server knows it. */
  readonly onAppliedByAll?: (server: string, revision: number) => void;
  readonly clock?: Clock;
  readonly log: Logger;
}

export interface LivenessConnections extends ServerConnections {
  /** Tells all servers at once, and those that are connected to later. */
  reportApplied(applied: Applied): void;
  /** Likewise, all of them, also when there is none; told only where they differ from before. */
  reportIngressProblems(problems: readonly IngressProblem[]): void;
  /** Some server is connected. */
  readonly isAnyConnected: boolean;
}

/** No answer for so long: the connection is given up and made anew. */
const silentAfterMs = 3_000;

/** Keeps a liveness connection to every server and pings on each once a second. */
export function connectLiveness(options: LivenessOptions): LivenessConnections {
  const { clock = systemClock, log } = options;
  const open = new Map<string, TLSSocket>();
  let applied: Applied | undefined;
  let problems: readonly IngressProblem[] | undefined;
  const connections = keepConnections({
    name: 'liveness',
    servers: options.servers,
    clock,
    log,
    onState: (server, isConnected) => {
      if (!isConnected) open.delete(server);
      options.onState?.(server, isConnected);
    },
    connect: async (server, onOpen, signal) => {
      const credentials = options.credentials();
      const one = { server, path: livenessPath, upgrade: livenessUpgrade, credentials };
      const socket = await dialOften((until) => dial({ ...one, signal: until }), { clock, signal });
      const onServers = (servers: readonly string[]) => {
        if (servers.length === 0) return;
        connections.setServers(withDialled(servers, server));
        options.onServers?.(withDialled(servers, server));
      };
      const onHello = (seenAs: string | undefined) => {
        open.set(server, socket);
        onOpen();
        if (applied) writeJsonLine(socket, { type: 'applied', ...applied });
        if (problems) writeJsonLine(socket, { type: 'ingressProblems', problems });
        if (seenAs !== undefined) options.onSeenAs?.(seenAs);
      };
      const onAppliedByAll = (revision: number) => options.onAppliedByAll?.(server, revision);
      const { agentVersion } = options;
      await converse(socket, { server, agentVersion, clock, signal, onHello, onServers, onAppliedByAll });
    },
  });
  return {
    ...connections,
    reportApplied: (news) => {
      applied = news;
      for (const socket of open.values()) writeJsonLine(socket, { type: 'applied', ...news });
    },
    reportIngressProblems: (news) => {
      if (isDeepStrictEqual(news, problems)) return;
      problems = news;
      for (const socket of open.values()) writeJsonLine(socket, { type: 'ingressProblems', problems });
    },
    get isAnyConnected() {
      return open.size > 0;
    },
  };
}

/** The address that works stays, even when the server calls itself otherwise (a forwarded port, a name). */
function withDialled(servers: readonly string[], dialled: string): string[] {
  return servers.includes(dialled) ? [...servers] : [dialled, ...servers];
}

interface Conversation {
  readonly server: string;
  readonly agentVersion: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onHello: (seenAs: string | undefined) => void;
  readonly onServers: (servers: readonly string[]) => void;
  readonly onAppliedByAll: (revision: number) => void;
}

function converse(socket: TLSSocket, conversation: Conversation): Promise<void> {
  const { server, agentVersion, clock, signal } = conversation;
  return new Promise((resolve, reject) => {
    let sequence = 0;
    let heardMs = clock.monotonicMs();
    let problem: Error | undefined;
    let cancel = () => {};
    const end = (error?: Error) => {
      problem ??= error;
      socket.destroy();
    };
    const onAbort = () => end();
    const tick = () => {
      if (clock.monotonicMs() - heardMs > silentAfterMs) {
        return end(new FlotillaError('Unavailable', `server ${server} has not answered for ${silentAfterMs} ms`));
      }
      sequence += 1;
      writeJsonLine(socket, { type: 'ping', sequence });
      cancel = clock.after(pingIntervalMs, tick);
    };
    onJsonLines<LivenessFromServer>(socket, (message) => {
      heardMs = clock.monotonicMs();
      if (message.type === 'hello') conversation.onHello(message.seenAs);
      if (message.type === 'pong' && message.appliedByAll !== undefined) {
        conversation.onAppliedByAll(message.appliedByAll);
      }
      if (message.type === 'hello' || message.type === 'servers') conversation.onServers(message.servers);
      if (message.type === 'refused') end(new ApiError({ code: 403, reason: 'Refused', message: message.reason }));
    });
    socket.on('error', (error) => {
      problem ??= error;
    });
    socket.on('close', () => {
      cancel();
      signal.removeEventListener('abort', onAbort);
      if (problem) reject(problem);
      else resolve();
    });
    signal.addEventListener('abort', onAbort, { once: true });
    socket.setNoDelay(true);
    writeJsonLine(socket, { type: 'hello', protocolVersion, capabilities, agentVersion });
    tick();
  });
}
