import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { EndpointSlice, Service } from '../../resources/kinds.ts';
import { VirtualServices } from './virtual-services.ts';

function service(name: string, spec: object = {}, more: Partial<Service['metadata']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'shop', ...more },
    spec: { type: 'ClusterIP', clusterIP: '10.96.1.1', clusterIPs: ['10.96.1.1'], ports: [{ port: 80 }], ...spec },
  };
}

type Endpoint = EndpointSlice['endpoints'][number];
const at = (address: string, more: Partial<Endpoint> = {}): Endpoint => ({
  addresses: [address],
  conditions: { ready: true, serving: true, terminating: false },
  nodeName: 'h1',
  ...more,
});

function slice(of: string, endpoints: Endpoint[], ports: object[] = [{ name: '', port: 8080, protocol: 'TCP' }]) {
  const metadata = { name: `${of}-x`, namespace: 'shop', labels: { 'kubernetes.io/service-name': of } };
  const made = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata,
    addressType: 'IPv4',
    endpoints,
    ports,
  };
  return made as EndpointSlice;
}

/** What becomes of one Service object and its slices on node h1. */
function compiled(one: Service, ...slices: EndpointSlice[]) {
  const all = new VirtualServices('h1');
  all.setService('shop/web', one);
  for (const [index, each] of slices.entries()) all.setSlice(`shop/${index}`, each);
  return [...all.state.values()];
}

describe('virtual services', () => {
  it('are one a port, with the ready endpoints of its slices', () => {
    const ports = [
      { name: 'http', port: 80 },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ];
    const slicePorts = [
      { name: 'dns', port: 5353, protocol: 'UDP' },
      { name: 'http', port: 8080, protocol: 'TCP' },
    ];
    const endpoints = [
      at('10.80.2.9', { nodeName: 'h2' }),
      at('10.80.1.7'),
      at('10.80.1.8', { conditions: { ready: false } }),
      at('10.80.1.9', { conditions: { ready: false, serving: false, terminating: true } }),
    ];
    const common = {
      clusterIPs: ['10.96.1.1'],
      externalIPs: [],
      internalTrafficPolicy: 'Cluster',
      externalTrafficPolicy: 'Cluster',
    };
    assert.deepEqual(compiled(service('web', { ports }), slice('web', endpoints, slicePorts)), [
      {
        ...common,
        name: 'shop/web:http',
        port: { protocol: 'TCP', number: 80 },
        endpoints: [
          { address: '10.80.1.7', port: 8080, isLocal: true },
          { address: '10.80.2.9', port: 8080, isLocal: false },
        ],
      },
      {
        ...common,
        name: 'shop/web:dns',
        port: { protocol: 'UDP', number: 53 },
        endpoints: [
          { address: '10.80.1.7', port: 5353, isLocal: true },
          { address: '10.80.2.9', port: 5353, isLocal: false },
        ],
      },
    ]);
  });

  it('take all ports where the annotation says so', () => {
    const annotations = { 'flotilla.dev/all-ports': 'true' };
    const [one, ...more] = compiled(service('web', {}, { annotations }), slice('web', [at('10.80.1.7')], []));
    assert.deepEqual([one?.name, one?.port, more], ['shop/web:*', undefined, []]);
    assert.deepEqual(one?.endpoints, [{ address: '10.80.1.7', isLocal: true }]);
  });

  it('have what clients outside use', () => {
    const spec = {
      type: 'LoadBalancer',
      ports: [{ port: 80, nodePort: 30_080 }],
      externalIPs: ['192.0.2.7'],
      externalTrafficPolicy: 'Local',
      internalTrafficPolicy: 'Local',
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
      loadBalancerSourceRanges: [' 10.0.0.0/8', '2001:db8::/32'],
    };
    const ingress = [{ ip: '10.1.0.9' }, { ip: '10.1.0.10', ipMode: 'Proxy' }, { hostname: 'x.example' }];
    const [one] = compiled({ ...service('web', spec), status: { loadBalancer: { ingress } } });
    assert.deepEqual(
      [one?.externalIPs, one?.nodePort, one?.externalTrafficPolicy, one?.internalTrafficPolicy],
      [['10.1.0.9', '192.0.2.7'], 30_080, 'Local', 'Local'],
    );
    assert.deepEqual([one?.affinitySeconds, one?.allowedSources, one?.endpoints], [60, ['10.0.0.0/8'], []]);
  });

  const none: [string, Service][] = [
    ['headless', service('web', { clusterIP: 'None', clusterIPs: ['None'] })],
    ['a name of something outside', service('web', { type: 'ExternalName', externalName: 'x', clusterIP: undefined })],
    ['of another proxy', service('web', {}, { labels: { 'service.kubernetes.io/service-proxy-name': 'mine' } })],
  ];
  for (const [what, one] of none) it(`are none where it is ${what}`, () => assert.deepEqual(compiled(one), []));

  it('count an address once that is in two slices, and nothing of IPv6', () => {
    const six = { ...slice('web', [at('2001:db8::1')]), addressType: 'IPv6' };
    const [one] = compiled(service('web'), slice('web', [at('10.80.1.7')]), slice('web', [at('10.80.1.7')]), six);
    assert.deepEqual(one?.endpoints, [{ address: '10.80.1.7', port: 8080, isLocal: true }]);
  });

  it('have endpoints that somebody wrote for a service without selector', () => {
    const written = slice('web', [{ addresses: ['192.0.2.50'] }]);
    const [one] = compiled(service('web', { selector: undefined }), written);
    assert.deepEqual(one?.endpoints, [{ address: '192.0.2.50', port: 8080, isLocal: false }]);
  });
});

describe('virtual services that follow changes', () => {
  it('stay the same object when nothing about them changed', () => {
    const all = new VirtualServices('h1');
    all.setService('shop/web', service('web'));
    all.setService('shop/db', service('db', { clusterIPs: ['10.96.1.2'] }));
    all.setSlice('shop/web-x', slice('web', [at('10.80.1.7')]));
    const first = all.state;
    const [web, db] = [first.get('shop/web:'), first.get('shop/db:')];
    assert.equal(all.state, first);
    // The same said again, as after a watch that broke.
    all.setSlice('shop/web-x', structuredClone(slice('web', [at('10.80.1.7')])));
    assert.equal(all.state, first);
    all.setSlice('shop/web-x', slice('web', [at('10.80.1.8')]));
    const second = all.state;
    assert.notEqual(second, first);
    assert.equal(first.get('shop/web:'), web, 'what was given out is not changed');
    assert.notEqual(second.get('shop/web:'), web);
    assert.equal(second.get('shop/db:'), db);
  });

  it('stay the same objects through a list that says the same, and go with what it leaves out', () => {
    const all = new VirtualServices('h1');
    const [web, db] = [service('web'), service('db', { clusterIPs: ['10.96.1.2'] })];
    const slices = [slice('web', [at('10.80.1.7')]), slice('db', [at('10.80.1.8')])];
    all.replace([web, db], slices);
    const first = all.state;
    all.replace(structuredClone([web, db]), structuredClone(slices));
    assert.equal(all.state, first);
    all.replace([web], slices.slice(1));
    assert.deepEqual([...all.state.keys()], ['shop/web:']);
    assert.deepEqual(all.state.get('shop/web:')?.endpoints, []);
  });

  it('come to the same as from nothing, in whatever order changes come', () => {
    const names = ['a', 'b', 'c'];
    const anyChange = fc.record({
      name: fc.constantFrom(...names),
      what: fc.constantFrom('service', 'slice', 'noService', 'noSlice', 'moveSlice', 'headless'),
      octet: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(anyChange, { maxLength: 30 }), fc.array(fc.boolean()), (changes, looks) => {
        const all = new VirtualServices('h1');
        const services = new Map<string, Service>();
        const slices = new Map<string, EndpointSlice>();
        for (const [index, { name, what, octet }] of changes.entries()) {
          const key = `shop/${name}`;
          if (what === 'service') services.set(key, service(name, { ports: [{ port: octet }] }));
          else if (what === 'headless') services.set(key, service(name, { clusterIP: 'None', clusterIPs: ['None'] }));
          else if (what === 'slice') slices.set(key, slice(name, [at(`10.80.1.${octet}`)]));
          else if (what === 'moveSlice') slices.set(key, slice(names[octet - 1] ?? 'a', [at(`10.80.2.${octet}`)]));
          else if (what === 'noService') services.delete(key);
          else slices.delete(key);
          all.setService(key, services.get(key));
          all.setSlice(key, slices.get(key));
          if (looks[index]) void all.state;
        }
        const anew = new VirtualServices('h1');
        for (const [key, one] of services) anew.setService(key, one);
        for (const [key, one] of slices) anew.setSlice(key, one);
        const plain = (one: VirtualServices) => [...one.state.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
        assert.deepEqual(plain(all), plain(anew));
      }),
    );
  });
});
