import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ServiceSpec } from 'kubernetes-types/core/v1.js';
import type { Service } from '../../resources/kinds.ts';
import { flotillaVariables, serviceVariables } from './service-variables.ts';
import { podOf } from './test-objects.ts';

const service = (namespace: string, name: string, spec: ServiceSpec): Service => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec },
});
const known = [
  service('shop', 'my-db', {
    clusterIP: '10.96.0.7',
    ports: [
      { name: 'sql', port: 5432 },
      { name: 'stats-v2', port: 9187, protocol: 'UDP' },
    ],
  }),
  service('shop', 'headless', { clusterIP: 'None', ports: [{ port: 80 }] }),
  service('shop', 'pending', { ports: [{ port: 80 }] }),
  service('shop', 'six', { clusterIP: 'fd00::1', ports: [{ port: 80 }] }),
  service('shop', 'all-ports', { clusterIP: '10.96.0.6' }),
  service('other', 'web', { clusterIP: '10.96.0.8', ports: [{ port: 80 }] }),
  service('default', 'kubernetes', { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] }),
  service('default', 'web', { clusterIP: '10.96.0.9', ports: [{ port: 80 }] }),
];
const servicesOf = (namespace: string) => known.filter(({ metadata }) => metadata.namespace === namespace);
const variablesOf = (spec: object = {}) => Object.fromEntries(serviceVariables(podOf({}, {}, spec), servicesOf));

describe('variables of services', () => {
  it('are those of Kubernetes, for services of the namespace that have an address', () => {
    const { KUBERNETES_SERVICE_HOST, ...all } = variablesOf();
    assert.equal(KUBERNETES_SERVICE_HOST, '10.96.0.1');
    const own = Object.entries(all).filter(([name]) => !/^(KUBERNETES|SIX|ALL)_/.test(name));
    assert.deepEqual(Object.fromEntries(own), {
      MY_DB_SERVICE_HOST: '10.96.0.7',
      MY_DB_SERVICE_PORT: '5432',
      MY_DB_SERVICE_PORT_SQL: '5432',
      MY_DB_SERVICE_PORT_STATS_V2: '9187',
      MY_DB_PORT: 'tcp://10.96.0.7:5432',
      MY_DB_PORT_5432_TCP: 'tcp://10.96.0.7:5432',
      MY_DB_PORT_5432_TCP_PROTO: 'tcp',
      MY_DB_PORT_5432_TCP_PORT: '5432',
      MY_DB_PORT_5432_TCP_ADDR: '10.96.0.7',
      MY_DB_PORT_9187_UDP: 'udp://10.96.0.7:9187',
      MY_DB_PORT_9187_UDP_PROTO: 'udp',
      MY_DB_PORT_9187_UDP_PORT: '9187',
      MY_DB_PORT_9187_UDP_ADDR: '10.96.0.7',
    });
    const everyPort = Object.keys(all).filter((name) => name.startsWith('ALL_'));
    assert.deepEqual(everyPort, ['ALL_PORTS_SERVICE_HOST']);
    assert.deepEqual([all.SIX_SERVICE_HOST, all.SIX_PORT], ['fd00::1', 'tcp://[fd00::1]:80']);
  });

  it('are of the API alone where a pod wants no others', () => {
    const names = Object.keys(variablesOf({ enableServiceLinks: false }));
    assert.ok(names.length > 0 && names.every((name) => name.startsWith('KUBERNETES_')), names.join());
  });
});

describe('variables of Flotilla', () => {
  it('say where a container is; what is not known is not there', () => {
    const labels = { 'flotilla.dev/stack': 'shop', 'flotilla.dev/service': 'web' };
    assert.deepEqual(Object.fromEntries(flotillaVariables(podOf({}, { labels }), 'main')), {
      FLOTILLA_GRID: 'main',
      FLOTILLA_NODE: 'h1',
      FLOTILLA_STACK: 'shop',
      FLOTILLA_SERVICE: 'web',
      FLOTILLA_INSTANCE: 'web-1',
    });
    const names = flotillaVariables(podOf(), 'main').map(([name]) => name);
    assert.deepEqual(names, ['FLOTILLA_GRID', 'FLOTILLA_NODE', 'FLOTILLA_INSTANCE']);
  });
});
