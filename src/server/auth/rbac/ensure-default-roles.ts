import type { PolicyRule } from 'kubernetes-types/rbac/v1.js';
import type { Client } from '../../../client/client.ts';
import { isApiError } from '../../../resources/api-error.ts';
import type { Kind } from '../../../resources/kind.ts';
import {
  type ClusterRole,
  type ClusterRoleBinding,
  clusterRoleBindings,
  clusterRoles,
} from '../../../resources/kinds.ts';
import type { ApiObject } from '../../../resources/object.ts';
import { autoUpdateAnnotation, defaultClusterRoleBindings, defaultClusterRoles } from './default-roles.ts';
import { missingRights } from './rules.ts';

/**
 * Makes what a grid lacks of the default roles and bindings, and gives back to them what was taken away. What was added
 * stays; what is marked `autoupdate: "false"` is left alone. Several servers may do it at once.
 */
export async function ensureDefaultRoles(client: Client): Promise<void> {
  for (const wanted of defaultClusterRoles) await ensure(client, clusterRoles, wanted, repairedRole);
  for (const wanted of defaultClusterRoleBindings) await ensure(client, clusterRoleBindings, wanted, repairedBinding);
}

async function ensure<T extends ApiObject>(
  client: Client,
  kind: Kind<T>,
  wanted: T,
  repaired: (wanted: T, found: T) => T | undefined,
): Promise<void> {
  try {
    const { name } = wanted.metadata;
    const found = await client.get(kind, { name }).catch((error: unknown) => {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    });
    if (!found) await client.create(kind, wanted);
    else if (found.metadata.annotations?.[autoUpdateAnnotation] !== 'false') {
      const next = repaired(wanted, found);
      if (next) await client.update(kind, next);
    }
  } catch (error) {
    // Another server was faster, with the same.
    if (!isApiError(error, 'AlreadyExists') && !isApiError(error, 'Conflict')) throw error;
  }
}

/** Undefined: nothing is missing. The rules of an aggregated role are its controller's. */
export function repairedRole(wanted: ClusterRole, found: ClusterRole): ClusterRole | undefined {
  const labels = { ...found.metadata.labels, ...wanted.metadata.labels };
  const hasLabels = Object.keys(labels).length === Object.keys(found.metadata.labels ?? {}).length;
  const rules: readonly PolicyRule[] = wanted.aggregationRule
    ? []
    : (wanted.rules ?? []).filter((rule) => missingRights(found.rules ?? [], [rule]).length > 0);
  const lacksAggregation = wanted.aggregationRule !== undefined && found.aggregationRule === undefined;
  if (hasLabels && rules.length === 0 && !lacksAggregation) return undefined;
  return {
    ...found,
    metadata: { ...found.metadata, labels },
    rules: [...(found.rules ?? []), ...rules],
    ...(lacksAggregation && wanted.aggregationRule ? { aggregationRule: wanted.aggregationRule } : {}),
  };
}

export function repairedBinding(wanted: ClusterRoleBinding, found: ClusterRoleBinding): ClusterRoleBinding | undefined {
  const has = (name: string) => found.subjects?.some((one) => one.kind === 'Group' && one.name === name);
  const lacking = (wanted.subjects ?? []).filter((one) => !has(one.name));
  return lacking.length === 0 ? undefined : { ...found, subjects: [...(found.subjects ?? []), ...lacking] };
}
