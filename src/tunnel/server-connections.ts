import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { ApiError } from '../resources/api-error.ts';
import { reconnectDelayMs } from './protocol.ts';

export interface ServerConnectionsOptions {
  /** For the log: `liveness` or `tunnel`. */
  readonly name: string;
  readonly servers: readonly string[];
  /**
   * Connects and resolves when the connection has ended; calls `onOpen` once it works. A server's refusal (ApiError 4xx)
   * waits for somebody to act: the next try comes much later.
   */
  readonly connect: (server: string, onOpen: () => void, signal: AbortSignal) => Promise<void>;
  /** Called with each change of a server's connection. */
  readonly onState?: (server: string, isConnected: boolean) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** One connection to every server known, for ever. */
export interface ServerConnections {
  /** Connects to new ones, lets go of those that are gone. */
  setServers(servers: readonly string[]): void;
  isConnected(server: string): boolean;
  /** Resolves when all connections have ended. */
  stop(): Promise<void>;
}

const refusedDelayMs = 30_000;

export function keepConnections(options: ServerConnectionsOptions): ServerConnections {
  const { name, clock } = options;
  const running = new Map<string, { abort: AbortController; ended: Promise<void>; isOpen: boolean }>();
  let isStopped = false;

  const start = (server: string) => {
    const abort = new AbortController();
    const connection = { abort, ended: Promise.resolve(), isOpen: false };
    const setOpen = (isOpen: boolean) => {
      if (connection.isOpen === isOpen) return;
      connection.isOpen = isOpen;
      options.onState?.(server, isOpen);
    };
    const log = options.log.with({ server });
    connection.ended = (async () => {
      for (let lastProblem = ''; !abort.signal.aborted; ) {
        let isRefused = false;
        try {
          await options.connect(server, () => setOpen(true), abort.signal);
          lastProblem = '';
        } catch (error) {
          if (abort.signal.aborted) break;
          isRefused = error instanceof ApiError && error.status.code >= 400 && error.status.code < 500;
          // The same problem twice a second would fill the log.
          if (messageOf(error) !== lastProblem) log.warn(`the ${name} connection failed, trying again`, { error });
          lastProblem = messageOf(error);
        } finally {
          setOpen(false);
        }
        // Between half the delay and all of it: agents do not come back in step.
        const delayMs = backoffMs(1, {
          initialMs: isRefused ? refusedDelayMs : reconnectDelayMs,
          maxMs: refusedDelayMs,
          jitter: 0.5,
        });
        await clock.sleep(delayMs, abort.signal).catch(() => {});
      }
    })();
    running.set(server, connection);
  };

  const setServers = (servers: readonly string[]) => {
    if (isStopped) return;
    const wanted = new Set(servers);
    for (const [server, connection] of running) {
      if (wanted.has(server)) continue;
      running.delete(server);
      connection.abort.abort(new Error('the server is no longer one of the cluster'));
    }
    for (const server of wanted) if (!running.has(server)) start(server);
  };
  setServers(options.servers);

  return {
    setServers,
    isConnected: (server) => running.get(server)?.isOpen ?? false,
    stop: async () => {
      isStopped = true;
      const connections = [...running.values()];
      running.clear();
      for (const { abort } of connections) abort.abort(new Error('the agent stops'));
      await Promise.all(connections.map(({ ended }) => ended));
    },
  };
}
