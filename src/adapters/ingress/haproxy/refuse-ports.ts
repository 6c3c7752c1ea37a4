import { FlotillaError } from '../../../lib/errors.ts';
import type { Exec } from '../../../lib/exec.ts';
import type { IngressState } from '../port.ts';
import { observeListening, takenPorts } from './port-holders.ts';
import { type Accepted, listenerKey } from './wish.ts';

/** What is had already, and by whom. */
export interface OwnPorts {
  readonly listeners: Accepted['listeners'];
  /** Of HTTP and HTTPS. */
  readonly ports: readonly number[];
  readonly pids: readonly number[];
  readonly addresses: readonly string[];
  readonly exec: Exec;
}

/**
 * Listeners that cannot have their port, since somebody else has it: by key, who. Throws HostToolFailed when it is the one of HTTP
 * or HTTPS. Looks only at ports that are new: HAProxy shares a port with another process of its user without a word.
 */
export async function refusePorts(state: IngressState, own: OwnPorts): Promise<ReadonlyMap<string, string>> {
  const { settings } = state;
  const needed = [settings.httpPort, settings.httpsPort].filter((port) => !own.ports.includes(port));
  const fresh = [...state.listeners].filter(([key, { port }]) => own.listeners.get(key)?.listener.port !== port);
  if (needed.length + fresh.length === 0) return new Map();
  const ports = [...needed, ...fresh.map(([, { port }]) => port)];
  const ours = new Set(own.pids);
  const taken = takenPorts(await observeListening(own.exec), { ports, addresses: own.addresses, ours });
  for (const port of needed) {
    const why = taken.get(port);
    if (why === undefined) continue;
    const hint = 'end it, or give the grid other ports (Grid.spec.ingress.httpPort, httpsPort)';
    throw new FlotillaError('HostToolFailed', `HAProxy cannot listen: ${why}`, { retryable: true, hint });
  }
  return new Map(
    fresh.flatMap(([, listener]): [string, string][] => {
      const why = taken.get(listener.port);
      return why === undefined ? [] : [[listenerKey(listener), why]];
    }),
  );
}
