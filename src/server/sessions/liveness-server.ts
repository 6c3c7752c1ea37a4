import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { onJsonLines, writeJsonLine } from '../../tunnel/lines.ts';
import { capabilities, type LivenessFromAgent, protocolVersion } from '../../tunnel/protocol.ts';
import type { Liveness } from '../request.ts';

export interface LivenessServerOptions {
  readonly serverId: string;
  /** All servers' URLs, as this connection should see them; empty while the others are not known. */
  readonly servers: (socket: Duplex) => readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

export interface LivenessServer extends Liveness {
  /** Takes over an upgraded connection of a node. */
  accept(grid: string, nodeName: string, socket: Duplex): void;
  /** Ends the connections of a node that is no longer one. */
  drop(grid: string, nodeName: string): void;
  /** The list of servers is another one: all that are connected hear it. */
  tellServers(): void;
  /** Open connections. */
  readonly size: number;
  stop(): void;
}

/** A connection silent for so long is given up: the agent has long since made another. */
const silentAfterMs = 10_000;

export function createLivenessServer(options: LivenessServerOptions): LivenessServer {
  const { clock, log } = options;
  const heardMs = new Map<string, number>();
  const local = new Set<string>();
  const sockets = new Map<Duplex, string>();
  const welcome = new Set<Duplex>();
  const listeners = new Set<(grid: string, nodeName: string) => void>();
  const changed = (grid: string, nodeName: string) => {
    for (const listener of listeners) listener(grid, nodeName);
  };

  const accept = (grid: string, nodeName: string, socket: Duplex) => {
    const key = `${grid}/${nodeName}`;
    let isWelcome = false;
    let lastMs = clock.monotonicMs();
    const watch = () => {
      if (clock.monotonicMs() - lastMs > silentAfterMs) socket.destroy();
      else cancel = clock.after(silentAfterMs, watch);
    };
    let cancel = clock.after(silentAfterMs, watch);
    sockets.set(socket, key);
    onJsonLines<LivenessFromAgent>(socket, (message) => {
      lastMs = clock.monotonicMs();
      if (message.type === 'hello') {
        const refusal = refusalOf(message);
        if (refusal !== undefined) {
          log.warn('an agent was refused', { grid, node: nodeName, reason: refusal });
          writeJsonLine(socket, { type: 'refused', reason: refusal });
          socket.end();
          return;
        }
        const { serverId } = options;
        writeJsonLine(socket, {
          type: 'hello',
          protocolVersion,
          capabilities,
          serverId,
          servers: options.servers(socket),
        });
        isWelcome = true;
        welcome.add(socket);
        heardMs.set(key, lastMs);
        if (isFromHere(socket)) local.add(key);
        else local.delete(key);
        log.info('a node is connected', { grid, node: nodeName, agentVersion: message.agentVersion });
        changed(grid, nodeName);
      }
      if (message.type === 'ping' && isWelcome) {
        heardMs.set(key, lastMs);
        writeJsonLine(socket, { type: 'pong', sequence: message.sequence });
      }
    });
    socket.on('error', () => {}); // its close follows
    socket.once('end', () => socket.end());
    socket.once('close', () => {
      cancel();
      sockets.delete(socket);
      welcome.delete(socket);
      if (!isWelcome) return;
      log.info('a connection of a node has ended', { grid, node: nodeName });
      changed(grid, nodeName);
    });
  };

  return {
    accept,
    get size() {
      return sockets.size;
    },
    drop: (grid, nodeName) => {
      const key = `${grid}/${nodeName}`;
      heardMs.delete(key);
      for (const [socket, of] of sockets) if (of === key) socket.destroy();
    },
    tellServers: () => {
      for (const socket of welcome) writeJsonLine(socket, { type: 'servers', servers: options.servers(socket) });
    },
    lastHeardMs: (grid, nodeName) => heardMs.get(`${grid}/${nodeName}`),
    isLocal: (grid, nodeName) => local.has(`${grid}/${nodeName}`),
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop: () => {
      for (const socket of sockets.keys()) socket.destroy();
    },
  };
}

/** Both ends have the same address: the agent is on this machine. */
function isFromHere(socket: Duplex): boolean {
  const { localAddress, remoteAddress } = socket as Partial<Socket>;
  return localAddress !== undefined && localAddress === remoteAddress;
}

function refusalOf(hello: LivenessFromAgent & { type: 'hello' }): string | undefined {
  if (hello.protocolVersion === protocolVersion) return undefined;
  const older = hello.protocolVersion < protocolVersion ? 'agent' : 'server';
  return `the agent speaks protocol ${hello.protocolVersion}, this server ${protocolVersion}: upgrade the ${older}`;
}
