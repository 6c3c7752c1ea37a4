import type { ClientHttp2Session } from 'node:http2';
import type { Clock } from '../../lib/clock.ts';

/** The tunnels that nodes hold to this server. A node may have several for a while; the newest that lives is used. */
export interface NodeTunnels {
  add(grid: string, nodeName: string, session: ClientHttp2Session): void;
  /** Waits a little for a node that is just coming back; undefined: it does not. */
  find(grid: string, nodeName: string, signal: AbortSignal): Promise<ClientHttp2Session | undefined>;
  /** Ends the tunnels of a node that is no longer one. */
  drop(grid: string, nodeName: string): void;
  readonly size: number;
  stop(): void;
}

/** Agents reconnect within half a second; a server that just started waits for them. */
const waitMs = 1_500;
/** A node that opens more tunnels than it has servers' addresses is broken: the oldest goes. */
const tunnelsPerNode = 8;

export function createNodeTunnels(clock: Clock): NodeTunnels {
  const sessions = new Map<string, ClientHttp2Session[]>();
  const waiting = new Map<string, Set<() => void>>();
  const newest = (key: string) => sessions.get(key)?.findLast((one) => !one.destroyed && !one.closed);

  return {
    get size() {
      return [...sessions.values()].reduce((sum, list) => sum + list.length, 0);
    },
    add: (grid, nodeName, session) => {
      const key = `${grid}/${nodeName}`;
      const list = [...(sessions.get(key) ?? []), session];
      if (list.length > tunnelsPerNode) list.shift()?.destroy();
      sessions.set(key, list);
      session.once('close', () => {
        const rest = (sessions.get(key) ?? []).filter((other) => other !== session);
        if (rest.length > 0) sessions.set(key, rest);
        else sessions.delete(key);
      });
      for (const wake of waiting.get(key) ?? []) wake();
    },
    find: async (grid, nodeName, signal) => {
      const key = `${grid}/${nodeName}`;
      if (!newest(key)) await arrival(waiting, key, clock, signal);
      return newest(key);
    },
    drop: (grid, nodeName) => {
      for (const session of sessions.get(`${grid}/${nodeName}`) ?? []) session.destroy();
    },
    stop: () => {
      for (const session of [...sessions.values()].flat()) session.close();
    },
  };
}

function arrival(waiting: Map<string, Set<() => void>>, key: string, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wakes = waiting.get(key) ?? new Set();
    waiting.set(key, wakes);
    const done = () => {
      wakes.delete(done);
      if (wakes.size === 0) waiting.delete(key);
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(waitMs, done);
    wakes.add(done);
    signal.addEventListener('abort', done, { once: true });
  });
}
