import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  cpuMillisOf,
  formatCpuMillis,
  formatMemoryBytes,
  isQuantity,
  memoryBytesOf,
  parseQuantity,
} from './quantity.ts';

for (const [text, expected] of [
  ['0', 0],
  ['1', 1],
  ['1.5', 1.5],
  ['.5', 0.5],
  ['5.', 5],
  ['-2', -2],
  ['500m', 0.5],
  ['100u', 0.0001],
  ['2k', 2000],
  ['1Ki', 1024],
  ['64Mi', 67_108_864],
  ['1.5Gi', 1_610_612_736],
  ['1e3', 1000],
  ['1E3', 1000],
  ['1E', 1e18],
] as const) {
  test(`${text} is ${expected}`, () => assert.equal(parseQuantity(text), expected));
}

for (const text of ['', 'x', '1x', '1 Gi', '1gi', '1mi', '--1', '1e', '1.2.3', 'Infinity', 'NaN', '0x10']) {
  test(`"${text}" is no quantity`, () => {
    assert.equal(isQuantity(text), false);
    assert.ok(Number.isNaN(parseQuantity(text)));
  });
}

test('cpu in thousandths, rounded up', () => {
  assert.deepEqual(['0.1', '100m', '0.0001', '2', undefined].map(cpuMillisOf), [100, 100, 1, 2000, 0]);
});

test('memory in bytes', () => {
  assert.deepEqual(['64Mi', '0.5Ki', '100m', '128e6', undefined].map(memoryBytesOf), [67_108_864, 512, 1, 128e6, 0]);
});

test('what is formatted reads the same', () => {
  fc.assert(
    fc.property(fc.nat({ max: 10_000_000 }), (amount) => {
      assert.equal(cpuMillisOf(formatCpuMillis(amount)), amount);
      assert.equal(memoryBytesOf(formatMemoryBytes(amount)), amount);
    }),
  );
  assert.deepEqual([0, 1000, 1024, 2 ** 31, 3 * 2 ** 20].map(formatMemoryBytes), ['0', '1000', '1Ki', '2Gi', '3Mi']);
});
