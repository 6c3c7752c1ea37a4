import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyDefaults, prepareForCreate } from './defaults.ts';
import { apiVersionOf } from './kind.ts';
import { allKinds, deployments } from './kinds.ts';
import type { ApiObject } from './object.ts';
import { validate, validateUpdate } from './validate.ts';

test('an object of which everything is missing is refused, not stumbled over', () => {
  for (const kind of allKinds) {
    const bare = (): ApiObject => ({ apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: { name: 'x' } });
    const withSpec = (): ApiObject => Object.assign(bare(), { spec: {} });
    for (const object of [bare(), withSpec()]) {
      const prepared = prepareForCreate(kind, applyDefaults(kind, object));
      assert.doesNotThrow(() => validate(kind, prepared), kind.kind);
      for (const old of [bare(), withSpec()]) {
        assert.doesNotThrow(() => validateUpdate(kind, applyDefaults(kind, bare()), old), kind.kind);
      }
    }
  }
});

test('a spec that is left out is not a way around what may not be changed', () => {
  const metadata = { name: 'x', namespace: 'd', resourceVersion: '1' };
  const selector = { matchLabels: { a: 'b' } };
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  const old = { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { selector, template } };
  const errors = validateUpdate<ApiObject>(deployments, { apiVersion: 'apps/v1', kind: 'Deployment', metadata }, old);
  assert.ok(errors.some((one) => one.field === 'spec.selector' && one.message.includes('field is immutable')));
});
