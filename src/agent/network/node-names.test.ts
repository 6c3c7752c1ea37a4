import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DnsAddress, DnsSettings, DnsZone, DnsZoneChange } from '../../adapters/dns/port.ts';
import { gridNetworkOf } from '../../resources/grid-network.ts';
import type { EndpointSlice, Service } from '../../resources/kinds.ts';
import { createNodeNames, type ZoneSource } from './node-names.ts';

const service = (name: string) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'd' }, spec: {} });
const network = gridNetworkOf(undefined);

/** Names of services, without records. */
function createZone(): ZoneSource {
  const names = new Map<string, { addresses: string[] }>();
  let change: { set: Map<string, { addresses: string[] }>; drop: string[] } | undefined;
  return {
    setService: (key: string, one: Service | undefined) => {
      change ??= { set: new Map(), drop: [] };
      if (one) change.set.set(key, { addresses: [] });
      else change.drop.push(key);
    },
    setSlice: (_key: string, _slice: EndpointSlice | undefined) => {},
    changes: () => {
      const found = change;
      change = undefined;
      for (const [key, records] of found?.set ?? []) names.set(key, records);
      for (const key of found?.drop ?? []) names.delete(key);
      return found;
    },
    zone: () => ({ names: new Map(names) }),
  };
}

function setUp() {
  const told: unknown[] = [];
  const state: { failure?: Error } = {};
  const tell = async (what: unknown) => {
    if (state.failure) throw state.failure;
    told.push(what);
  };
  const names = createNodeNames({
    startDns: async (settings: DnsSettings, addresses: readonly DnsAddress[]) => {
      await tell(['start', settings.gridDomain, addresses]);
      return {
        configure: (_settings, next) => tell(['configure', next]),
        apply: ({ names: all }: DnsZone, revision) => tell(['whole', [...all.keys()], revision]),
        change: ({ set, drop }: DnsZoneChange, revision) => tell(['change', [...set.keys()], drop, revision]),
        stats: () => ({ queries: 3, forwarded: 2, failures: 1 }),
        stop: () => tell('stop'),
      };
    },
    createZone,
    ...{ grid: 'main', domain: 'cluster.local', port: 53 },
  });
  return { names, told, state };
}

test('all names once, then what changes; nothing before something is known', async () => {
  const { names, told } = setUp();
  await names.listen('10.80.1.1', network);
  await names.listen('10.80.1.1', network);
  await names.apply(3);
  const start = ['start', 'main.flotilla.local', [{ address: '10.80.1.1', port: 53 }]];
  assert.deepEqual(told, [start], 'what a process that was found knows stays');
  names.replace([service('web')], []);
  await names.apply(4);
  names.setService('d/db', service('db'));
  await names.apply(5);
  await names.apply(6);
  names.setService('d/web', undefined);
  await names.apply(7);
  assert.deepEqual(told.slice(1), [
    ['whole', ['d/web'], '4'],
    ['change', ['d/db'], [], '5'],
    ['change', [], ['d/web'], '7'],
  ]);
  await names.stop();
});

test('what was known before DNS is up is told then; another gateway is another address', async () => {
  const { names, told } = setUp();
  names.replace([service('web')], []);
  await names.apply(4);
  assert.equal(names.stats(), undefined);
  await names.listen('10.80.1.1', network);
  await names.listen('10.80.2.1', network);
  assert.deepEqual(told.slice(1), [
    ['whole', ['d/web'], '4'],
    ['configure', [{ address: '10.80.2.1', port: 53 }]],
  ]);
  assert.deepEqual(names.stats(), { queries: 3, forwarded: 2, failures: 1 });
});

test('a change that could not be told is told with everything', async () => {
  const { names, told, state } = setUp();
  names.replace([service('web')], []);
  await names.listen('10.80.1.1', network);
  state.failure = new Error('not within 10000 ms');
  names.setService('d/db', service('db'));
  await assert.rejects(names.apply(5));
  delete state.failure;
  await names.apply(6);
  assert.deepEqual(told.at(-1), ['whole', ['d/web', 'd/db'], '6']);
});
