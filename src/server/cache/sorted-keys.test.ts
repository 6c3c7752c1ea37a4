import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lowerBound, SortedKeys } from './sorted-keys.ts';

test('are the sorted set, whatever came, went and was read in between', () => {
  const steps = fc.array(fc.oneof(fc.constant('read'), fc.nat(15).map(String)), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (all) => {
      const keys = new SortedKeys();
      const expected = new Set<string>();
      for (const step of all) {
        if (step === 'read') assert.deepEqual(keys.all, [...expected].sort());
        else if (expected.delete(step)) keys.delete(step);
        else {
          expected.add(step);
          keys.add(step);
        }
      }
      assert.deepEqual(keys.all, [...expected].sort());
      for (const key of ['', '3', '77', '~']) {
        assert.equal(lowerBound(keys.all, key), [...expected].filter((one) => one < key).length);
      }
    }),
  );
});
