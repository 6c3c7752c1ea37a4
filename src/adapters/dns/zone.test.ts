import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice, Service } from '../../resources/kinds.ts';
import { buildZone } from './zone.ts';

function service(name: string, namespace: string, labels: Record<string, string> = {}, ports: number[] = []): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels },
    spec: { ports: ports.map((port) => ({ port, targetPort: port + 1 })) },
  };
}

function slice(serviceName: string, namespace: string, endpoints: EndpointSlice['endpoints']): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${serviceName}-1`, namespace, labels: { 'kubernetes.io/service-name': serviceName } },
    addressType: 'IPv4',
    endpoints,
  };
}

test('a name answers the ready endpoints of all its slices', () => {
  const zone = buildZone({
    domain: 'cluster.local',
    services: [service('web', 'shop', {}, [80])],
    slices: [
      slice('web', 'shop', [
        { addresses: ['10.80.0.2'], conditions: { ready: true } },
        { addresses: ['10.80.0.3'], conditions: { ready: false } },
        { addresses: ['10.80.0.4'], conditions: { ready: true, terminating: true } },
      ]),
      slice('web', 'shop', [{ addresses: ['10.80.1.2'] }, { addresses: ['10.80.0.2'] }]),
      slice('web', 'other', [{ addresses: ['10.80.9.9'] }]),
    ],
  });
  assert.deepEqual(zone.names.get('web.shop.svc'), {
    addresses: ['10.80.0.2', '10.80.1.2'],
    services: [{ port: 81, target: 'web.shop.svc.cluster.local' }],
  });
});

test('a Service object without endpoints is a known name', () => {
  const zone = buildZone({ domain: 'cluster.local', services: [service('db', 'shop')], slices: [] });
  assert.deepEqual(zone.names.get('db.shop.svc'), { addresses: [] });
});

test('a stack in a namespace of another name is found by both, and never takes a name from the namespace', () => {
  const stack = (name: string) => ({ 'flotilla.dev/stack': name, 'flotilla.dev/service': 'web' });
  const zone = buildZone({
    domain: 'cluster.local',
    services: [service('web', 'prod', stack('shop')), service('web', 'shop')],
    slices: [
      slice('web', 'prod', [{ addresses: ['10.80.0.2'] }]),
      slice('web', 'shop', [{ addresses: ['10.80.0.3'] }]),
    ],
  });
  assert.deepEqual(zone.names.get('web.prod.svc')?.addresses, ['10.80.0.2']);
  assert.deepEqual(zone.names.get('web.shop.svc')?.addresses, ['10.80.0.3']);
  const alone = buildZone({ domain: 'cluster.local', services: [service('web', 'prod', stack('shop'))], slices: [] });
  assert.deepEqual([...alone.names.keys()], ['web.prod.svc', 'web.shop.svc']);
});
