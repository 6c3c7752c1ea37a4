import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Deployment } from '../../resources/kinds.ts';
import { rolloutState } from './rollout.ts';

type Status = NonNullable<Deployment['status']>;

function deployment(
  status: Status,
  spec: Partial<Deployment['spec']> = {},
  own: Record<string, string> = {},
): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop', generation: 2, annotations: own },
    spec: { replicas: 2, selector: {}, template: {}, ...spec },
    status: { observedGeneration: 2, ...status },
  };
}

const all = { replicas: 2, updatedReplicas: 2, availableReplicas: 2 };
const some = { replicas: 3, updatedReplicas: 1, availableReplicas: 2 };
const condition = (type: string, reason: string, message = '') => ({ type, status: 'True', reason, message });

describe('state of a rollout', () => {
  const cases: [what: string, one: Deployment, type: string, message: RegExp][] = [
    ['not seen yet', deployment({ ...all, observedGeneration: 1 }), 'running', /waiting for the servers/],
    ['under way', deployment(some), 'running', /^1 of 2 updated, 2 available$/],
    ['through', deployment(all), 'done', /2 of 2 updated/],
    ['an old one still there', deployment({ ...all, replicas: 3 }), 'running', /./],
    ['paused half-way', deployment(some, { paused: true }), 'waiting', /it is paused: 1 of 2/],
    ['paused when through', deployment(all, { paused: true }), 'done', /./],
    [
      'waiting for its window',
      deployment({ ...some, conditions: [condition('flotilla.dev/UpdateHeld', 'OutsideWindow', 'waits for it')] }),
      'waiting',
      /^waits for it$/,
    ],
    [
      'between two batches',
      deployment({ ...some, conditions: [condition('flotilla.dev/UpdateHeld', 'PauseBetweenBatches', 'goes on')] }),
      'running',
      /available; goes on/,
    ],
    [
      'late',
      deployment({ ...some, conditions: [condition('Progressing', 'ProgressDeadlineExceeded')] }),
      'failed',
      /not healthy within its deadline/,
    ],
  ];
  for (const [what, one, type, message] of cases) {
    it(what, () => {
      const state = rolloutState(one);
      assert.equal(state.type, type);
      assert.match(state.message, message);
    });
  }

  it('taken back: all run, and it failed', () => {
    const record = { from: 'b', to: 'a', fromRevision: '2', toRevision: '1', by: 'abort', why: 'it hung', lines: [] };
    const one = deployment(
      { ...all, conditions: [condition('flotilla.dev/RolledBack', 'Aborted')] },
      {},
      { 'flotilla.dev/rolled-back': JSON.stringify(record) },
    );
    assert.deepEqual(rolloutState(one), { type: 'failed', message: 'revision 2 aborted: it hung; back to revision 1' });
  });
});
