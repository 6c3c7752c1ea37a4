import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from './api-error.ts';
import { applyJsonPatch } from './json-patch.ts';
import { pods } from './kinds.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMerge } from './strategic-merge.ts';

// RFC 7386, appendix A.
for (const [original, patch, expected] of [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
] as const) {
  test(`merge patch ${JSON.stringify(original)} with ${JSON.stringify(patch)}`, () => {
    assert.deepEqual(applyMergePatch(original, patch), expected);
  });
}

test('a merge patch cannot change a prototype', () => {
  assert.throws(() => applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":1}}')), /"__proto__" is not allowed/);
});

const patched: readonly (readonly [unknown, object[], unknown])[] = [
  [{ a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
  [{ a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2, 3] }],
  [{ a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
  [{ a: 1, b: 2 }, [{ op: 'remove', path: '/a' }], { b: 2 }],
  [{ a: [1, 2] }, [{ op: 'remove', path: '/a/0' }], { a: [2] }],
  [{ a: 1 }, [{ op: 'replace', path: '/a', value: { b: 2 } }], { a: { b: 2 } }],
  [{ a: { b: 1 }, c: {} }, [{ op: 'move', from: '/a/b', path: '/c/d' }], { a: {}, c: { d: 1 } }],
  [{ a: { b: 1 } }, [{ op: 'copy', from: '/a', path: '/c' }], { a: { b: 1 }, c: { b: 1 } }],
  [{ 'a/b': { 'm~n': 1 } }, [{ op: 'replace', path: '/a~1b/m~0n', value: 2 }], { 'a/b': { 'm~n': 2 } }],
  [{ a: [1, { b: 2 }] }, [{ op: 'test', path: '/a', value: [1, { b: 2 }] }], { a: [1, { b: 2 }] }],
  [{ a: 1 }, [{ op: 'replace', path: '', value: { b: 1 } }], { b: 1 }],
];

for (const [original, patch, expected] of patched) {
  test(`JSON patch ${JSON.stringify(patch)}`, () => assert.deepEqual(applyJsonPatch(original, patch), expected));
}

for (const [patch, code, expected] of [
  [{}, 400, /is a list of operations/],
  [[1], 400, /operation 0 of the JSON patch is not an object/],
  [[{ op: 'jump', path: '/a' }], 400, /unknown op "jump"/],
  [[{ op: 'add', path: 'a', value: 1 }], 400, /not a JSON pointer/],
  [[{ op: 'add', path: '/a' }], 400, /has no value/],
  [[{ op: 'add', path: '/__proto__/x', value: 1 }], 400, /"__proto__" is not allowed/],
  [[{ op: 'test', path: '/a', value: 2 }], 422, /testing value \/a failed/],
  [[{ op: 'remove', path: '/x' }], 422, /\/x does not exist/],
  [[{ op: 'replace', path: '/x/y', value: 1 }], 422, /\/x does not exist/],
  [[{ op: 'add', path: '/constructor/y', value: 1 }], 422, /\/constructor does not exist/],
  [[{ op: 'add', path: '/l/5', value: 1 }], 422, /index 5 of \/l\/5 is not in a list of 1/],
  [[{ op: 'move', from: '/o', path: '/o/p' }], 422, /into itself/],
  [Array.from({ length: 200 }, () => ({ op: 'copy', from: '/o', path: '/o/x' })), 422, /larger than/],
] as const) {
  test(`JSON patch refused: ${JSON.stringify(patch).slice(0, 80)}`, () => {
    assert.throws(
      () => applyJsonPatch({ a: 1, l: [1], o: { p: 'x'.repeat(1000) } }, patch),
      (error: unknown) => error instanceof ApiError && error.status.code === code && expected.test(error.message),
    );
  });
}

test('nesting without end is refused', () => {
  const deep = JSON.parse(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`);
  for (const patch of [
    () => applyMergePatch({}, deep),
    () => applyJsonPatch({}, [{ op: 'add', path: '/a', value: deep }]),
    () => applyStrategicMerge(pods, {}, deep),
  ]) {
    assert.throws(patch, /nested deeper than 200 levels/);
  }
});

test('any list of operations gives a value or an ApiError, and leaves the original alone', () => {
  const path = fc.constantFrom('', '/a', '/a/b', '/l/0', '/l/-', '/l', '/x', '/a~1');
  const operation = fc.record({
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'),
    path,
    from: path,
    value: fc.jsonValue(),
  });
  const original = Object.freeze({ a: Object.freeze({ b: 1 }), l: Object.freeze([1, 2]) });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 6 }), (patch) => {
      try {
        applyJsonPatch(original, patch);
      } catch (error) {
        assert.ok(error instanceof ApiError, String(error));
      }
    }),
    { numRuns: 300 },
  );
});
