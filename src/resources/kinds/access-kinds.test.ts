import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeValue } from '../decode.ts';
import { applyDefaults } from '../defaults.ts';
import type { Kind } from '../kind.ts';
import {
  clusterRoleBindings,
  clusterRoles,
  controllerRevisions,
  podDisruptionBudgets,
  roleBindings,
  roles,
  serviceAccounts,
} from '../kinds.ts';
import type { ApiObject } from '../object.ts';
import type { JsonObject } from '../schema.ts';
import { applyStrategicMerge } from '../strategic-merge.ts';
import { renderTable } from '../table.ts';
import { validate, validateUpdate } from '../validate.ts';

const nowMs = Date.parse('2026-01-01T00:05:00Z');
const inNamespace = { name: 'x', namespace: 'd', creationTimestamp: '2026-01-01T00:00:00Z' };
const clusterWide = { name: 'x', creationTimestamp: '2026-01-01T00:00:00Z' };

function made<T extends ApiObject>(kind: Kind<T>, value: JsonObject): T {
  const metadata = kind.namespaced ? inNamespace : clusterWide;
  return applyDefaults(kind, decodeValue(kind, { metadata, ...value }, { strictness: 'Strict' }).object);
}
const problems = <T extends ApiObject>(kind: Kind<T>, value: JsonObject) =>
  validate(kind, made(kind, value)).map((error) => `${error.field}: ${error.message}`);
const cells = <T extends ApiObject>(kind: Kind<T>, value: JsonObject) =>
  renderTable(kind, [made(kind, value)], { nowMs }).rows[0]?.cells;

const read = { verbs: ['get'], apiGroups: [''], resources: ['pods'] };
const group = 'rbac.authorization.k8s.io';
const roleRef = { apiGroup: group, kind: 'Role', name: 'r' };
const clusterRef = { apiGroup: group, kind: 'ClusterRole', name: 'r' };

const refused: readonly (readonly [string, Kind, JsonObject, readonly string[]])[] = [
  ['a role that is right', roles as Kind, { rules: [read] }, []],
  [
    'a rule without anything',
    roles as Kind,
    { rules: [{}] },
    [
      'rules[0].verbs: Required value: verbs must contain at least one value',
      'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
      'rules[0].resources: Required value: resource rules must supply at least one resource',
    ],
  ],
  [
    'a path in a namespace',
    roles as Kind,
    { rules: [{ verbs: ['get'], nonResourceURLs: ['/metrics'] }] },
    ['rules[0].nonResourceURLs: Invalid value: ["/metrics"]: namespaced rules cannot apply to non-resource URLs'],
  ],
  [
    'a path and a resource in one rule',
    clusterRoles as Kind,
    { rules: [{ ...read, nonResourceURLs: ['/a'] }] },
    [
      'rules[0].nonResourceURLs: Invalid value: ["/a"]: rules cannot apply to both regular resources and non-resource URLs',
    ],
  ],
  [
    'nothing to aggregate',
    clusterRoles as Kind,
    { aggregationRule: {} },
    [
      'aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil',
    ],
  ],
  ['a binding without subjects', roleBindings as Kind, { roleRef }, []],
  [
    'a Role for the whole grid',
    clusterRoleBindings as Kind,
    { roleRef },
    ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'],
  ],
  [
    'a service account of no namespace',
    clusterRoleBindings as Kind,
    { roleRef: clusterRef, subjects: [{ kind: 'ServiceAccount', name: 's' }] },
    ['subjects[0].namespace: Required value'],
  ],
  [
    'somebody of an unknown kind, and nobody',
    roleBindings as Kind,
    { roleRef: {}, subjects: [{ kind: 'Robot' }] },
    [
      'roleRef.kind: Unsupported value: "": supported values: "Role", "ClusterRole"',
      'roleRef.name: Required value',
      'subjects[0].name: Required value',
      'subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
    ],
  ],
  ['a budget that says nothing', podDisruptionBudgets as Kind, {}, []],
  [
    'a budget with both limits',
    podDisruptionBudgets as Kind,
    { spec: { minAvailable: 1, maxUnavailable: '50%' } },
    [
      'spec: Invalid value: {"minAvailable":1,"maxUnavailable":"50%"}: minAvailable and maxUnavailable cannot be both set',
    ],
  ],
  [
    'a budget of more than all',
    podDisruptionBudgets as Kind,
    { spec: { minAvailable: '101%' } },
    ['spec.minAvailable: Invalid value: "101%": must not be greater than 100%'],
  ],
  [
    'a budget of words',
    podDisruptionBudgets as Kind,
    { spec: { maxUnavailable: 'some', unhealthyPodEvictionPolicy: 'Never' } },
    [
      'spec.maxUnavailable: Invalid value: "some": must be an integer or percentage (e.g \'5%\')',
      'spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", "IfHealthyBudget"',
    ],
  ],
  [
    'a revision without data',
    controllerRevisions as Kind,
    { revision: 1 },
    ['data: Required value: data is mandatory'],
  ],
];

for (const [what, kind, value, expected] of refused) {
  test(`validation: ${what}`, () => assert.deepEqual(problems(kind, value), expected));
}

test('names of roles may hold a colon, but no path', () => {
  const named = (name: string) => problems(clusterRoles, { metadata: { name }, rules: [] });
  assert.deepEqual(named('system:basic-user'), []);
  assert.deepEqual(named('a/b%'), [
    'metadata.name: Invalid value: "a/b%": may not contain \'/\'',
    'metadata.name: Invalid value: "a/b%": may not contain \'%\'',
  ]);
  assert.equal(named('..').length, 1);
  assert.equal(named('ä').length, 1);
});

test('the role of a binding and the data of a revision never change', () => {
  const change = <T extends ApiObject>(kind: Kind<T>, before: JsonObject, after: JsonObject) =>
    validateUpdate(kind, made(kind, after), made(kind, before)).map((error) => error.field);
  assert.deepEqual(change(roleBindings, { roleRef }, { roleRef: { ...roleRef, name: 'other' } }), ['roleRef']);
  assert.deepEqual(change(roleBindings, { roleRef }, { roleRef, subjects: [{ kind: 'User', name: 'u' }] }), []);
  assert.deepEqual(change(controllerRevisions, { data: { a: 1 } }, { data: { a: 2 } }), ['data']);
});

test('API groups of subjects and of the role are filled in', () => {
  const subjects = [
    { kind: 'User', name: 'u' },
    { kind: 'ServiceAccount', name: 's', namespace: 'd' },
  ];
  const binding = made(roleBindings, { roleRef: { kind: 'Role', name: 'r' }, subjects });
  assert.equal(binding.roleRef.apiGroup, group);
  assert.deepEqual(
    binding.subjects?.map((one) => one.apiGroup),
    [group, undefined],
  );
});

test('a strategic merge replaces the selector of a budget as a whole', () => {
  const old = { spec: { selector: { matchLabels: { a: '1' } } } };
  const patch = { spec: { selector: { matchLabels: { b: '2' } } } };
  assert.deepEqual(applyStrategicMerge(podDisruptionBudgets, old, patch), patch);
});

test('columns are those of kubectl', () => {
  assert.deepEqual(cells(serviceAccounts, { secrets: [{ name: 's' }] }), ['x', 1, '5m']);
  assert.deepEqual(cells(roles, {}), ['x', '2026-01-01T00:00:00Z']);
  const subjects = [
    { kind: 'User', name: 'u' },
    { kind: 'Group', name: 'g' },
    { kind: 'ServiceAccount', name: 's', namespace: 'd' },
  ];
  assert.deepEqual(cells(roleBindings, { roleRef, subjects }), ['x', 'Role/r', '5m', 'u', 'g', 'd/s']);
  const budget = { spec: { minAvailable: '50%' }, status: { disruptionsAllowed: 2 } };
  assert.deepEqual(cells(podDisruptionBudgets, budget), ['x', '50%', 'N/A', 2, '5m']);
  const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'u', controller: true };
  const revision = { metadata: { ...inNamespace, ownerReferences: [owner] }, revision: 3, data: {} };
  assert.deepEqual(cells(controllerRevisions, revision), ['x', 'statefulset.apps/db', 3, '5m']);
});
