import type { PolicyRule } from 'kubernetes-types/rbac/v1.js';
import { adminGroup, nodesGroup } from '../../resources/names.ts';
import type { AccessQuestion, Authorizer, Decision, PathQuestion, User, UserRules } from '../request.ts';
import { decideForNode, isOwnGridRead, type NodeAuthorizerOptions } from './node-authorizer.ts';
import { describeRole, type Grant, type RoleIndex } from './rbac/role-index.ts';
import { allowsPath, allowsResource, type ResourceRequest } from './rbac/rules.ts';

export interface AuthorizerOptions extends NodeAuthorizerOptions {
  readonly roles: { of(grid: string): RoleIndex };
}

const allowed: Decision = { allowed: true };
const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/**
 * Admins may do everything; a node what the pods on it need; everybody what the roles bound to him say. Whoever has a
 * grid, nothing outside of it. Pure but for look-ups in caches.
 */
export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  const { roles } = options;
  return {
    authorize: (user, question) => {
      if (isOwnGridRead(user, question)) return allowed;
      const outside = whyOutside(user, question.grid);
      if (outside !== undefined) return refuse(user, question, outside);
      if (user.groups.includes(adminGroup)) return allowed;
      const asNode = decideForNode(options, user, question);
      if (asNode.isAllowed) return allowed;
      const request = requestOf(question);
      const found = search(roles.of(question.grid), user, namespaceOf(question), (rule) =>
        allowsResource(rule, request),
      );
      return found.isAllowed ? allowed : refuse(user, question, asNode.why ?? describeMissing(found.missing));
    },
    authorizePath: (user, question) => {
      const outside = whyOutside(user, question.grid);
      if (outside !== undefined) return refusePath(user, question, outside);
      if (user.groups.includes(adminGroup)) return allowed;
      const found = search(roles.of(question.grid), user, '', (rule) => allowsPath(rule, question));
      return found.isAllowed ? allowed : refusePath(user, question, describeMissing(found.missing));
    },
    rulesOf: (user, grid, namespace) => rulesOf(roles.of(grid), user, grid, namespace),
    rulesOfRole: (grid, namespace, name) => roles.of(grid).rulesOfRole(namespace, name),
  };
}

function whyOutside(user: User, grid: string): string | undefined {
  if (user.grid === undefined || user.grid === grid) return undefined;
  return `it belongs to grid "${user.grid}", not to "${grid}"`;
}

interface Found {
  readonly isAllowed: boolean;
  readonly missing: readonly Grant[];
}

/** Ends at the first rule that allows it. */
function search(index: RoleIndex, user: User, namespace: string, allows: (rule: PolicyRule) => boolean): Found {
  const missing: Grant[] = [];
  for (const grant of index.grantsTo(user, namespace)) {
    const rules = index.rulesOf(grant);
    if (!rules) missing.push(grant);
    else if (rules.some(allows)) return { isAllowed: true, missing };
  }
  return { isAllowed: false, missing };
}

function rulesOf(index: RoleIndex, user: User, grid: string, namespace: string): UserRules {
  if (whyOutside(user, grid) !== undefined) return { rules: [], problems: [], isIncomplete: false };
  if (user.groups.includes(adminGroup)) return { rules: everything, problems: [], isIncomplete: false };
  const rules: PolicyRule[] = [];
  const missing: Grant[] = [];
  for (const grant of index.grantsTo(user, namespace)) {
    const granted = index.rulesOf(grant);
    if (granted) rules.push(...granted);
    else missing.push(grant);
  }
  // What a node may do depends on the pods that it runs: no rule says it.
  const isNode = user.groups.includes(nodesGroup);
  return { rules, problems: missing.map((grant) => `${describeRole(grant.roleKey)} not found`), isIncomplete: isNode };
}

/** A namespace is in itself: who may read in it may read what it is. */
function namespaceOf({ kind, namespace, name }: AccessQuestion): string {
  const isNamespace = kind.group === '' && kind.plural === 'namespaces';
  return namespace ?? (isNamespace ? (name ?? '') : '');
}

/** As rules see it. A list of the one object of a name is about that name. */
function requestOf({ verb, kind, subresource = '', name, fieldSelector }: AccessQuestion): ResourceRequest {
  const selected = name ?? /^metadata\.name==?([^,=!]+)$/.exec(fieldSelector ?? '')?.[1] ?? '';
  return { verb, group: kind.group, resource: kind.plural, subresource, name: selected };
}

function describeMissing(missing: readonly Grant[]): string | undefined {
  if (missing.length === 0) return undefined;
  const sentences = missing.map((grant) => `${describeRole(grant.roleKey)} not found`);
  return `RBAC: ${sentences.length === 1 ? sentences[0] : `[${sentences.join(', ')}]`}`;
}

/** Kubernetes' sentence, with the reason at its end. */
function refuse(user: User, question: AccessQuestion, why?: string): Decision {
  const { verb, kind, subresource } = question;
  const namespace = namespaceOf(question);
  const resource = subresource ? `${kind.plural}/${subresource}` : kind.plural;
  const where = namespace !== '' ? `in the namespace "${namespace}"` : 'at the cluster scope';
  const sentence = `User "${user.name}" cannot ${verb} resource "${resource}" in API group "${kind.group}" ${where}`;
  return refusal(sentence, why);
}

function refusePath(user: User, { verb, path }: PathQuestion, why?: string): Decision {
  const sentence = `User "${user.name}" cannot ${verb} path "${path}"`;
  return refusal(sentence, why);
}

function refusal(sentence: string, why: string | undefined): Decision {
  if (why === undefined) return { allowed: false, reason: sentence };
  return { allowed: false, reason: `${sentence}: ${why}`, why };
}
