import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { test } from 'node:test';
import type { PolicyRule } from 'kubernetes-types/rbac/v1.js';
import type { Kind } from '../../resources/kind.ts';
import { clusterRoleBindings, clusterRoles } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { User } from '../request.ts';
import { createAuthorizer } from './authorizer.ts';
import { impersonatedUser } from './impersonation.ts';
import { RoleIndex } from './rbac/role-index.ts';

const root: User = { name: 'root', groups: ['system:masters'] };
const ann: User = { name: 'ann', groups: ['system:authenticated'], grid: 'main' };

function take(user: User, headers: IncomingHttpHeaders, ...rules: PolicyRule[]): User | undefined {
  const index = new RoleIndex();
  const put = (kind: unknown, object: object) => index.set(kind as Kind, object as ApiObject);
  put(clusterRoles, { metadata: { name: 'r' }, rules });
  const subjects = [{ kind: 'User', name: 'ann' }];
  put(clusterRoleBindings, { metadata: { name: 'b' }, roleRef: { kind: 'ClusterRole', name: 'r' }, subjects });
  const pods = { podsOnNode: () => [], pod: () => undefined };
  const authorizer = createAuthorizer({ pods, find: () => undefined, roles: { of: () => index } });
  return impersonatedUser(authorizer, user, 'main', headers);
}
const impersonate = (resources: string[], resourceNames: string[], apiGroups = ['']): PolicyRule => ({
  verbs: ['impersonate'],
  apiGroups,
  resources,
  resourceNames,
});

test('without the headers nobody is taken for anybody else', () => {
  assert.equal(take(root, { authorization: 'Bearer x' }), undefined);
});

test('whoever may do everything may be anybody, with exactly the groups asked for', () => {
  const headers = { 'impersonate-user': 'bob', 'impersonate-group': 'team, ops' };
  assert.deepEqual(take(root, headers), { name: 'bob', groups: ['team', 'ops', 'system:authenticated'] });
  assert.deepEqual(take(root, { 'impersonate-user': 'system:anonymous' })?.groups, ['system:unauthenticated']);
});

test('a service account comes with its groups', () => {
  const taken = take(root, { 'impersonate-user': 'system:serviceaccount:shop:bot' });
  assert.deepEqual(taken?.groups, ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated']);
});

test('uid and extras come along, each asked for by itself', () => {
  const headers = {
    'impersonate-user': 'bob',
    'impersonate-uid': 'u-1',
    'impersonate-extra-example.com%2Fscope': 'dev',
  };
  assert.deepEqual(take(root, headers)?.extra, { 'example.com/scope': ['dev'] });
  assert.equal(take(root, headers)?.uid, 'u-1');
  const bob = impersonate(['users'], ['bob']);
  const group = ['authentication.k8s.io'];
  assert.throws(() => take(ann, headers, bob), /cannot impersonate resource "uids"/);
  assert.throws(
    () => take(ann, headers, bob, impersonate(['uids'], ['u-1'], group)),
    /"userextras\/example.com\/scope"/,
  );
  const scope = impersonate(['userextras/example.com/scope'], ['dev'], group);
  assert.ok(take(ann, headers, bob, impersonate(['uids'], ['u-1'], group), scope));
});

test('who may be bob may not be carol, nor in a group that no rule names; his grid stays his', () => {
  const bob = impersonate(['users'], ['bob']);
  assert.deepEqual(take(ann, { 'impersonate-user': 'bob' }, bob)?.grid, 'main');
  assert.throws(() => take(ann, { 'impersonate-user': 'carol' }, bob), {
    message:
      'users "carol" is forbidden: User "ann" cannot impersonate resource "users" in API group "" at the cluster scope',
  });
  const masters = { 'impersonate-user': 'bob', 'impersonate-group': 'system:masters' };
  assert.throws(() => take(ann, masters, bob), /groups "system:masters" is forbidden/);
});

test('groups without a user make no sense', () => {
  assert.throws(() => take(root, { 'impersonate-group': 'team' }), /without impersonating a user/);
});
