import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findDuplicateKeys, inOrderOfText } from './duplicate-keys.ts';

for (const [text, expected] of [
  ['{}', []],
  ['[1,{"a":1},{"a":2}]', []],
  ['{"a":1,"a":2}', ['a']],
  ['{"a":{"b":[{"c":1},{"c":1,"d":{"e":2},"c":3}]}}', ['a.b[1].c']],
  ['{"a":"\\"a\\":{","b":"}","b":1}', ['b']],
  ['{"a\\"b":1,"a\\u0022b":2}', ['a"b']],
  ['{"x":"\\\\","x":"\\\\\\""}', ['x']],
  ['{"a":{"k":1},"b":{"k":1},"a":{}}', ['a']],
] as const) {
  test(`duplicate keys of ${text}`, () => assert.deepEqual(findDuplicateKeys(text), expected));
}

test('problems come in the order of the text, what is unknown only once', () => {
  const text = '{"b":1,"x":{"y":1,"y":2},"a":1,"b":2,"u":1,"u":2,"a":3,"z":0}';
  const unknown = new Map(['u', 'z'].map((path) => [path, `unknown ${path}`]));
  const doubled = new Map(findDuplicateKeys(text).map((path) => [path, `doubled ${path}`]));
  assert.deepEqual(inOrderOfText(text, unknown, doubled), [
    'doubled x.y',
    'doubled b',
    'unknown u',
    'doubled a',
    'unknown z',
  ]);
});

test('what JSON.stringify writes has none, with or without white space', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2), (value, indent) => {
      assert.deepEqual(findDuplicateKeys(JSON.stringify(value, undefined, indent)), []);
    }),
  );
});

test('doubling any key of an object is noticed', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), (object) => {
      const [key = ''] = Object.keys(object);
      const text = `${JSON.stringify(object).slice(0, -1)},${JSON.stringify(key)}:0}`;
      assert.equal(findDuplicateKeys(text).length, 1);
    }),
  );
});
