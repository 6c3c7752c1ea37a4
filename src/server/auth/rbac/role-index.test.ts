import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PolicyRule } from 'kubernetes-types/rbac/v1.js';
import type { Kind } from '../../../resources/kind.ts';
import {
  type ClusterRole,
  type ClusterRoleBinding,
  clusterRoleBindings,
  clusterRoles,
  type Role,
  type RoleBinding,
  roleBindings,
  roles,
} from '../../../resources/kinds.ts';
import type { User } from '../../request.ts';
import { createAuthorizer } from '../authorizer.ts';
import { RoleIndex } from './role-index.ts';

const group = 'rbac.authorization.k8s.io';

// Few names, so that they meet.
const verb = fc.constantFrom('get', 'list', 'create', '*');
const apiGroup = fc.constantFrom('', 'apps', '*');
const resource = fc.constantFrom('pods', 'pods/log', '*/log', 'deployments', '*');
const objectName = fc.constantFrom('a', 'b');
const namespace = fc.constantFrom('red', 'blue');
const few = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 1, maxLength: 2 });
const rule: fc.Arbitrary<PolicyRule> = fc.record(
  { verbs: few(verb), apiGroups: few(apiGroup), resources: few(resource), resourceNames: few(objectName) },
  { requiredKeys: ['verbs', 'apiGroups', 'resources'] },
);
const subject = fc.oneof(
  fc.record({ kind: fc.constant('User'), name: fc.constantFrom('ann', 'system:serviceaccount:red:bot') }),
  fc.record({ kind: fc.constant('Group'), name: fc.constantFrom('team', 'system:serviceaccounts:red') }),
  fc.record(
    { kind: fc.constant('ServiceAccount'), name: fc.constant('bot'), namespace },
    { requiredKeys: ['kind', 'name'] },
  ),
);

type Stored = { readonly kind: Kind; readonly object: Role | ClusterRole | RoleBinding | ClusterRoleBinding };

const role = fc.record({ name: objectName, namespace: fc.option(namespace, { nil: undefined }), rules: few(rule) }).map(
  ({ name, namespace, rules }): Stored => ({
    kind: (namespace === undefined ? clusterRoles : roles) as Kind,
    object: {
      apiVersion: `${group}/v1`,
      kind: namespace === undefined ? 'ClusterRole' : 'Role',
      metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
      rules,
    },
  }),
);
const binding = fc
  .record({
    name: objectName,
    namespace: fc.option(namespace, { nil: undefined }),
    ofRole: fc.boolean(),
    roleName: objectName,
    subjects: few(subject),
  })
  .map(({ name, namespace, ofRole, roleName, subjects }): Stored => {
    const kind = ofRole && namespace !== undefined ? 'Role' : 'ClusterRole';
    return {
      kind: (namespace === undefined ? clusterRoleBindings : roleBindings) as Kind,
      object: {
        apiVersion: `${group}/v1`,
        kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
        metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
        roleRef: { apiGroup: group, kind, name: roleName },
        subjects,
      },
    };
  });
const change = fc.record({ isRemoval: fc.boolean(), stored: fc.oneof(role, binding) });

const user: fc.Arbitrary<User> = fc.constantFrom(
  { name: 'ann', groups: ['system:authenticated'] },
  { name: 'bob', groups: ['team'] },
  { name: 'system:serviceaccount:red:bot', groups: ['system:serviceaccounts', 'system:serviceaccounts:red'] },
);
interface Asked {
  readonly verb: string;
  readonly kind: { readonly group: string; readonly plural: string; readonly namespaced: boolean };
  readonly subresource: string;
  readonly namespace?: string;
  readonly name?: string;
}
const asked: fc.Arbitrary<Asked> = fc.record(
  {
    verb: fc.constantFrom('get', 'list', 'create'),
    kind: fc.constantFrom(
      { group: '', plural: 'pods', namespaced: true },
      { group: 'apps', plural: 'deployments', namespaced: true },
    ),
    subresource: fc.constantFrom('', 'log'),
    namespace,
    name: objectName,
  },
  { requiredKeys: ['verb', 'kind', 'subresource'] },
);

/** Every binding, every rule, each time; written from Kubernetes' documentation, not from the index. */
function naively(stored: readonly Stored[], who: User, what: Asked): boolean {
  return stored.some(({ kind, object }) => {
    if (kind !== (roleBindings as Kind) && kind !== (clusterRoleBindings as Kind)) return false;
    const one = object as RoleBinding;
    const where = one.metadata.namespace;
    if (where !== undefined && where !== what.namespace) return false;
    const isMeant = one.subjects?.some((subject) => {
      if (subject.kind === 'User') return subject.name === who.name;
      if (subject.kind === 'Group') return who.groups.includes(subject.name);
      return who.name === `system:serviceaccount:${subject.namespace ?? where ?? '-'}:${subject.name}`;
    });
    if (!isMeant) return false;
    const roleNamespace = one.roleRef.kind === 'Role' ? where : undefined;
    const given = stored.find(
      (other) =>
        (other.kind === (roles as Kind) || other.kind === (clusterRoles as Kind)) &&
        other.object.metadata.name === one.roleRef.name &&
        other.object.metadata.namespace === roleNamespace,
    );
    return ((given?.object as Role | undefined)?.rules ?? []).some((rule) => {
      const path = what.subresource === '' ? what.kind.plural : `${what.kind.plural}/${what.subresource}`;
      const isResource = rule.resources?.some(
        (one) => one === '*' || one === path || (what.subresource !== '' && one === `*/${what.subresource}`),
      );
      const isName =
        rule.resourceNames === undefined || (what.name !== undefined && rule.resourceNames.includes(what.name));
      const isGroup = rule.apiGroups?.some((one) => one === '*' || one === what.kind.group);
      return isResource && isName && isGroup && rule.verbs.some((one) => one === '*' || one === what.verb);
    });
  });
}

test('the index decides as a look at every role and binding would, whatever came and went', () => {
  let allowedOnce = 0;
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 6, maxLength: 40 }),
      user,
      fc.array(asked, { minLength: 4, maxLength: 12 }),
      (changes, who, questions) => {
        const index = new RoleIndex();
        const stored = new Map<string, Stored>();
        for (const { isRemoval, stored: one } of changes) {
          const key = `${one.object.kind}/${one.object.metadata.namespace ?? ''}/${one.object.metadata.name}`;
          if (isRemoval) {
            index.remove(one.kind, one.object);
            stored.delete(key);
          } else {
            index.set(one.kind, one.object);
            stored.set(key, one);
          }
        }
        const authorizer = createAuthorizer({
          pods: { podsOnNode: () => [], pod: () => undefined },
          find: () => undefined,
          roles: { of: () => index },
        });
        for (const what of questions) {
          const expected = naively([...stored.values()], who, what);
          if (expected) allowedOnce++;
          assert.equal(authorizer.authorize(who, { ...what, grid: 'main' }).allowed, expected, JSON.stringify(what));
        }
      },
    ),
    { numRuns: 1_500 },
  );
  assert.ok(allowedOnce > 100, `only ${allowedOnce} questions were allowed: the property says little`);
});

test('an index that everything has left is empty: it does not grow with what has been', () => {
  const index = new RoleIndex();
  const object = {
    apiVersion: `${group}/v1`,
    kind: 'RoleBinding',
    metadata: { name: 'b', namespace: 'red' },
    roleRef: { apiGroup: group, kind: 'Role', name: 'r' },
    subjects: [{ kind: 'User', name: 'ann' }],
  };
  index.set(roleBindings as Kind, object);
  assert.equal([...index.grantsTo({ name: 'ann', groups: [] }, 'red')].length, 1);
  assert.equal([...index.grantsTo({ name: 'ann', groups: [] }, 'blue')].length, 0);
  index.remove(roleBindings as Kind, object);
  assert.equal([...index.grantsTo({ name: 'ann', groups: [] }, 'red')].length, 0);
});
