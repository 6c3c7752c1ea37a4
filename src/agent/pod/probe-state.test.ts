import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { adoptProbeState, countProbe, nextProbeMs, type ProbeKind, startProbeState } from './probe-state.ts';

const probe = { periodSeconds: 10, failureThreshold: 3, successThreshold: 1 };
const after = (kind: ProbeKind, results: string, change: object = {}) =>
  [...results].reduce(
    (state, one) => countProbe(state, kind, { ...probe, ...change }, one === '+'),
    startProbeState('c', { readiness: true, startup: false }),
  );

describe('probes', () => {
  it('a container without a readiness probe is ready at once', () => {
    assert.equal(startProbeState('c', { readiness: false, startup: false }).isReady, true);
  });
  it('nothing is ready before the startup probe has succeeded, which gives up after so many failures', () => {
    const has = { readiness: false, startup: true };
    let state = startProbeState('c', has);
    assert.deepEqual([state.isStarted, state.isReady], [false, false]);
    state = countProbe(countProbe(state, 'startup', probe, false), 'startup', probe, false);
    assert.equal(state.isDead, false);
    assert.equal(countProbe(state, 'startup', probe, false).isDead, true);
    state = countProbe(state, 'startup', probe, true);
    assert.deepEqual([state.isStarted, state.isReady, state.isDead], [true, true, false]);
    const other = countProbe(startProbeState('c', { readiness: true, startup: true }), 'startup', probe, true);
    assert.deepEqual([other.isStarted, other.isReady], [true, false]);
  });
  it('what the agent before this one found holds', () => {
    const has = { readiness: true, startup: true };
    assert.deepEqual(
      [adoptProbeState(startProbeState('c', has), probe, true)].map((one) => [one.isStarted, one.isReady]),
      [[true, true]],
    );
    assert.deepEqual(
      [adoptProbeState(startProbeState('c', has), probe, false)].map((one) => [one.isStarted, one.isReady]),
      [[true, false]],
    );
  });
  it('what is recalled later holds where no probe has failed often enough since', () => {
    const recalled = (results: string) => adoptProbeState(after('readiness', results), probe, true);
    assert.deepEqual([recalled('').isReady, recalled('--').isReady, recalled('---').isReady], [true, true, false]);
    assert.equal(countProbe(recalled('--'), 'readiness', probe, false).isReady, false);
    assert.equal(adoptProbeState(after('readiness', ''), probe, false).isReady, false);
    const unprobed = startProbeState('c', { readiness: false, startup: true });
    assert.equal(adoptProbeState(unprobed, undefined, false).isReady, true);
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
