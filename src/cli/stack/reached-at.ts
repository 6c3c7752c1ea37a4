import { isApiError } from '../../client/api-error.ts';
import type { HttpClient } from '../../client/http-client.ts';
import { type GridIngress, gridIngressOf } from '../../resources/grid-ingress.ts';
import { ingressOptionsOf } from '../../resources/ingress-options.ts';
import { grids, type Ingress, ingresses } from '../../resources/kinds.ts';
import { labels, systemGrid } from '../../resources/names.ts';

/** Where the world reaches a stack, a line a service; nothing while no node lets anybody in. */
export async function reachedAt(client: HttpClient, namespace: string, stack: string): Promise<readonly string[]> {
  const labelSelector = `${labels.stack}=${stack}`;
  try {
    const { items } = await client.list(ingresses, { namespace, labelSelector });
    return items.length === 0 ? [] : reachedLines(items, await ports(client));
  } catch (error) {
    if (isApiError(error, 'Forbidden') || isApiError(error, 'NotFound')) return []; // an older server, or no right to see them
    throw error;
  }
}

type Ports = Pick<GridIngress, 'httpPort' | 'httpsPort'>;

/** Those of the grid; who may not read it is told the usual ones. */
async function ports(client: HttpClient): Promise<Ports> {
  const grid = await client
    .forGrid(systemGrid)
    .get(grids, { name: client.grid })
    .catch(() => undefined);
  return gridIngressOf(grid?.spec?.ingress);
}

const maxShown = 4;

/** URLs of hosts that can be typed in, and ports of plain TCP. */
export function reachedLines(all: readonly Ingress[], { httpPort, httpsPort }: Ports): readonly string[] {
  const places = new Map<string, Set<string>>();
  for (const ingress of all) {
    const addresses = (ingress.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
    const [address] = addresses;
    if (address === undefined) continue;
    const { tcpPort, tlsPassthrough } = ingressOptionsOf(ingress);
    const secure = new Set((ingress.spec.tls ?? []).flatMap(({ hosts = [] }) => hosts));
    const service = ingress.metadata.labels?.[labels.service] ?? ingress.metadata.name;
    const found = places.get(service) ?? new Set();
    places.set(service, found);
    if (tcpPort !== undefined) found.add(`${address}:${tcpPort}`);
    for (const { host, http } of ingress.spec.rules ?? []) {
      if (!host || host.startsWith('*')) continue;
      const isSecure = tlsPassthrough === true || secure.has(host);
      const [scheme, port, usual] = isSecure ? ['https', httpsPort, 443] : ['http', httpPort, 80];
      for (const { path = '/' } of http?.paths ?? []) {
        found.add(`${scheme}://${host}${port === usual ? '' : `:${port}`}${path === '/' ? '' : path}`);
      }
    }
  }
  return [...places]
    .filter(([, found]) => found.size > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([service, found]) => {
      const shown = [...found].slice(0, maxShown).join('  ');
      return `${service} is reached at ${shown}${found.size > maxShown ? `  and ${found.size - maxShown} more` : ''}`;
    });
}
