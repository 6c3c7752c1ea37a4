import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { describeFault, type FaultPlanOptions, placesOf, planFaults } from './faults.ts';
import { createRandom } from './random.ts';

const options: FaultPlanOptions = {
  durationMs: 60_000,
  hosts: ['h1', 'h2', 'h3'],
  servers: ['s1', 's2', 's3'],
  withEtcd: true,
  withClock: true,
  meanGapMs: 2000,
};

describe('planFaults', () => {
  it('gives the same plan for the same seed, another one for another', () => {
    const plan = (seed: number) => planFaults(createRandom(seed), options);
    assert.deepEqual(plan(7), plan(7));
    assert.notDeepEqual(plan(7), plan(8));
    assert.ok(plan(7).length > 10);
  });

  it('is in order, ends all lasting faults in time, and never has two of them on one machine', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const busyUntilMs = new Map<string, number>();
        let lastMs = 0;
        for (const { atMs, fault } of planFaults(createRandom(seed), options)) {
          assert.ok(atMs >= lastMs);
          lastMs = atMs;
          const endMs = atMs + ('forMs' in fault ? fault.forMs : 0);
          assert.ok(endMs <= options.durationMs);
          for (const place of placesOf(fault)) {
            assert.ok(atMs >= (busyUntilMs.get(place) ?? 0));
            busyUntilMs.set(place, endMs);
          }
        }
      }),
    );
  });

  it('uses every kind of fault sooner or later', () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 40; seed++) {
      for (const { fault } of planFaults(createRandom(seed), options)) {
        seen.add(fault.type);
        assert.match(describeFault(fault), /^[a-z]+ .*[a-z0-9%]/);
      }
    }
    const all = ['clock', 'container', 'cut', 'disk', 'freeze', 'hold', 'kill', 'leader', 'loss', 'narrow', 'off'];
    assert.deepEqual([...seen].sort(), [...all, 'quorum', 'registry']);
  });

  it('takes a majority of the members, no more', () => {
    for (let seed = 1; seed <= 40; seed++) {
      for (const { fault } of planFaults(createRandom(seed), options)) {
        if (fault.type === 'quorum') assert.equal(new Set(fault.machines).size, 2);
      }
    }
  });
});
