import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Volume } from '../../resources/kinds.ts';
import { planVolume } from './plan.ts';

const volume = (
  nodeName: string | undefined,
  isDeleted: boolean,
  finalizers = ['flotilla.dev/volume-data'],
): Volume => ({
  apiVersion: 'flotilla.dev/v1alpha1',
  kind: 'Volume',
  metadata: {
    name: 'v',
    namespace: 's',
    finalizers,
    ...(isDeleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
  },
  spec: nodeName === undefined ? {} : { nodeName },
});
const hasNode = (name: string) => name === 'h1';

test('a volume waits for the agent that has its data, and for nobody else', () => {
  const cases: [string, Volume, string[]][] = [
    ['kept', volume(undefined, false), []],
    ['its agent removes the data', volume('h1', true), []],
    ['never placed', volume(undefined, true), ['it was never placed']],
    ['the node is gone', volume('h9', true), ['its node h9 no longer exists']],
    ['somebody else holds it', volume(undefined, true, ['example.com/x']), []],
  ];
  for (const [what, observed, why] of cases)
    assert.deepEqual(
      planVolume(observed, hasNode).map((step) => step.why),
      why,
      what,
    );
});
