import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IngressState, IngressStats } from '../../adapters/ingress/port.ts';
import { renderIngressMetrics } from './ingress-metrics.ts';
import { reportProxy } from './report-proxy.ts';

const state: IngressState = {
  settings: { httpPort: 80, httpsPort: 443, trustedProxies: [], acceptsProxyProtocol: false, maxConnections: 100 },
  routes: new Map([
    ['shop/web#0', { host: 'b.org', path: '/', pathType: 'Prefix', backend: 'shop/web:80', options: {} }],
    ['shop/web#1', { host: 'a.org', path: '/', pathType: 'Prefix', backend: 'shop/new:80', options: {} }],
    ['shop/any#0', { path: '/', pathType: 'Prefix', backend: 'shop/web:80', options: {} }],
  ]),
  backends: new Map([
    [
      'shop/web:80',
      {
        ...{ name: 'shop/web:80', mode: 'http', options: {} },
        endpoints: [{ address: '10.80.0.2', port: 80, pod: 'shop/web-1' }],
      },
    ],
    [
      'shop/new:80',
      { name: 'shop/new:80', mode: 'http', endpoints: [{ address: '10.80.0.9', port: 80 }], options: {} },
    ],
  ]),
  listeners: new Map([['shop/db#0', { port: 5432, backend: 'shop/web:80' }]]),
  certificates: new Map([['shop/bad', { hosts: ['a.org'], chain: 'no PEM', key: '' }]]),
  challenges: new Map(),
};
const stats: IngressStats = {
  ...{ version: '2.6.12', pid: 1, oldWorkers: 1, connections: 3, reloads: 2 },
  hosts: new Map([['b.org', { requests: 7, errors: 1 }]]),
  backends: new Map([
    [
      'shop/web:80',
      {
        ...{ sessions: 1, requests: 7, errors: 1, retries: 0, connectMs: 1, responseMs: 20 },
        endpoints: new Map([
          ['10.80.0.2:80', { state: 'up', sessions: 1, requests: 5 }],
          ['10.80.0.3:80', { state: 'leaving', sessions: 0, requests: 2 }],
        ]),
      },
    ],
  ]),
};

test('what a proxy serves, with those that leave, and those that it has not counted yet', async () => {
  const report = await reportProxy(stats, state, new WeakMap());
  assert.deepEqual(
    report.routes.map(({ host = '*', path = '', port = '', backend }) => `${host}${path}${port} ${backend}`),
    ['a.org/ shop/new:80', 'b.org/ shop/web:80', '*5432 shop/web:80', '*/ shop/web:80'],
  );
  const [fresh, web] = report.backends;
  assert.deepEqual(fresh?.endpoints, [{ address: '10.80.0.9:80', state: 'down', sessions: 0, requests: 0 }]);
  assert.deepEqual(web?.endpoints, [
    { address: '10.80.0.2:80', pod: 'shop/web-1', state: 'up', sessions: 1, requests: 5 },
    { address: '10.80.0.3:80', state: 'leaving', sessions: 0, requests: 2 },
  ]);
  assert.deepEqual(report.certificates, [], 'what is none is among the problems');
});

test('the same as metrics; a proxy that does not answer is told, too', () => {
  const text = renderIngressMetrics(stats, state, true);
  for (const line of [
    'flotilla_ingress_up 1',
    'flotilla_ingress_follows 1',
    'flotilla_ingress_routes 3',
    'flotilla_ingress_host_requests_total{host="b.org"} 7',
    'flotilla_ingress_backend_response_seconds{backend="shop/web:80"} 0.02',
    'flotilla_ingress_backend_endpoints_up{backend="shop/web:80"} 1',
    '# TYPE flotilla_ingress_backend_requests_total counter',
  ]) {
    assert.ok(text.split('\n').includes(line), `${line} in\n${text}`);
  }
  const silent = renderIngressMetrics(undefined, state, false);
  assert.match(silent, /^flotilla_ingress_up 0$/m);
  assert.match(silent, /^flotilla_ingress_follows 0$/m);
});
