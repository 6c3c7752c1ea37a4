import { createHash } from 'node:crypto';
import { parseIPv4 } from '../../../lib/cidr.ts';
import type { IngressEndpoint } from '../port.ts';

/** A server is named after where it is: a name never comes to mean another instance while something is under way to it. */
export function serverName({ address, port }: IngressEndpoint): string {
  return `${address}:${port}`;
}

export function serverAddress({ address, port }: IngressEndpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `add server` and the file take IP addresses: names would be resolved once, and then never again. */
function isServer({ address, port }: IngressEndpoint): boolean {
  const isAddress = parseIPv4(address) !== undefined || /^[\da-f:]*:[\da-f:.]*$/i.test(address);
  return isAddress && Number.isInteger(port) && port > 0 && port < 65_536;
}

/** By name, each once. */
export function serversOf(endpoints: readonly IngressEndpoint[]): ReadonlyMap<string, IngressEndpoint> {
  return new Map(endpoints.filter(isServer).map((endpoint) => [serverName(endpoint), endpoint]));
}

/** Consistent hashing places a server by the lower 20 bits of its id (lb_chash.c): the rest would be of no use. */
const ids = 2 ** 20;

/**
 * By which `source` and `uri` choose: made of the address, so that all hosts choose alike. Pods differ in just these bits of
 * their addresses; where two servers agree in them nonetheless the later one takes the next.
 */
export function serverId(endpoint: IngressEndpoint, taken: ReadonlySet<number>): number {
  const value = parseIPv4(endpoint.address) ?? createHash('sha256').update(endpoint.address).digest().readUInt32BE();
  let id = value % ids;
  while (id === 0 || taken.has(id)) id = (id + 1) % ids;
  return id;
}
