import { isApiError } from '../../resources/api-error.ts';
import { namespaces } from '../../resources/kinds.ts';
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
