import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PolicyRule } from 'kubernetes-types/rbac/v1.js';
import { allowsPath, allowsResource, describeRules, missingRights } from './rules.ts';

const pods: PolicyRule = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods', 'pods/log'] };
const get = { verb: 'get', group: '', resource: 'pods', subresource: '', name: '' };

const requests: readonly (readonly [string, PolicyRule, Partial<typeof get>, boolean])[] = [
  ['the resource itself', pods, {}, true],
  ['another verb', pods, { verb: 'delete' }, false],
  ['another group', pods, { group: 'apps' }, false],
  ['a part that is named', pods, { subresource: 'log' }, true],
  ['a part that is not', pods, { subresource: 'exec' }, false],
  ['one part of all', { ...pods, resources: ['*/scale'] }, { subresource: 'scale' }, true],
  ['the whole by its part', { ...pods, resources: ['*/scale'] }, {}, false],
  ['a part by the star', { ...pods, resources: ['*'] }, { subresource: 'exec' }, true],
  ['every verb and group', { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, { verb: 'x', group: 'y' }, true],
  ['its name', { ...pods, resourceNames: ['a'] }, { name: 'a' }, true],
  ['another name', { ...pods, resourceNames: ['a'] }, { name: 'b' }, false],
  ['no name where names count', { ...pods, resourceNames: ['a'] }, {}, false],
  ['a rule about paths', { verbs: ['*'], nonResourceURLs: ['*'] }, {}, false],
];
for (const [what, rule, request, expected] of requests) {
  test(`a rule and ${what}`, () => assert.equal(allowsResource(rule, { ...get, ...request }), expected));
}

test('paths: exact, by a star at the end, or all', () => {
  const on = (...nonResourceURLs: string[]): PolicyRule => ({ verbs: ['get'], nonResourceURLs });
  const may = (rule: PolicyRule, path: string, verb = 'get') => allowsPath(rule, { verb, path });
  assert.deepEqual(
    [may(on('/apis'), '/apis'), may(on('/apis'), '/apis/apps'), may(on('/apis/*'), '/apis/apps'), may(on('*'), '/x')],
    [true, false, true, true],
  );
  assert.equal(may(on('/metrics'), '/metrics', 'post'), false);
  assert.equal(may(pods, '/api/v1/pods'), false);
});

test('what is missing is said in pieces, in the notation of Kubernetes', () => {
  const wanted: PolicyRule[] = [
    { verbs: ['get', 'delete', 'list'], apiGroups: [''], resources: ['pods', 'secrets'] },
    { verbs: ['get'], apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['a', 'b'] },
    { verbs: ['get'], nonResourceURLs: ['/metrics'] },
  ];
  const held: PolicyRule[] = [
    pods,
    { verbs: ['*'], apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['a'] },
  ];
  assert.deepEqual(describeRules(missingRights(held, wanted)), [
    '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}',
    '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete" "list"]}',
    '{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["b"], Verbs:["get"]}',
    '{NonResourceURLs:["/metrics"], Verbs:["get"]}',
  ]);
});

test('a star is only covered by a star', () => {
  const everything: PolicyRule = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] };
  assert.deepEqual(missingRights([everything], [everything, pods]), []);
  assert.equal(missingRights([pods], [everything]).length, 1);
  assert.equal(missingRights([{ ...pods, resourceNames: ['a'] }], [pods]).length, 4);
  assert.deepEqual(missingRights([{ ...pods, resources: ['*/log'] }], [{ ...pods, resources: ['pods/log'] }]), []);
});
