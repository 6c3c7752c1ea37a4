import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PolicyRule } from 'kubernetes-types/rbac/v1.js';
import type { Kind } from '../../../resources/kind.ts';
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from '../../../resources/kinds.ts';
import type { ApiObject } from '../../../resources/object.ts';
import type { User } from '../../request.ts';
import { createAuthorizer } from '../authorizer.ts';
import { escalationProblem } from './escalation.ts';
import { RoleIndex } from './role-index.ts';

const group = 'rbac.authorization.k8s.io';
const ann: User = { name: 'ann', groups: ['system:authenticated'] };
const readPods: PolicyRule = { verbs: ['get'], apiGroups: [''], resources: ['pods'] };
const readSecrets: PolicyRule = { verbs: ['get'], apiGroups: [''], resources: ['secrets'] };

function authorizerWith(...held: PolicyRule[]) {
  const index = new RoleIndex();
  const put = (kind: unknown, object: object) => index.set(kind as Kind, object as ApiObject);
  put(clusterRoles, { metadata: { name: 'held' }, rules: held });
  put(clusterRoles, { metadata: { name: 'strong' }, rules: [readSecrets] });
  const subjects = [{ kind: 'User', name: 'ann' }];
  put(clusterRoleBindings, { metadata: { name: 'b' }, roleRef: { kind: 'ClusterRole', name: 'held' }, subjects });
  return createAuthorizer({
    pods: { podsOnNode: () => [], pod: () => undefined },
    find: () => undefined,
    roles: { of: () => index },
  });
}

function problem(held: readonly PolicyRule[], kind: unknown, object: object, user = ann, old?: object) {
  return escalationProblem(authorizerWith(...held), {
    user,
    grid: 'main',
    kind: kind as Kind,
    object: { metadata: { name: 'x', namespace: 'd' }, ...object } as unknown as ApiObject,
    old: old && ({ metadata: { name: 'x', namespace: 'd' }, ...old } as unknown as ApiObject),
  });
}

const refusal =
  'user "ann" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
  '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}';

test('a role gives only what its writer holds', () => {
  assert.equal(problem([readPods], roles, { rules: [readPods] }), undefined);
  assert.equal(problem([readPods], roles, { rules: [readPods, readSecrets] }), refusal);
  assert.equal(problem([], roles, { rules: [readSecrets] }, { name: 'root', groups: ['system:masters'] }), undefined);
});

test('the verb escalate lifts it, for the roles that it names', () => {
  const escalate = { verbs: ['escalate'], apiGroups: [group], resources: ['roles'] };
  assert.equal(problem([escalate], roles, { rules: [readSecrets] }), undefined);
  assert.equal(problem([{ ...escalate, resourceNames: ['y'] }], roles, { rules: [readSecrets] }), refusal);
});

test('who changes something else of a role need not hold it', () => {
  assert.equal(problem([], roles, { rules: [readSecrets] }, ann, { rules: [readSecrets] }), undefined);
  assert.equal(problem([], roles, { rules: [readSecrets] }, ann, { rules: [] }), refusal);
});

test('an aggregation rule takes everything', () => {
  const aggregated = { rules: [], aggregationRule: { clusterRoleSelectors: [{}] } };
  const why = 'must have cluster-admin privileges to use the aggregationRule';
  assert.equal(problem([readPods], clusterRoles, aggregated), why);
  const everything = [
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
    { verbs: ['*'], nonResourceURLs: ['*'] },
  ];
  assert.equal(problem(everything, clusterRoles, aggregated), undefined);
});

test('a binding gives only what its writer holds, or may bind', () => {
  const roleRef = { apiGroup: group, kind: 'ClusterRole', name: 'strong' };
  assert.equal(problem([readPods], roleBindings, { roleRef }), refusal);
  assert.equal(problem([readSecrets], roleBindings, { roleRef }), undefined);
  const bind = { verbs: ['bind'], apiGroups: [group], resources: ['clusterroles'], resourceNames: ['strong'] };
  assert.equal(problem([bind], roleBindings, { roleRef }), undefined);
  assert.throws(() => problem([], roleBindings, { roleRef: { ...roleRef, name: 'nope' } }), {
    message: 'clusterroles.rbac.authorization.k8s.io "nope" not found',
  });
});

test('other kinds are none of its business', () => {
  assert.equal(problem([], { group: '', plural: 'pods' }, {}), undefined);
});
