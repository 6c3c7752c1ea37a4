import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IngressProblem } from '../../resources/applied.ts';
import { ProblemTable, parseApplied, parseIngressProblems } from './told-by-agents.ts';

const problem = (ingress: string, message = 'no such Service'): IngressProblem => ({ ingress, message });

test('only what a node says otherwise than before is told, by the objects that it is about', () => {
  const table = new ProblemTable();
  const told: unknown[] = [];
  const stop = table.onChange((grid, ingresses) => told.push([grid, ...ingresses]));
  table.set('main', 'h1', [problem('shop/web'), problem('shop/api')]);
  table.set('main', 'h1', [problem('shop/api'), problem('shop/web')]);
  table.set('main', 'h1', [problem('shop/web', 'another'), problem('shop/api')]);
  table.set('main', 'h1', [problem('shop/web', 'another')]);
  table.set('blue', 'h1', []);
  assert.deepEqual(told, [
    ['main', 'shop/web', 'shop/api'],
    ['main', 'shop/web'],
    ['main', 'shop/api'],
  ]);
  assert.deepEqual([table.of('main', 'h1').length, table.of('blue', 'h1').length], [1, 0]);
  stop();
  table.set('main', 'h1', []);
  assert.equal(told.length, 3);
});

test('what no agent of ours says is refused', () => {
  const ingress = { ingresses: 1, secrets: 2, certificates: 3 };
  assert.deepEqual(parseApplied({ revision: 4, ingress }), { revision: 4, ingress });
  assert.equal(parseApplied({ revision: 0.5 }), undefined);
  assert.equal(parseApplied({ revision: 4, ingress: { ...ingress, secrets: Number.NaN } }), undefined);
  assert.deepEqual(parseIngressProblems([problem('a/b', 'x'.repeat(500))]), [problem('a/b', 'x'.repeat(300))]);
  for (const bad of [undefined, 'x', [null], [{ ingress: 'a/b' }], Array(65).fill(problem('a/b'))]) {
    assert.equal(parseIngressProblems(bad), undefined);
  }
});
