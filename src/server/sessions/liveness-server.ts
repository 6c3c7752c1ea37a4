import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { onJsonLines, writeJsonLine } from '../../tunnel/lines.ts';
import { capabilities, type LivenessFromAgent, protocolVersion } from '../../tunnel/protocol.ts';
import type { Liveness } from '../request.ts';
import { AppliedTable } from './applied-table.ts';
import { ProblemTable, parseApplied, parseIngressProblems } from './told-by-agents.ts';

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
  const applied = new AppliedTable({ lastHeardMs: (key) => heardMs.get(key), clock });
  const problems = new ProblemTable();
  const listeners = new Set<(grid: string, nodeName: string) => void>();
  const appliedListeners = new Set<(grid: string, nodeName: string) => void>();
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
        const seenAs = (socket as Partial<Socket>).remoteAddress?.replace(/^::ffff:/, '');
        writeJsonLine(socket, {
          type: 'hello',
          protocolVersion,
          capabilities,
          serverId,
          servers: options.servers(socket),
          ...(seenAs === undefined ? {} : { seenAs }),
        });
        // An agent that was restarted begins with what it kept on disk: what it told before counts no more.
        if (message.capabilities.includes('watermark')) applied.set(key, { revision: 0 });
        else applied.delete(key);
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
        const appliedByAll = applied.byAll(grid);
        const { sequence } = message;
        writeJsonLine(socket, { type: 'pong', sequence, ...(appliedByAll === undefined ? {} : { appliedByAll }) });
      }
      if (message.type === 'applied' && isWelcome) {
        const told = parseApplied(message);
        if (!told) return void socket.destroy();
        applied.set(key, told);
        for (const listener of appliedListeners) listener(grid, nodeName);
      }
      if (message.type === 'ingressProblems' && isWelcome) {
        const told = parseIngressProblems(message.problems);
        if (!told) return void socket.destroy();
        problems.set(grid, nodeName, told);
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
      applied.delete(key);
      problems.set(grid, nodeName, []);
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
    appliedOf: (grid, nodeName) => applied.get(`${grid}/${nodeName}`),
    onApplied: (listener) => {
      appliedListeners.add(listener);
      return () => void appliedListeners.delete(listener);
    },
    ingressProblemsOf: (grid, nodeName) => problems.of(grid, nodeName),
    onIngressProblems: (listener) => problems.onChange(listener),
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
