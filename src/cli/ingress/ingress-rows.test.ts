import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IngressReport, ProxyReport } from '../../resources/ingress-report.ts';
import type { Certificate, Ingress } from '../../resources/kinds.ts';
import { ingressRows } from './ingress-rows.ts';

const nowMs = Date.UTC(2026, 0, 1);
const ingress = (more: Partial<Ingress['spec']> = {}, annotations: Record<string, string> = {}): Ingress => ({
  ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' },
  metadata: { name: 'web', namespace: 'shop', annotations },
  spec: {
    rules: [
      {
        host: 'a.b',
        http: {
          paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
        },
      },
    ],
    ...more,
  },
  status: { loadBalancer: { ingress: ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.4'].map((ip) => ({ ip })) } },
});
const endpoint = (address: string, state: 'up' | 'down') => ({ address, state, sessions: 0, requests: 0 });
const proxy = (states: readonly ('up' | 'down')[], more: Partial<ProxyReport> = {}): ProxyReport => ({
  ...{ version: '2.6.12', connections: 0, reloads: 0, oldWorkers: 0, hosts: [], certificates: [] },
  routes: [{ host: 'a.b', path: '/', backend: 'shop/web:80', ingress: 'shop/web' }],
  backends: [
    {
      ...{ name: 'shop/web:80', sessions: 0, requests: 0, errors: 0, retries: 0, connectMs: 0, responseMs: 0 },
      endpoints: states.map((state, at) => endpoint(`10.80.0.${at}:80`, state)),
    },
  ],
  ...more,
});
const rowsOf = (reports: readonly IngressReport[], one = ingress(), certificates: readonly Certificate[] = []) =>
  ingressRows({ ingresses: [one], certificates, reports, nowMs });
const stateOf = (reports: readonly IngressReport[], one?: Ingress) => rowsOf(reports, one)[0]?.state;

test('a host, where it is reached, and how many instances the proxy has that has the fewest', () => {
  const certificate = { secret: 'shop/web', hosts: ['a.b'], issuer: 'Pebble', notAfter: '2026-03-02T00:00:00Z' };
  const [row] = rowsOf([
    { node: 'h1', problems: [], proxy: proxy(['up', 'up'], { certificates: [certificate] }) },
    { node: 'h2', problems: [], proxy: proxy(['up', 'down']) },
  ]);
  assert.deepEqual(row, {
    ...{ host: 'a.b', path: '/', service: 'shop/web:80', ingress: 'shop/web' },
    tls: 'Pebble, expires in 60d',
    addresses: '10.1.0.1,10.1.0.2,… (4)',
    state: 'up: 1 instance',
  });
});

test('what is the matter is said', () => {
  const problems = [{ ingress: 'shop/web', message: 'there is no Service shop/web' }];
  assert.equal(stateOf([]), 'no node lets traffic in');
  assert.equal(stateOf([{ node: 'h1', problems: [], problem: 'port 80 is taken' }]), 'unknown: h1: port 80 is taken');
  assert.equal(stateOf([{ node: 'h1', problems: [], proxy: proxy(['down']) }]), 'no instance is ready');
  assert.equal(
    stateOf([{ node: 'h1', problems, proxy: proxy([], { routes: [] }) }]),
    `not served: ${problems[0]?.message}`,
  );
  assert.equal(stateOf([{ node: 'h1', problems, proxy: proxy(['up']) }]), `up: 1 instance; ${problems[0]?.message}`);
  const refused = ingress();
  refused.status = { conditions: [condition('flotilla.dev/Served', 'False', 'on h1: bad')] };
  assert.equal(
    stateOf([{ node: 'h1', problems: [], proxy: proxy([], { routes: [] }) }], refused),
    'not served: on h1: bad',
  );
});

test('a certificate that is not there yet', () => {
  const certificate: Certificate = {
    ...{ apiVersion: 'flotilla.dev/v1alpha1', kind: 'Certificate', metadata: { name: 'web', namespace: 'shop' } },
    spec: { hosts: ['a.b'], issuer: 'acme' },
  };
  const tls = () => rowsOf([], ingress(), [certificate])[0]?.tls;
  assert.equal(tls(), 'none yet: Secret web is waited for');
  certificate.status = { conditions: [condition('Issuing', 'True', 'the server looks at a.b')] };
  assert.equal(tls(), 'none yet: the server looks at a.b');
});

test('plain TCP, a default backend, TLS that is passed on', () => {
  const rest = { service: { name: 'db', port: { name: 'pg' } } };
  const tcp = ingress({ rules: [], defaultBackend: rest }, { 'ingress.flotilla.dev/tcp-port': '5432' });
  const tcpProxy = proxy(['up'], { routes: [{ port: 5432, backend: 'shop/web:80', ingress: 'shop/web' }] });
  const [row] = rowsOf([{ node: 'h1', problems: [], proxy: tcpProxy }], tcp);
  assert.deepEqual([row?.host, row?.path, row?.service, row?.state], ['*', ':5432', 'shop/db:pg', 'up: 1 instance']);
  assert.deepEqual(
    rowsOf([], ingress({ rules: [], defaultBackend: rest })).map(({ host, path }) => host + path),
    ['*/'],
  );
  assert.equal(rowsOf([], ingress({}, { 'ingress.flotilla.dev/tls-passthrough': 'true' }))[0]?.tls, 'passed on');
});

function condition(type: string, status: string, message: string) {
  return { type, status, message, reason: 'Said', lastTransitionTime: '2026-01-01T00:00:00Z' };
}
