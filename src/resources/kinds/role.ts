import type { PolicyRule } from 'kubernetes-types/rbac/v1.js';
import { column, defineKind, nameColumn } from '../define-kind.ts';
import { invalid, required } from '../field-errors.ts';
import type { ClusterRole, Role } from '../kinds.ts';
import { labelSelector, objectMeta } from '../meta.ts';
import { type FieldError, field, listOf, message } from '../schema.ts';

export const rbacGroup = 'rbac.authorization.k8s.io';

const policyRule = message('PolicyRule', {
  verbs: field(1, listOf('string'), { description: 'Such as get or create; * means all.' }),
  apiGroups: field(2, listOf('string'), { description: '"" is the core group; * means all.' }),
  resources: field(3, listOf('string'), { description: 'Such as pods or pods/log; * means all, */scale one of all.' }),
  resourceNames: field(4, listOf('string'), { description: 'Absent: objects of every name.' }),
  nonResourceURLs: field(5, listOf('string'), {
    description: 'Paths that are no objects; a * at the end matches all.',
  }),
});

/** A sum of rules: nothing in it takes away. */
const rules = field(2, listOf(policyRule), { description: 'What it allows; there is nothing that forbids.' });

export const roles = defineKind<Role>({
  group: rbacGroup,
  version: 'v1',
  kind: 'Role',
  plural: 'roles',
  nameRule: 'pathSegment',
  message: message('Role', { metadata: field(1, objectMeta), rules }),
  columns: [nameColumn(), createdColumn()],
  validate: (role, errors) => validateRules(role.rules, true, errors),
});

export const clusterRoles = defineKind<ClusterRole>({
  group: rbacGroup,
  version: 'v1',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
  nameRule: 'pathSegment',
  message: message('ClusterRole', {
    metadata: field(1, objectMeta),
    rules,
    aggregationRule: field(
      3,
      message('AggregationRule', {
        clusterRoleSelectors: field(1, listOf(labelSelector), {
          description: 'The rules of all ClusterRoles with such labels become those of this one.',
        }),
      }),
    ),
  }),
  columns: [nameColumn(), createdColumn()],
  validate: (role, errors) => {
    validateRules(role.rules, false, errors);
    if (role.aggregationRule && !role.aggregationRule.clusterRoleSelectors?.length) {
      errors.push(
        required(
          'aggregationRule.clusterRoleSelectors',
          'at least one clusterRoleSelector required if aggregationRule is non-nil',
        ),
      );
    }
  },
});

/** Kubernetes shows the time itself, not how long ago. */
function createdColumn() {
  return column<Role | ClusterRole>('Created At', 'When it was made.', (role) => role.metadata.creationTimestamp ?? '');
}

function validateRules(list: readonly PolicyRule[] | undefined, isNamespaced: boolean, errors: FieldError[]): void {
  list?.forEach((rule, index) => {
    validateRule(rule, isNamespaced, `rules[${index}]`, errors);
  });
}

function validateRule(rule: PolicyRule, isNamespaced: boolean, path: string, errors: FieldError[]): void {
  const has = (values: readonly string[] | undefined) => (values?.length ?? 0) > 0;
  if (!has(rule.verbs)) errors.push(required(`${path}.verbs`, 'verbs must contain at least one value'));
  if (has(rule.nonResourceURLs)) {
    const at = `${path}.nonResourceURLs`;
    if (isNamespaced)
      errors.push(invalid(at, rule.nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'));
    if (has(rule.apiGroups) || has(rule.resources) || has(rule.resourceNames)) {
      const why = 'rules cannot apply to both regular resources and non-resource URLs';
      errors.push(invalid(at, rule.nonResourceURLs, why));
    }
    return;
  }
  if (!has(rule.apiGroups))
    errors.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
  if (!has(rule.resources))
    errors.push(required(`${path}.resources`, 'resource rules must supply at least one resource'));
}
