import type { IngressState } from '../port.ts';
import { serverName } from './server.ts';

const maxFormerPods = 10_000;

/** Whose an address is, by the server's name: of `before`, too, as long as there is room. */
export function podsOf({ backends }: IngressState, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const pods = new Map(before.size > maxFormerPods ? [] : before);
  for (const { endpoints } of backends.values()) {
    for (const endpoint of endpoints) if (endpoint.pod !== undefined) pods.set(serverName(endpoint), endpoint.pod);
  }
  return pods;
}
