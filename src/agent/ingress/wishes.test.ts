import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ingressOptions, optionPrefix } from '../../resources/ingress-options.ts';
import type { Ingress } from '../../resources/kinds.ts';
import { wishesOf } from './wishes.ts';

const wishes = (options: Readonly<Record<string, string>>) => {
  const annotations = Object.fromEntries(Object.entries(options).map(([name, value]) => [optionPrefix + name, value]));
  const ingress: Ingress = {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', spec: {} },
    metadata: { name: 'web', namespace: 'shop', annotations },
  };
  return wishesOf(ingress);
};

/** Options that say more about another one. */
const needed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'sticky-cookie-name': { sticky: 'cookie' },
  'basic-auth-realm': { 'basic-auth-secret': 'staff' },
  'health-check-path': { 'health-check': 'http' },
};
/** Those of somebody else. */
const ofOthers = ['tls'];

for (const { name, example } of Object.values(ingressOptions)) {
  test(`option ${name}: ${example}`, () => {
    const others = needed[name] ?? {};
    const differs = JSON.stringify(wishes({ ...others, [name]: example })) !== JSON.stringify(wishes(others));
    assert.equal(differs, !ofOthers.includes(name), 'it reaches the proxy');
  });
}

test('what is asked for, in the words of the proxy', () => {
  assert.deepEqual(wishes({}), { route: {}, backend: {} });
  assert.deepEqual(
    wishes({ sticky: 'source', 'backend-protocol': 'h2', 'max-connections': '9', 'proxy-protocol': 'true' }),
    {
      route: {},
      backend: { balance: 'source', protocol: 'h2', maxConnectionsPerEndpoint: 9, sendsProxyProtocol: true },
    },
  );
  assert.deepEqual(wishes({ 'health-check-interval': '1s', 'health-check-fall': '3' }).backend.healthCheck, {
    ...{ type: 'tcp', intervalMs: 1_000, timeoutMs: 1_000, fall: 3 },
  });
  assert.deepEqual(wishes({ 'basic-auth-secret': 'staff', 'ssl-redirect': 'false', hsts: '180d' }), {
    route: { redirectsToHttps: false, hstsSeconds: 15_552_000 },
    backend: {},
    basicAuth: { secretName: 'staff', realm: 'Restricted' },
  });
});
