import { readFile } from 'node:fs/promises';
import type { Environment } from './bind-lines.ts';

export interface EnvironmentInput {
  readonly socketDirectory: string;
  readonly addresses?: readonly string[] | undefined;
  readonly logSocket?: string | undefined;
}

/** What this host has: limits, a user without rights, IPv6. */
export async function observeEnvironment({
  socketDirectory,
  addresses,
  logSocket,
}: EnvironmentInput): Promise<Environment> {
  const hasIPv6 = (await readFile('/proc/net/if_inet6', 'utf8').catch(() => '')) !== '';
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const user =
    process.getuid?.() === 0 ? serviceUser(await readFile('/etc/passwd', 'utf8').catch(() => '')) : undefined;
  return {
    addresses: addresses ?? (hasIPv6 ? ['*', '::'] : ['*']),
    maxConnections: connectionsFor(openFilesLimit(limits)),
    socketDirectory,
    ...(user ? { user } : {}),
    ...(logSocket === undefined ? {} : { logSocket }),
  };
}

/** Hard: HAProxy raises the soft one by itself. */
export function openFilesLimit(limits: string): number {
  const [, hard] = /^Max open files\s+\S+\s+(\d+)/m.exec(limits) ?? [];
  return hard === undefined ? 1_000_000 : Number(hard);
}

/**
 * Each connection takes two files, checks and sockets of its own take more: HAProxy does not start where 2 × maxconn and the
 * checks exceed the limit, and `haproxy -c` says nothing of it.
 */
export function connectionsFor(openFiles: number): number {
  const reserve = Math.min(6_000, Math.floor(openFiles / 4));
  return Math.max(100, Math.floor((openFiles - reserve) / 2));
}

/** Whom the package of the distribution made for it; else nobody. */
function serviceUser(passwd: string): Environment['user'] {
  const names = new Set(passwd.split('\n').map((line) => line.split(':')[0]));
  if (names.has('haproxy')) return { name: 'haproxy', group: 'haproxy' };
  return names.has('nobody') ? { name: 'nobody', group: 'nogroup' } : undefined;
}
