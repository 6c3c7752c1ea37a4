import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Histogram } from './histogram.ts';

describe('histogram', () => {
  it('is at most a 32nd above the true percentile, and never below it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
        fc.constantFrom(0.5, 0.9, 0.99, 0.999, 1),
        (samples, share) => {
          const histogram = new Histogram();
          for (const ms of samples) histogram.add(ms);
          const sorted = samples.toSorted((a, b) => a - b);
          const truth = sorted[Math.max(1, Math.ceil(sorted.length * share)) - 1] ?? 0;
          const said = histogram.percentileMs(share);
          assert.ok(said >= truth - 1e-9, `${said} is below ${truth}`);
          assert.ok(said <= truth * (1 + 1 / 32) + 0.0101, `${said} is far above ${truth}`);
        },
      ),
    );
  });

  it('merged from two processes says what one would have said', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 5_000, noNaN: true }), { maxLength: 200 }), (samples) => {
        const [all, even, odd, merged] = [new Histogram(), new Histogram(), new Histogram(), new Histogram()];
        for (const [index, ms] of samples.entries()) {
          all.add(ms);
          (index % 2 === 0 ? even : odd).add(ms);
        }
        for (const half of [even, odd]) merged.merge(JSON.parse(JSON.stringify(half)));
        assert.deepEqual(merged.summary(), all.summary());
        assert.equal(merged.count, samples.length);
      }),
    );
  });

  it('says 0 without samples', () => {
    assert.deepEqual(new Histogram().summary(), { p50Ms: 0, p99Ms: 0, p999Ms: 0, maxMs: 0 });
  });
});
