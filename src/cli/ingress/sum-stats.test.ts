import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackendReport, IngressReport } from '../../resources/ingress-report.ts';
import { sumStats } from './sum-stats.ts';

const backend = (requests: number, responseMs: number, states: readonly ('up' | 'down')[]): BackendReport => ({
  ...{ name: 'shop/web:80', sessions: 1, requests, errors: 2, retries: 3, connectMs: 0, responseMs },
  endpoints: states.map((state) => ({ address: 'x', state, sessions: 0, requests: 0 })),
});
const report = (node: string, requests: number, one: BackendReport): IngressReport => ({
  ...{ node, problems: [] },
  proxy: {
    ...{ version: '2.6.12', connections: 5, reloads: 1, oldWorkers: 0, routes: [], certificates: [] },
    hosts: [{ host: 'a.b', requests, errors: 1 }],
    backends: [one],
  },
});

test('over all proxies that answer: sums, means by requests, the fewest instances', () => {
  const sums = sumStats([
    report('h1', 30, backend(30, 10, ['up', 'up'])),
    report('h2', 10, backend(10, 50, ['up', 'down'])),
    { node: 'h3', problems: [], problem: 'no answer' },
  ]);
  assert.deepEqual(sums.hosts, [{ host: 'a.b', requests: 40, errors: 2 }]);
  assert.deepEqual(sums.backends, [
    { name: 'shop/web:80', sessions: 2, requests: 40, errors: 4, retries: 6, connectMs: 0, responseMs: 20, up: 1 },
  ]);
  assert.deepEqual(
    sums.proxies.map(({ node }) => node),
    ['h1', 'h2'],
  );
});
