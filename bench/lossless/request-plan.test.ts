import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dueMs, idleMs, keepsCookies, type LoadPlan, planRequest } from './request-plan.ts';

const plan: LoadPlan = {
  ...{ rate: 500, slowShare: 0.01, slowMs: 2_000, users: 100, targets: 2 },
  mix: { 'h1-keep-alive': 5, 'h1-new': 2, h2: 3 },
};
const requests = Array.from({ length: 20_000 }, (_, number) => planRequest(plan, number));
const share = (fits: (request: (typeof requests)[number]) => boolean) => requests.filter(fits).length / requests.length;

function assertNear(seen: number, wanted: number): void {
  assert.ok(Math.abs(seen - wanted) < 0.02, `${seen} is not near ${wanted}`);
}

describe('request plan', () => {
  it('has the shares that it says', () => {
    assertNear(
      share((one) => one.kind === 'h1-keep-alive'),
      0.5,
    );
    assertNear(
      share((one) => one.kind === 'h1-new'),
      0.2,
    );
    assertNear(
      share((one) => one.kind === 'h2'),
      0.3,
    );
    assertNear(
      share((one) => one.delayMs > 0),
      0.01,
    );
    assertNear(
      share((one) => keepsCookies(one.user)),
      0.5,
    );
    assert.equal(
      share((one) => one.target === 0),
      0.5,
    );
  });

  it('mixes them: each kind goes to each target, slow or not, with cookies and without', () => {
    const seen = new Set(requests.map((one) => `${one.kind} ${one.target} ${keepsCookies(one.user)} ${one.delayMs}`));
    assert.equal(seen.size, 3 * 2 * 2 * 2);
  });

  it('is due by the clock alone', () => {
    assert.equal(dueMs(plan, 0), 0);
    assert.equal(dueMs(plan, 1_500), 3_000);
  });

  it('rests for 1 to 30 s, a different while each time', () => {
    const rests = Array.from({ length: 1_000 }, (_, index) => idleMs(index % 50, Math.floor(index / 50)));
    assert.ok(Math.min(...rests) >= 1_000 && Math.max(...rests) < 30_000);
    assert.ok(new Set(rests).size > 990);
  });
});
