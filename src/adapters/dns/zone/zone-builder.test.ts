import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { EndpointSlice, Service } from '../../../resources/kinds.ts';
import type { DnsRecords } from '../port.ts';
import { buildZone } from '../zone.ts';
import { ZoneBuilder } from './zone-builder.ts';

interface ServiceParts {
  readonly labels?: Record<string, string>;
  readonly aliases?: string;
  readonly spec?: Service['spec'];
}

function service(key: string, { labels = {}, aliases, spec = { clusterIP: 'None' } }: ServiceParts = {}): Service {
  const [namespace = '', name = ''] = key.split('/');
  const annotations = aliases === undefined ? {} : { annotations: { 'flotilla.dev/aliases': aliases } };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace, labels, ...annotations }, spec };
}

function slice(
  key: string,
  index: number,
  endpoints: EndpointSlice['endpoints'],
  ports?: NonNullable<EndpointSlice['ports']>,
): EndpointSlice {
  const [namespace = '', name = ''] = key.split('/');
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-${index}`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints,
    ...(ports ? { ports } : {}),
  };
}

function recordsOf(one: Service, slices: readonly EndpointSlice[]): DnsRecords | undefined {
  return [...buildZone({ services: [one], slices }).names.values()][0];
}

describe('records of a Service object', () => {
  test('a headless one answers the endpoints of all its slices that are ready and serve', () => {
    const slices = [
      slice('shop/web', 1, [
        { addresses: ['10.80.0.2'], conditions: { ready: true }, hostname: 'web-0' },
        { addresses: ['10.80.0.3'], conditions: { ready: false } },
        { addresses: ['10.80.0.4'], conditions: { ready: true, terminating: true } },
        { addresses: ['10.80.0.5'], conditions: { ready: true, serving: false } },
      ]),
      slice('shop/web', 2, [{ addresses: ['10.80.1.2'] }, { addresses: ['10.80.0.2'] }]),
      slice('other/web', 1, [{ addresses: ['10.80.9.9'] }]),
    ];
    assert.deepEqual(recordsOf(service('shop/web'), slices), {
      addresses: ['10.80.0.2', '10.80.1.2'],
      isHeadless: true,
      hostnames: { '10.80.0.2': 'web-0' },
    });
    const early = service('shop/web', { spec: { clusterIP: 'None', publishNotReadyAddresses: true } });
    assert.deepEqual(recordsOf(early, slices)?.addresses, ['10.80.0.2', '10.80.0.3', '10.80.0.5', '10.80.1.2']);
    assert.deepEqual(recordsOf(service('shop/web'), []), { addresses: [], isHeadless: true }, 'a known name');
  });

  test('its ports are those of the endpoints, also where they differ', () => {
    const slices = [
      slice('shop/db', 1, [{ addresses: ['10.80.0.2'] }], [{ name: 'sql', protocol: 'TCP', port: 5432 }]),
      slice('shop/db', 2, [{ addresses: ['10.80.0.3'] }], [{ name: 'sql', protocol: 'TCP', port: 6432 }]),
    ];
    const headless = recordsOf(service('shop/db'), slices);
    assert.deepEqual(headless?.ports, [{ name: 'sql', protocol: 'tcp', port: 5432 }]);
    assert.deepEqual(headless?.portsOf, { '10.80.0.3': [{ name: 'sql', protocol: 'tcp', port: 6432 }] });
    const spec = { clusterIP: 'None', ports: [{ port: 80, targetPort: 8080 }] };
    assert.deepEqual(recordsOf(service('shop/db', { spec }), [])?.ports, [{ protocol: 'tcp', port: 8080 }]);
  });

  test('one with a virtual address answers that, with its own ports; its endpoints are its members', () => {
    const spec = { clusterIP: '10.96.0.5', ports: [{ name: 'http', port: 80, targetPort: 8080 }] };
    assert.deepEqual(
      recordsOf(service('shop/web', { spec }), [
        slice('shop/web', 1, [{ addresses: ['10.80.0.2'] }], [{ name: 'http', port: 8080 }]),
      ]),
      {
        addresses: ['10.96.0.5'],
        members: ['10.80.0.2'],
        ports: [{ name: 'http', protocol: 'tcp', port: 80 }],
      },
    );
  });

  test('an external name is only that', () => {
    const spec = { type: 'ExternalName', externalName: 'www.example.org' };
    assert.deepEqual(recordsOf(service('shop/out', { spec }), []), { addresses: [], externalName: 'www.example.org' });
  });

  test('a stack in a namespace of another name, and aliases in both', () => {
    const labels = { 'flotilla.dev/stack': 'shop', 'flotilla.dev/service': 'web' };
    const records = recordsOf(service('prod/web', { labels, aliases: 'front, Old_Name,,front,no spaces' }), []);
    assert.equal(records?.stackName, 'web.shop.svc');
    assert.deepEqual(records?.aliases, ['front.prod.svc', 'old_name.prod.svc', 'front.shop.svc', 'old_name.shop.svc']);
    const same = recordsOf(service('shop/web', { labels, aliases: 'front' }), []);
    assert.deepEqual([same?.stackName, same?.aliases], [undefined, ['front.shop.svc']]);
  });
});

describe('changes', () => {
  test('are of the service that changed alone, and none where nothing became different', () => {
    const builder = new ZoneBuilder();
    for (let index = 0; index < 100; index++) builder.setService(`shop/s${index}`, service(`shop/s${index}`));
    assert.equal(builder.changes()?.set.size, 100);
    builder.setSlice('shop/s7-1', slice('shop/s7', 1, [{ addresses: ['10.80.0.2'] }]));
    assert.deepEqual([...(builder.changes()?.set.keys() ?? [])], ['s7.shop.svc']);
    builder.setSlice('shop/s7-1', slice('shop/s7', 1, [{ addresses: ['10.80.0.2'], nodeName: 'h1' }]));
    assert.equal(builder.changes(), undefined);
    builder.setService('shop/s7', undefined);
    builder.setService('shop/never', undefined);
    assert.deepEqual(builder.changes(), { set: new Map(), drop: ['s7.shop.svc'] });
    assert.equal(builder.zone().names.size, 99);
  });

  test('one at a time give the same as all at once, whatever their order', () => {
    const keys = fc.constantFrom('shop/a', 'shop/b', 'prod/a');
    const event = fc.oneof(
      fc.record({ key: keys, spec: fc.option(fc.constantFrom('None', '10.96.0.9'), { nil: undefined }) }),
      fc.record({
        key: keys,
        index: fc.nat(2),
        addresses: fc.option(fc.uniqueArray(fc.nat(5), { maxLength: 3 }), { nil: undefined }),
      }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const builder = new ZoneBuilder();
        const services = new Map<string, Service>();
        const slices = new Map<string, EndpointSlice>();
        const followed = new Map<string, DnsRecords>();
        for (const one of events) {
          if ('index' in one) {
            const name = `${one.key}-${one.index}`;
            const endpoints = one.addresses?.map((byte) => ({ addresses: [`10.80.0.${byte}`] }));
            const made = endpoints && slice(one.key, one.index, endpoints);
            if (made) slices.set(name, made);
            else slices.delete(name);
            builder.setSlice(name, made);
          } else {
            const made = one.spec === undefined ? undefined : service(one.key, { spec: { clusterIP: one.spec } });
            if (made) services.set(one.key, made);
            else services.delete(one.key);
            builder.setService(one.key, made);
          }
          const change = builder.changes();
          for (const name of change?.drop ?? []) followed.delete(name);
          for (const [name, records] of change?.set ?? []) followed.set(name, records);
        }
        const whole = buildZone({ services: services.values(), slices: slices.values() });
        const sorted = (names: ReadonlyMap<string, DnsRecords>) => [...names].sort(([a], [b]) => (a < b ? -1 : 1));
        assert.deepEqual(sorted(followed), sorted(whole.names));
        assert.deepEqual(sorted(builder.zone().names), sorted(whole.names));
      }),
      { numRuns: 300 },
    );
  });
});
