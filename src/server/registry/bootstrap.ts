import { isApiError } from '../../resources/api-error.ts';
import { namespaces } from '../../resources/kinds.ts';
import { defaultGrid, systemGrid } from '../../resources/names.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { Registry } from './registry.ts';

/** Namespaces that every cluster has: leases and the like of Flotilla itself, and where people begin. */
const wanted: Readonly<Record<string, readonly string[]>> = {
  [defaultGrid]: ['default', 'flotilla-system'],
  [systemGrid]: ['flotilla-system'],
};

/** Makes what is missing. Several servers may do it at once, and each at every start. */
export async function ensureNamespaces(registry: Registry): Promise<void> {
  for (const [grid, names] of Object.entries(wanted)) {
    for (const name of names) {
      const namespace: ApiObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
      await registry.create({ grid }, namespaces, namespace).catch((error: unknown) => {
        if (!isApiError(error, 'AlreadyExists')) throw error;
      });
    }
  }
}
