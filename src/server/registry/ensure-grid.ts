import { overlaps, parseCidr } from '../../lib/cidr.ts';
import { FlotillaError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { isApiError } from '../../resources/api-error.ts';
import { formatFailoverAfter, suspectAfterMs } from '../../resources/failover.ts';
import type { GridIngressSpec } from '../../resources/grid-ingress.ts';
import { ingressFlagName } from '../../resources/grid-ingress-flags.ts';
import {
  type GridNetwork,
  type GridNetworkSpec,
  gridNetworkOf,
  immutableNetworkFields,
} from '../../resources/grid-network.ts';
import { networkFlagName } from '../../resources/grid-network-flags.ts';
import { jsonEqual } from '../../resources/json.ts';
import { apiVersionOf } from '../../resources/kind.ts';
import { type Grid, grids } from '../../resources/kinds.ts';
import { systemGrid } from '../../resources/names.ts';
import type { HostRoute } from '../host-routes.ts';
import type { Registry } from './registry.ts';

export interface GridChoices {
  readonly failoverAfterMs: number;
  /** What this server was told; the grid that is there already counts more. */
  readonly network: GridNetworkSpec;
  /** The same; it may be changed any time, in the Grid object. */
  readonly ingress: GridIngressSpec;
  /** Of this host; asked when the grid is made. */
  readonly hostRoutes: () => Promise<readonly HostRoute[]>;
  readonly log: Logger;
}

const call = { grid: systemGrid };

/**
 * A grid's settings as an object, so that they can be read and changed. The first server writes them from its options; what
 * is there stays. Throws BadUsage when this server was told something else that cannot change any more, and when a range of a
 * new grid is in use on this host. Answers what holds. Several servers may do it at once, and each at every start.
 */
export async function ensureGrid(registry: Registry, name: string, choices: GridChoices): Promise<GridNetwork> {
  const grid = await readGrid(registry, name);
  if (!grid) {
    requireFreeRanges(choices.network, await choices.hostRoutes());
    await createGrid(registry, name, choices);
  } else if (grid.spec?.network === undefined) {
    // Made before grids had networks: its addresses are in use on this host, perhaps.
    await patchSpec(registry, grid, { network: writtenNetwork(choices.network) });
  }
  const known = (await readGrid(registry, name)) ?? grid;
  if (known && known.spec?.ingress === undefined && Object.keys(choices.ingress).length > 0) {
    await patchSpec(registry, known, { ingress: choices.ingress });
  }
  const { network, ingress } = (await readGrid(registry, name))?.spec ?? {};
  warnOfOtherIngress(name, choices, ingress ?? {});
  const made = gridNetworkOf(network);
  requireSameNetwork(name, choices, made);
  return made;
}

async function readGrid(registry: Registry, name: string): Promise<Grid | undefined> {
  try {
    return (await registry.get(call, grids, { name })).object as Grid;
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
}

async function createGrid(registry: Registry, name: string, choices: GridChoices): Promise<void> {
  const after = formatFailoverAfter(Math.max(suspectAfterMs, choices.failoverAfterMs));
  const grid: Grid = {
    apiVersion: apiVersionOf(grids),
    kind: grids.kind,
    metadata: { name },
    spec: {
      failover: { after },
      network: writtenNetwork(choices.network),
      ...(Object.keys(choices.ingress).length > 0 ? { ingress: choices.ingress } : {}),
    },
  };
  await registry.create(call, grids, grid).catch((error: unknown) => {
    if (!isApiError(error, 'AlreadyExists')) throw error;
  });
}

async function patchSpec(registry: Registry, grid: Grid, spec: NonNullable<Grid['spec']>): Promise<void> {
  const { name, resourceVersion } = grid.metadata;
  const metadata = resourceVersion === undefined ? {} : { resourceVersion };
  const body = { metadata, spec };
  await registry.patch(call, grids, { name }, { type: 'merge', body, strictness: 'Strict' }).catch((error: unknown) => {
    if (!isApiError(error, 'Conflict')) throw error; // another server was faster
  });
}

/** Defaults are written out, so that another default of a later version changes no cluster. */
function writtenNetwork(network: GridNetworkSpec): GridNetworkSpec {
  const { overlayPort, trustedSubnets, loadBalancerPool, ...rest } = gridNetworkOf(network);
  return {
    ...rest,
    ...(network.overlayPort === undefined ? {} : { overlayPort }),
    ...(trustedSubnets.length > 0 ? { trustedSubnets: [...trustedSubnets] } : {}),
    ...(loadBalancerPool.length > 0 ? { loadBalancerPool: [...loadBalancerPool] } : {}),
  };
}

function warnOfOtherIngress(name: string, { ingress, log }: GridChoices, holds: GridIngressSpec): void {
  for (const [key, said] of Object.entries(ingress)) {
    const field = key as keyof GridIngressSpec;
    if (jsonEqual(said, holds[field])) continue;
    log.warn('an option is for new clusters: the grid says otherwise', {
      grid: name,
      option: ingressFlagName(field),
      said: [said].flat().join(','),
      holds: [holds[field]].flat().join(',') || 'none',
    });
  }
}

/** Throws BadUsage: packets for pods would leave through that route, or the other way round. */
export function requireFreeRanges(network: GridNetworkSpec, routes: readonly HostRoute[]): void {
  const { podRange, serviceRange } = gridNetworkOf(network);
  for (const [field, text] of [
    ['podRange', podRange],
    ['serviceRange', serviceRange],
  ] as const) {
    const range = parseCidr(text);
    const taken = routes.find((route) => range && overlaps(range, route.network));
    if (!taken) continue;
    const option = networkFlagName(field);
    throw new FlotillaError('BadUsage', `${option} ${text} overlaps a route of this host: ${taken.text}`, {
      hint: `choose a range that no host uses: ${option} ${field === 'podRange' ? '10.160.0.0/12' : '10.176.0.0/16'}`,
    });
  }
}

function requireSameNetwork(name: string, { network, log }: GridChoices, holds: GridNetwork): void {
  for (const [key, said] of Object.entries(network)) {
    const field = key as keyof GridNetworkSpec;
    if (jsonEqual(said, holds[field])) continue;
    const option = networkFlagName(field);
    const [wanted, there] = [said, holds[field]].map((value) => [value].flat().join(',') || 'none');
    if (immutableNetworkFields.some((one) => one === field)) {
      throw new FlotillaError('BadUsage', `${option} ${wanted}: grid "${name}" was made with ${there}, for ever`, {
        hint: `leave ${option} out, or say ${option} ${there}`,
      });
    }
    log.warn('an option is for new clusters: the grid says otherwise', {
      grid: name,
      option,
      said: wanted,
      holds: there,
    });
  }
}
