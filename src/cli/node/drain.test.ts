import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../resources/kinds.ts';
import { tooLate } from './drain.ts';

const pod = (name: string): Pod => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop' }, spec: { containers: [] } },
});
const why = 'shop/web-1: another instance does its work first: web-2 waits for a node: 0 of 2 nodes: 1 is cordoned';

test('a drain that takes too long says who is left and why, and what to do', () => {
  const error = tooLate('h2', [pod('web-1'), pod('db-1')], [why], false);
  assert.equal(error.message, `node h2: 2 instances are still there: ${why}`);
  assert.equal(
    error.hint,
    '"flotilla node drain h2" asks again, "flotilla node undrain h2" takes it back, "flotilla node drain h2 --stop-first" stops them before others run',
  );
  assert.doesNotMatch(tooLate('h2', [pod('web-1')], [why], true).hint ?? '', /stop-first/);
});

test('what only takes its time to stop goes on by itself', () => {
  const error = tooLate('h2', [pod('web-1')], [], false);
  assert.equal(error.message, 'node h2: 1 instance is still there: shop/web-1');
  assert.match(error.hint ?? '', /^it goes on by itself; "flotilla node undrain h2" takes it back$/);
});
