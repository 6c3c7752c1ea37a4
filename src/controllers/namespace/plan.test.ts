import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Namespace } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import { planNamespace } from './plan.ts';

function namespace(finalizers: string[], isDeleted: boolean): Namespace {
  const metadata = { name: 'shop', ...(isDeleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) };
  return { apiVersion: 'v1', kind: 'Namespace', metadata, spec: { finalizers } };
}

function thing(name: string, isDeleted = false): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, ...(isDeleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
  };
}

describe('namespace plan', () => {
  const cases: [string, Namespace, ApiObject[], string[]][] = [
    ['in use', namespace(['kubernetes'], false), [], []],
    ['made without protection', namespace([], false), [], ['protect']],
    ['deleted, with contents', namespace(['kubernetes'], true), [thing('a'), thing('b', true)], ['delete']],
    ['deleted, contents still going', namespace(['kubernetes'], true), [thing('b', true)], []],
    ['deleted and empty', namespace(['kubernetes'], true), [], ['release']],
    ['deleted and released', namespace([], true), [], []],
  ];
  for (const [name, one, contents, expected] of cases) {
    it(name, () =>
      assert.deepEqual(
        planNamespace({ namespace: one, contents }).map((step) => step.type),
        expected,
      ),
    );
  }

  it('comes to rest, and never goes before its contents', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 10 }), (deleted) => {
        let contents = deleted.map((isDeleted, at) => thing(`t${at}`, isDeleted));
        let finalizers = ['kubernetes'];
        for (let round = 0; round < 10 && finalizers.length > 0; round += 1) {
          const steps = planNamespace({ namespace: namespace(finalizers, true), contents });
          if (steps.some((step) => step.type === 'release')) {
            assert.deepEqual(contents, []);
            finalizers = [];
          }
          // What was being deleted goes; what was told to go is being deleted.
          contents = contents
            .filter((one) => !one.metadata.deletionTimestamp)
            .map((one) => thing(one.metadata.name, true));
        }
        assert.deepEqual(finalizers, []);
      }),
    );
  });
});
