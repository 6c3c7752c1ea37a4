// Nobody gives away what he does not have: who writes a role holds everything in it, who binds a role holds everything
// that it gives, or has been given the verbs `escalate` and `bind`.
import type { PolicyRule, RoleRef } from 'kubernetes-types/rbac/v1.js';
import { isEmpty, jsonEqual } from '../../../resources/json.ts';
import { resourceNameOf } from '../../../resources/kind.ts';
import {
  type ClusterRole,
  clusterRoleBindings,
  clusterRoles,
  type RoleBinding,
  roleBindings,
  roles,
} from '../../../resources/kinds.ts';
import { adminGroup } from '../../../resources/names.ts';
import type { ApiObject } from '../../../resources/object.ts';
import { notFound } from '../../registry/api-errors.ts';
import type { Authorizer, ResourceType, User } from '../../request.ts';
import { describeRules, missingRights, quotedList } from './rules.ts';

export interface EscalationQuestion {
  readonly user: User;
  readonly grid: string;
  readonly kind: ResourceType;
  readonly object: ApiObject;
  /** What is there now; absent at its creation. */
  readonly old?: ApiObject | undefined;
}

/** Why somebody may not write a role or binding; undefined: he may. Throws ApiError 404 for a role that is not there. */
export function escalationProblem(authorizer: Authorizer, question: EscalationQuestion): string | undefined {
  if (question.user.groups.includes(adminGroup)) return undefined;
  switch (resourceNameOf(question.kind)) {
    case resourceNameOf(roles):
    case resourceNameOf(clusterRoles):
      return roleProblem(authorizer, question);
    case resourceNameOf(roleBindings):
    case resourceNameOf(clusterRoleBindings):
      return bindingProblem(authorizer, question);
    default:
      return undefined;
  }
}

const fullAuthority: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

function roleProblem(authorizer: Authorizer, question: EscalationQuestion): string | undefined {
  const { user, grid, kind } = question;
  const object = question.object as ClusterRole;
  const old = question.old as ClusterRole | undefined;
  const { name } = object.metadata;
  const where = namespaceOf(object);
  const ask = { verb: 'escalate', grid, kind, name, ...where };
  if (authorizer.authorize(user, ask).allowed) return undefined;
  const isSame = old && sameOrEmpty(object.rules, old.rules) && jsonEqual(object.aggregationRule, old.aggregationRule);
  if (isSame) return undefined;
  const problem = notHeld(authorizer, question, object.rules ?? []);
  if (problem !== undefined) return problem;
  const isAggregated = object.aggregationRule !== undefined || old?.aggregationRule !== undefined;
  if (isAggregated && notHeld(authorizer, question, fullAuthority) !== undefined) {
    return 'must have cluster-admin privileges to use the aggregationRule';
  }
  return undefined;
}

function bindingProblem(authorizer: Authorizer, question: EscalationQuestion): string | undefined {
  const { user, grid } = question;
  const object = question.object as RoleBinding;
  const old = question.old as RoleBinding | undefined;
  if (old && sameOrEmpty(object.subjects, old.subjects) && jsonEqual(object.roleRef, old.roleRef)) return undefined;
  const kind = object.roleRef.kind === 'Role' ? roles : clusterRoles;
  const ask = { verb: 'bind', grid, kind, name: object.roleRef.name, ...namespaceOf(object) };
  if (authorizer.authorize(user, ask).allowed) return undefined;
  return notHeld(authorizer, question, rulesBehind(authorizer, grid, object.roleRef, object.metadata.namespace));
}

function rulesBehind(
  authorizer: Authorizer,
  grid: string,
  { kind, name }: RoleRef,
  namespace: string | undefined,
): readonly PolicyRule[] {
  const rules = authorizer.rulesOfRole(grid, kind === 'Role' ? (namespace ?? '') : '', name);
  if (!rules) throw notFound(kind === 'Role' ? roles : clusterRoles, name);
  return rules;
}

function notHeld(
  authorizer: Authorizer,
  { user, grid, object }: EscalationQuestion,
  wanted: readonly PolicyRule[],
): string | undefined {
  const held = authorizer.rulesOf(user, grid, object.metadata.namespace ?? '');
  const missing = missingRights(held.rules, wanted);
  if (missing.length === 0) return undefined;
  const who = `user ${JSON.stringify(user.name)} (groups=${quotedList(user.groups)})`;
  const sentence = `${who} is attempting to grant RBAC permissions not currently held:\n${describeRules(missing).join('\n')}`;
  return held.problems.length === 0 ? sentence : `${sentence}; resolution errors: [${held.problems.join(', ')}]`;
}

function namespaceOf({ metadata }: ApiObject): { readonly namespace?: string } {
  return metadata.namespace === undefined ? {} : { namespace: metadata.namespace };
}

function sameOrEmpty(left: unknown, right: unknown): boolean {
  return jsonEqual(left, right) || (isEmpty(left) && isEmpty(right));
}
