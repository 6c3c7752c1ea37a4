import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleDeployment } from '../sample-objects.ts';
import { rollingBounds } from './rolling.ts';

/** Wanted, maxSurge, maxUnavailable; how many more, how many less. */
const cases: readonly (readonly [number, number | string | undefined, number | string | undefined, number, number])[] =
  [
    [10, undefined, undefined, 3, 2],
    [1, undefined, undefined, 1, 0],
    [3, undefined, undefined, 1, 0],
    [4, undefined, undefined, 1, 1],
    [0, undefined, undefined, 0, 0],
    [10, '25%', '25%', 3, 2],
    [10, '1%', '1%', 1, 0],
    [10, '100%', '100%', 10, 10],
    [10, 0, '1%', 0, 1],
    [10, 0, 0, 0, 1],
    [10, '0%', '0%', 0, 1],
    [3, 5, 5, 5, 3],
    [10, 2, 0, 2, 0],
  ];

for (const [replicas, surge, unavailable, maxSurge, maxUnavailable] of cases) {
  test(`${replicas} pods with ${surge} more and ${unavailable} less: ${maxSurge} and ${maxUnavailable}`, () => {
    const rollingUpdate = {
      ...(surge === undefined ? {} : { maxSurge: surge }),
      ...(unavailable === undefined ? {} : { maxUnavailable: unavailable }),
    };
    const strategy = { type: 'RollingUpdate', rollingUpdate };
    assert.deepEqual(rollingBounds(sampleDeployment({ replicas, strategy })), { maxSurge, maxUnavailable });
  });
}

test('Recreate has neither', () => {
  const deployment = sampleDeployment({ replicas: 10, strategy: { type: 'Recreate' } });
  assert.deepEqual(rollingBounds(deployment), { maxSurge: 0, maxUnavailable: 0 });
});
