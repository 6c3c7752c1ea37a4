import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Ingress } from '../../resources/kinds.ts';
import { reachedLines } from './reached-at.ts';

const backend = { service: { name: 'web', port: { number: 80 } } };

function ingress(
  service: string,
  spec: Ingress['spec'],
  annotations: Record<string, string> = {},
  ip?: string,
): Ingress {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: service, labels: { 'flotilla.dev/service': service }, annotations },
    spec,
    status: { loadBalancer: { ingress: ip === undefined ? [] : [{ ip }] } },
  };
}
const rule = (host: string, ...paths: string[]) => ({
  host,
  http: { paths: paths.map((path) => ({ path, pathType: 'Prefix', backend })) },
});

it('a deploy says where its services are reached', () => {
  const web = {
    rules: [rule('web.shop.localhost', '/', '/api'), rule('*.b', '/')],
    tls: [{ hosts: ['web.shop.localhost'] }],
  };
  const db = ingress('db', { defaultBackend: backend }, { 'ingress.flotilla.dev/tcp-port': '5432' }, '10.1.0.1');
  const plain = ingress('api', { rules: [rule('a.b', '/')] }, {}, '10.1.0.1');
  const all = [ingress('web', web, {}, '10.1.0.1'), db, plain];
  assert.deepEqual(reachedLines(all, { httpPort: 80, httpsPort: 443 }), [
    'api is reached at http://a.b',
    'db is reached at 10.1.0.1:5432',
    'web is reached at https://web.shop.localhost  https://web.shop.localhost/api',
  ]);
  assert.deepEqual(reachedLines([plain], { httpPort: 8080, httpsPort: 443 }), ['api is reached at http://a.b:8080']);
  assert.deepEqual(reachedLines([ingress('web', web)], { httpPort: 80, httpsPort: 443 }), [], 'by nobody yet');
  const many = { rules: ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => rule(`${name}.b`, '/')) };
  assert.match(
    reachedLines([ingress('web', many, {}, '10.1.0.1')], { httpPort: 80, httpsPort: 443 })[0] ?? '',
    /http:\/\/d\.b {2}and 2 more$/,
  );
});
