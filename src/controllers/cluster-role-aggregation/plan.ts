import type { PolicyRule } from 'kubernetes-types/rbac/v1.js';
import type { ClusterRole } from '../../resources/kinds.ts';
import { matchesSelector } from '../../resources/selectors.ts';
import { isSame, stableText } from '../same.ts';

export type AggregationStep = { readonly type: 'setRules'; readonly rules: readonly PolicyRule[] };

/** The rules of a role with an aggregation rule are those of the roles it selects, in the order of their names. */
export function planAggregation(role: ClusterRole, all: Iterable<ClusterRole>): AggregationStep[] {
  const selectors = role.aggregationRule?.clusterRoleSelectors;
  if (!selectors || role.metadata.deletionTimestamp) return [];
  const selected = [...all]
    .filter((one) => one.metadata.name !== role.metadata.name)
    .filter((one) => selectors.some((selector) => matchesSelector(selector, one.metadata.labels)))
    .sort((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1));
  const rules = new Map<string, PolicyRule>();
  for (const one of selected) for (const rule of one.rules ?? []) rules.set(stableText(rule), rule);
  const wanted = [...rules.values()];
  return isSame(wanted, role.rules ?? []) ? [] : [{ type: 'setRules', rules: wanted }];
}
