import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServiceProxy, ServiceState, VirtualService } from './port.ts';

export interface ServiceProxySubject {
  readonly proxy: ServiceProxy;
  /** `address:port`, or addresses, of who takes what pods and the host send to an address, in order; empty: nobody. */
  takers(address: string, port?: { readonly protocol: 'TCP' | 'UDP'; readonly number: number }): Promise<string[]>;
  /** The next `apply` fails. */
  breakOnce(): void;
  /** Somebody else takes everything away. */
  takeAway(): Promise<void>;
}

const http = { protocol: 'TCP', number: 80 } as const;

function service(name: string, address: string, endpoints: readonly string[], rest: Partial<VirtualService> = {}) {
  const made: VirtualService = {
    name,
    port: http,
    clusterIPs: [address],
    externalIPs: [],
    internalTrafficPolicy: 'Cluster',
    externalTrafficPolicy: 'Cluster',
    ...rest,
    endpoints: endpoints.map((one) => ({ address: one, port: 8080, isLocal: one.startsWith('10.80.1.') })),
  };
  return made;
}

function state(...services: readonly VirtualService[]): ServiceState {
  return {
    podRange: '10.80.0.0/12',
    serviceRange: '10.96.0.0/16',
    self: { podCIDR: '10.80.1.0/24', gateway: '10.80.1.1', bridgeName: 'fl0' },
    services: new Map(services.map((one) => [one.name, one])),
  };
}

/** What each proxy promises. `open` gives one on a host that has the bridge fl0 with the address 10.80.1.1/24. */
export function serviceProxyContract(name: string, open: () => Promise<ServiceProxySubject>): void {
  const web = (...endpoints: string[]) => service('shop/web:http', '10.96.0.10', endpoints);

  test(`${name}: takes the whole state, twice is once, and what is missing is gone`, async () => {
    const { proxy, takers } = await open();
    const db = service('shop/db:sql', '10.96.0.11', ['10.80.2.7']);
    const both = state(web('10.80.1.5', '10.80.2.5'), db);
    await proxy.apply(both);
    await proxy.apply(both);
    assert.deepEqual(await takers('10.96.0.10', http), ['10.80.1.5:8080', '10.80.2.5:8080']);
    await proxy.apply(state(web('10.80.2.5', '10.80.3.5', '10.80.4.5'), db));
    assert.deepEqual(await takers('10.96.0.10', http), ['10.80.2.5:8080', '10.80.3.5:8080', '10.80.4.5:8080']);
    await proxy.apply(state(web()));
    assert.deepEqual(await takers('10.96.0.10', http), []);
    assert.deepEqual(await takers('10.96.0.11', http), []);
    await proxy.cleanup();
  });

  test(`${name}: a service of all ports, UDP beside TCP, and endpoints of this node alone`, async () => {
    const { proxy, takers } = await open();
    const endpoints = ['10.80.1.5', '10.80.2.5'];
    const { port: _, ...rest } = service('shop/all:', '10.96.0.12', []);
    const dns = { protocol: 'UDP', number: 53 } as const;
    await proxy.apply(
      state(
        { ...rest, endpoints: endpoints.map((address) => ({ address, isLocal: false })) },
        service('shop/dns:udp', '10.96.0.13', ['10.80.1.5'], { port: dns }),
        service('shop/dns:tcp', '10.96.0.13', ['10.80.2.5'], { port: { protocol: 'TCP', number: 53 } }),
        service('shop/near:http', '10.96.0.14', endpoints, { internalTrafficPolicy: 'Local' }),
        service('shop/far:http', '10.96.0.15', ['10.80.2.5'], { internalTrafficPolicy: 'Local' }),
      ),
    );
    assert.deepEqual(await takers('10.96.0.12'), endpoints);
    assert.deepEqual(await takers('10.96.0.13', dns), ['10.80.1.5:8080']);
    assert.deepEqual(await takers('10.96.0.13', { protocol: 'TCP', number: 53 }), ['10.80.2.5:8080']);
    assert.deepEqual(await takers('10.96.0.14', http), ['10.80.1.5:8080']);
    assert.deepEqual(await takers('10.96.0.15', http), []);
    await proxy.cleanup();
  });

  test(`${name}: an address that two services ask for belongs to the first by name, and is handed on`, async () => {
    const { proxy, takers } = await open();
    const late = service('shop/zeta:http', '10.96.0.10', ['10.80.2.9']);
    await proxy.apply(state(late));
    await proxy.apply(state(late, web('10.80.1.5')));
    assert.deepEqual(await takers('10.96.0.10', http), ['10.80.1.5:8080']);
    await proxy.apply(state(late));
    assert.deepEqual(await takers('10.96.0.10', http), ['10.80.2.9:8080']);
    await proxy.cleanup();
  });

  test(`${name}: what no rule can be made for is left out, and costs nobody else`, async () => {
    const { proxy, takers } = await open();
    const odd = service('shop/odd:http', '10.96.0.11', ['fd00::5', '127.0.0.1', 'x; flush ruleset', '10.80.2.5'], {
      externalIPs: ['fd00::1', '0.0.0.0'],
      allowedSources: ['fd00::/8', '10.0.0.0/8', '10.1.0.0/16', '10.0.0.0/8'],
    });
    await proxy.apply(state(odd, web('10.80.1.5', '10.80.1.5')));
    assert.deepEqual(await takers('10.96.0.11', http), ['10.80.2.5:8080']);
    assert.deepEqual(await takers('10.96.0.10', http), ['10.80.1.5:8080']);
    await proxy.cleanup();
  });

  test(`${name}: a change that fails says so, and the next call does everything anew`, async () => {
    const { proxy, takers, breakOnce } = await open();
    const db = service('shop/db:sql', '10.96.0.11', ['10.80.2.7']);
    await proxy.apply(state(web('10.80.1.5'), db));
    breakOnce();
    const next = state(web('10.80.2.5'), db);
    await assert.rejects(proxy.apply(next), { code: 'HostToolFailed' });
    assert.equal(await proxy.hasDrifted(), true);
    assert.deepEqual(await takers('10.96.0.10', http), ['10.80.1.5:8080']);
    await proxy.apply(next);
    assert.deepEqual(await takers('10.96.0.10', http), ['10.80.2.5:8080']);
    assert.deepEqual(await takers('10.96.0.11', http), ['10.80.2.7:8080']);
    assert.equal(await proxy.hasDrifted(), false);
    await proxy.cleanup();
  });

  test(`${name}: what somebody else took away is noticed until it is mended, by the same state`, async () => {
    const { proxy, takers, takeAway } = await open();
    assert.equal(await proxy.hasDrifted(), false);
    const desired = state(web('10.80.1.5'));
    await proxy.apply(desired);
    assert.equal(await proxy.hasDrifted(), false);
    await takeAway();
    assert.deepEqual(await takers('10.96.0.10', http), []);
    assert.equal(await proxy.hasDrifted(), true);
    assert.equal(await proxy.hasDrifted(), true);
    await proxy.apply(desired);
    assert.deepEqual(await takers('10.96.0.10', http), ['10.80.1.5:8080']);
    assert.equal(await proxy.hasDrifted(), false);
    await proxy.cleanup();
  });

  test(`${name}: clean-up leaves nothing, also twice`, async () => {
    const { proxy, takers } = await open();
    const desired = state(web('10.80.1.5'));
    await proxy.apply(desired);
    await proxy.wirePorts();
    await proxy.cleanup();
    await proxy.cleanup();
    assert.deepEqual(await takers('10.96.0.10', http), []);
    assert.equal(await proxy.hasDrifted(), false);
    await proxy.apply(desired);
    assert.deepEqual(await takers('10.96.0.10', http), ['10.80.1.5:8080']);
    await proxy.cleanup();
  });
}
