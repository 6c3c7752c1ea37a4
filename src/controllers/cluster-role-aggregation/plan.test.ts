import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { PolicyRule } from 'kubernetes-types/rbac/v1.js';
import type { ClusterRole } from '../../resources/kinds.ts';
import { planAggregation } from './plan.ts';

const rule = (resource: string): PolicyRule => ({ verbs: ['get'], apiGroups: [''], resources: [resource] });

function role(
  name: string,
  rules: PolicyRule[],
  given: { labels?: Record<string, string>; selects?: string } = {},
): ClusterRole {
  const { labels = {}, selects } = given;
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name, labels },
    rules,
    ...(selects ? { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [selects]: 'true' } }] } } : {}),
  };
}
const toView = { labels: { view: 'true' } };

describe('aggregation plan', () => {
  it('adds up what it selects, in the order of names, each rule once', () => {
    const all = [
      role('b', [rule('pods'), rule('nodes')], toView),
      role('a', [rule('pods')], toView),
      role('c', [rule('secrets')]),
    ];
    const [step] = planAggregation(role('view', [], { selects: 'view' }), all);
    assert.deepEqual(step?.rules, [rule('pods'), rule('nodes')]);
  });
  it('never adds a role to itself, and leaves roles without an aggregation rule alone', () => {
    const self = role('view', [rule('x')], { selects: 'view', ...toView });
    assert.deepEqual(planAggregation(self, [self])[0]?.rules, []);
    assert.deepEqual(planAggregation(role('plain', [rule('x')]), []), []);
  });
  it('comes to rest, also in chains', () => {
    const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 4 });
    const resources = fc.array(fc.constantFrom('pods', 'nodes', 'secrets'), { maxLength: 3 });
    fc.assert(
      fc.property(names, resources, (labelled, given) => {
        let roles = [
          ...labelled.map((name) => role(name, given.map(rule), toView)),
          role('view', [], { selects: 'view', labels: { edit: 'true' } }),
          role('edit', [], { selects: 'edit' }),
        ];
        for (let round = 0; round < 3; round++) {
          roles = roles.map((one) => {
            const [step] = planAggregation(one, roles);
            return step ? { ...one, rules: [...step.rules] } : one;
          });
        }
        assert.ok(roles.every((one) => planAggregation(one, roles).length === 0));
        assert.deepEqual(roles.at(-1)?.rules, roles.at(-2)?.rules);
      }),
    );
  });
});
