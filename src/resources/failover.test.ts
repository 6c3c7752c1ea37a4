import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FailoverAfter, failoverAfterProblems, formatFailoverAfter, parseFailoverAfter } from './failover.ts';

test('a time until failover is a duration of three seconds or more, or never', () => {
  const cases: [string, FailoverAfter | undefined][] = [
    ['3s', 3_000],
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['1h', 3_600_000],
    ['4500ms', 4_500],
    ['never', 'never'],
    ['2s', undefined],
    ['2999ms', undefined],
    ['10', undefined],
    ['', undefined],
    ['s', undefined],
    ['10s!', undefined],
    ['-10s', undefined],
    ['9999999h', undefined],
    ['Never', undefined],
  ];
  for (const [text, expected] of cases) {
    assert.equal(parseFailoverAfter(text), expected, text);
    assert.equal(failoverAfterProblems(text).length, expected === undefined ? 1 : 0, text);
  }
});

test('what is written can be read', () => {
  fc.assert(
    fc.property(fc.integer({ min: 3_000, max: 1_000_000_000 }), (ms) => {
      assert.equal(parseFailoverAfter(formatFailoverAfter(ms)), ms, formatFailoverAfter(ms));
    }),
  );
});
