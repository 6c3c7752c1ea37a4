import { isApiError } from '../../resources/api-error.ts';
import { formatFailoverAfter, suspectAfterMs } from '../../resources/failover.ts';
import { apiVersionOf } from '../../resources/kind.ts';
import { type Grid, grids, namespaces } from '../../resources/kinds.ts';
import { systemGrid } from '../../resources/names.ts';
import type { ApiObject } from '../../resources/object.ts';
import { permanentNamespaces } from './permanent-namespaces.ts';
import type { Registry } from './registry.ts';

/** Makes what is missing. Several servers may do it at once, and each at every start. */
export async function ensureNamespaces(registry: Registry): Promise<void> {
  for (const [grid, names] of Object.entries(permanentNamespaces)) {
    for (const name of names) {
      const namespace: ApiObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
      await registry.create({ grid }, namespaces, namespace).catch((error: unknown) => {
        if (!isApiError(error, 'AlreadyExists')) throw error;
      });
    }
  }
}

/** Each grid's settings as an object, so that they can be read and changed; what is there already stays. */
export async function ensureGrids(
  registry: Registry,
  names: readonly string[],
  failoverAfterMs: number,
): Promise<void> {
  const after = formatFailoverAfter(Math.max(suspectAfterMs, failoverAfterMs));
  for (const name of names) {
    const grid: Grid = {
      apiVersion: apiVersionOf(grids),
      kind: grids.kind,
      metadata: { name },
      spec: { failover: { after } },
    };
    await registry.create({ grid: systemGrid }, grids, grid).catch((error: unknown) => {
      if (!isApiError(error, 'AlreadyExists')) throw error;
    });
  }
}
