import { lookup } from 'node:dns/promises';
import { FlotillaError, hasCode } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';

export interface HostAddresses {
  /** By which the other nodes reach this one; the first one is told to everybody. */
  readonly addresses: readonly string[];
  /** That carries them. */
  readonly interfaceName: string;
}

export interface HostAddressWish {
  /** `--address`. */
  readonly addresses?: readonly string[];
  /** `--interface`: its first address, or that which the given addresses must be on. */
  readonly interfaceName?: string;
  /** URL of a server: without a wish, what leads there. */
  readonly server: string;
}

interface RouteAnswer {
  readonly dev?: string;
  readonly prefsrc?: string;
}

/**
 * The addresses that were asked for; else those by which this host reaches a server, or, for a server on this host, those of the
 * default route. Throws BadUsage that names an address or an interface that is not there.
 */
export async function findHostAddresses(wish: HostAddressWish, exec: Exec): Promise<HostAddresses> {
  const { addresses = [], interfaceName, server } = wish;
  if (addresses.length === 0 && interfaceName === undefined) return addressTo(server, exec);
  const interfaces = parseInterfaces((await exec(['ip', '-j', '-4', 'addr', 'show'])).stdout);
  return chooseAddresses(interfaces, addresses, interfaceName);
}

/** Name → its IPv4 addresses. */
export type Interfaces = ReadonlyMap<string, readonly string[]>;

/** Reads `ip -j -4 addr show`. */
export function parseInterfaces(json: string): Interfaces {
  const links = JSON.parse(json.trim() || '[]') as { ifname?: string; addr_info?: { local?: string }[] }[];
  return new Map(
    links.flatMap(({ ifname, addr_info = [] }) =>
      ifname === undefined ? [] : [[ifname, addr_info.flatMap(({ local }) => local ?? [])] as const],
    ),
  );
}

export function chooseAddresses(
  interfaces: Interfaces,
  addresses: readonly string[],
  interfaceName: string | undefined,
): HostAddresses {
  const here = `this host has ${[...interfaces].map(([name, own]) => `${own.join(' ')} on ${name}`).join(', ')}`;
  const candidates =
    interfaceName === undefined ? [...interfaces] : [...interfaces].filter(([name]) => name === interfaceName);
  if (interfaceName !== undefined && (candidates[0]?.[1].length ?? 0) === 0) {
    throw new FlotillaError('BadUsage', `--interface ${interfaceName} is not there, or has no IPv4 address`, {
      hint: here,
    });
  }
  const missing = addresses.find((address) => !candidates.some(([, own]) => own.includes(address)));
  if (missing !== undefined) {
    const where =
      interfaceName === undefined ? 'no interface of this host' : `another interface than ${interfaceName}, or none`;
    throw new FlotillaError('BadUsage', `--address ${missing} is on ${where}`, {
      hint: `${here}; --external-address is for one that a router has`,
    });
  }
  const [first = ''] = addresses;
  const found = candidates.find(([, own]) => addresses.length === 0 || own.includes(first));
  if (!found) throw new Error('an address without an interface');
  return { addresses: addresses.length > 0 ? addresses : found[1].slice(0, 1), interfaceName: found[0] };
}

async function addressTo(server: string, exec: Exec): Promise<HostAddresses> {
  const host = new URL(server).hostname.replace(/^\[|\]$/g, '');
  const { address } = await lookup(host, { family: 4 });
  const direct = await routeTo(address, exec);
  if (direct && direct.interfaceName !== 'lo') return direct;
  const outside = await routeTo('192.0.2.1', exec);
  if (outside) return outside;
  if (direct) return direct;
  throw new FlotillaError('HostToolFailed', `no route to server ${server}`, {
    hint: 'Give the address with --address, or the interface with --interface',
  });
}

async function routeTo(address: string, exec: Exec): Promise<HostAddresses | undefined> {
  try {
    const [route] = JSON.parse((await exec(['ip', '-j', 'route', 'get', address])).stdout) as RouteAnswer[];
    if (route?.dev === undefined || route.prefsrc === undefined) return undefined;
    return { addresses: [route.prefsrc], interfaceName: route.dev };
  } catch (error) {
    if (hasCode(error, 'HostToolFailed')) return undefined; // no route
    throw error;
  }
}
