import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countProbe, nextProbeMs, type ProbeKind, startProbeState } from './probe-state.ts';

const probe = { periodSeconds: 10, failureThreshold: 3, successThreshold: 1 };
const after = (kind: ProbeKind, results: string, change: object = {}) =>
  [...results].reduce(
    (state, one) => countProbe(state, kind, { ...probe, ...change }, one === '+'),
    startProbeState('c', true),
  );

describe('probes', () => {
  it('a container without a readiness probe is ready at once', () => {
    assert.equal(startProbeState('c', false).isReady, true);
  });
  const ready: [results: string, isReady: boolean, change?: object][] = [
    ['', false],
    ['-', false],
    ['+', true],
    ['+--', true],
    ['+---', false],
    ['+---+', true],
    ['+', false, { successThreshold: 2 }],
    ['+-+', false, { successThreshold: 2 }],
    ['++', true, { successThreshold: 2 }],
  ];
  for (const [results, isReady, change] of ready) {
    it(`readiness after "${results}" ${JSON.stringify(change ?? {})}`, () =>
      assert.equal(after('readiness', results, change).isReady, isReady));
  }
  it('liveness fails only after so many failures in a row', () => {
    assert.equal(after('liveness', '--+--').isDead, false);
    assert.equal(after('liveness', '--+---').isDead, true);
  });
  it('asks every second until the first success, then in its own period', () => {
    assert.equal(nextProbeMs(after('readiness', '--'), 'readiness', probe), 1_000);
    assert.equal(nextProbeMs(after('readiness', '+'), 'readiness', probe), 10_000);
    assert.equal(nextProbeMs(after('readiness', ''), 'liveness', probe), 10_000);
  });
});
