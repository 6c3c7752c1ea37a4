import { lookup } from 'node:dns/promises';
import { FlotillaError, hasCode } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';

export interface HostAddress {
  readonly address: string;
  readonly interfaceName: string;
}

interface RouteAnswer {
  readonly dev?: string;
  readonly prefsrc?: string;
}

/** Address and interface by which this host reaches a server; for a server on this host, those of the default route. */
export async function findHostAddress(server: string, exec: Exec): Promise<HostAddress> {
  const host = new URL(server).hostname.replace(/^\[|\]$/g, '');
  const { address } = await lookup(host, { family: 4 });
  const direct = await routeTo(address, exec);
  if (direct && direct.interfaceName !== 'lo') return direct;
  const outside = await routeTo('192.0.2.1', exec);
  if (outside) return outside;
  if (direct) return direct;
  throw new FlotillaError('HostToolFailed', `no route to server ${server}`, {
    hint: 'Give the address with --address',
  });
}

/** The interface that carries one of these addresses. */
export async function interfaceOf(addresses: readonly string[], exec: Exec): Promise<string | undefined> {
  const { stdout } = await exec(['ip', '-j', 'addr', 'show']);
  const links = JSON.parse(stdout) as { ifname?: string; addr_info?: { local?: string }[] }[];
  return links.find((link) => link.addr_info?.some(({ local }) => local !== undefined && addresses.includes(local)))
    ?.ifname;
}

async function routeTo(address: string, exec: Exec): Promise<HostAddress | undefined> {
  try {
    const [route] = JSON.parse((await exec(['ip', '-j', 'route', 'get', address])).stdout) as RouteAnswer[];
    if (route?.dev === undefined || route.prefsrc === undefined) return undefined;
    return { address: route.prefsrc, interfaceName: route.dev };
  } catch (error) {
    if (hasCode(error, 'HostToolFailed')) return undefined; // no route
    throw error;
  }
}
