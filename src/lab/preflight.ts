import { access, constants } from 'node:fs/promises';
import { FlotillaError } from '../lib/errors.ts';
import { exec } from '../lib/exec.ts';
import type { LabLayout } from './layout.ts';

const packages: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  sysctl: 'procps',
  iptables: 'iptables',
  nft: 'nftables',
  dockerd: 'docker.io',
  containerd: 'containerd',
  'docker-registry': 'docker-registry',
};

export function requireRoot(uid: number): void {
  if (uid !== 0) {
    throw new FlotillaError('Forbidden', 'a lab needs root: it makes network namespaces and mounts', {
      hint: 'sudo flotilla lab …',
    });
  }
}

/** What not every lab needs. */
export interface LabNeeds {
  /** Several servers share one. */
  readonly etcd: boolean;
  /** Hosts that do not route plainly to each other. */
  readonly wireguard: boolean;
}

/** Throws FlotillaError HostToolFailed that names every missing program and the Debian packages that bring them. */
export async function requireTools(path: string, needs: LabNeeds): Promise<void> {
  const wanted: Readonly<Record<string, string>> = {
    ...packages,
    ...(needs.etcd ? { etcd: 'etcd-server' } : {}),
    ...(needs.wireguard ? { wg: 'wireguard-tools' } : {}),
  };
  const found = await Promise.all(
    Object.keys(wanted).map(async (tool) => ({ tool, isThere: await isOnPath(tool, path) })),
  );
  const missing = found.filter(({ isThere }) => !isThere).map(({ tool }) => tool);
  if (missing.length === 0) return;
  const names = [...new Set(missing.map((tool) => wanted[tool] ?? tool))].join(' ');
  throw new FlotillaError('HostToolFailed', `cannot find ${missing.join(', ')} on this machine`, {
    hint: `apt-get install ${names}, or scripts/setup.sh in a checkout`,
  });
}

async function isOnPath(tool: string, path: string): Promise<boolean> {
  for (const directory of path.split(':')) {
    const isThere = await access(`${directory}/${tool}`, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return true;
  }
  return false;
}

/** Refuses a network that this machine already reaches in another way: the lab would cut it off. */
export async function requireFreeNetwork(lab: LabLayout): Promise<void> {
  const routes: unknown = JSON.parse((await exec(['ip', '-j', '-4', 'route', 'show', 'table', 'all'])).stdout || '[]');
  const overlapping = findOverlap(lab.network, routes);
  if (overlapping === undefined) return;
  throw new FlotillaError('Conflict', `--network ${lab.network} overlaps this machine's route ${overlapping}`, {
    hint: 'give another /24, such as --network 10.101.0.0/24',
  });
}

/** The first of `ip -j route`'s answers, default routes and broadcasts apart, that overlaps `network`. */
export function findOverlap(network: string, routes: unknown): string | undefined {
  if (!Array.isArray(routes)) return undefined;
  for (const route of routes as readonly { dst?: unknown; dev?: unknown; type?: unknown }[]) {
    const dst = typeof route.dst === 'string' ? route.dst : 'default';
    if (dst === 'default' || route.type === 'broadcast') continue;
    if (overlaps(network, dst)) return `${dst}${typeof route.dev === 'string' ? ` dev ${route.dev}` : ''}`;
  }
  return undefined;
}

function overlaps(a: string, b: string): boolean {
  const [first, second] = [range(a), range(b)];
  return first.start <= second.end && second.start <= first.end;
}

function range(cidr: string): { readonly start: number; readonly end: number } {
  const [address = '', length = '32'] = cidr.split('/');
  const octets = address.split('.').map(Number);
  const size = 2 ** (32 - Number(length));
  const value = octets.reduce((sum, octet) => sum * 256 + octet, 0) * 256 ** (4 - octets.length);
  const start = Math.floor(value / size) * size;
  return { start, end: start + size - 1 };
}
