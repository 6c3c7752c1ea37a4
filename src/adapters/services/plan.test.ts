import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planFronts } from './fronts.ts';
import { createServicePlanner, type ServicePlanner } from './plan.ts';
import type { VirtualService } from './port.ts';
import { planSlots } from './slots.ts';
import { TableModel } from './table-model.ts';

const frame = {
  podRange: '10.80.0.0/12',
  serviceRange: '10.96.0.0/16',
  self: { podCIDR: '10.80.1.0/24', gateway: '10.80.1.1', bridgeName: 'fl0' },
};

function service(number: number, endpoints: readonly string[], rest: Partial<VirtualService> = {}): VirtualService {
  return {
    name: `shop/s${number}:http`,
    port: { protocol: 'TCP', number: 80 },
    clusterIPs: [`10.96.${number >> 8}.${number & 255}`],
    externalIPs: [],
    internalTrafficPolicy: 'Cluster',
    externalTrafficPolicy: 'Cluster',
    ...rest,
    endpoints: endpoints.map((address) => ({ address, port: 8080, isLocal: address.startsWith('10.80.1.') })),
  };
}

const named = (services: readonly VirtualService[]) => new Map(services.map((one) => [one.name, one]));

function run(model: TableModel, planner: ServicePlanner, services: ReadonlyMap<string, VirtualService>) {
  const plan = planner.plan(services);
  for (const script of plan.scripts) model.run(script);
  return plan;
}

test('who stays keeps its number, and the last moves into what falls free', () => {
  for (const [previous, desired, slots] of [
    [[], ['a', 'b'], ['a', 'b']],
    [
      ['a', 'b', 'c'],
      ['b', 'c'],
      ['c', 'b'],
    ],
    [
      ['a', 'b', 'c', 'd'],
      ['a', 'c', 'e'],
      ['a', 'e', 'c'],
    ],
    [['a', 'b', 'c'], ['c'], ['c']],
    [
      ['a', 'b'],
      ['b', 'a', 'b', 'c'],
      ['a', 'b', 'c'],
    ],
    [['a', 'b'], [], []],
  ] as const) {
    assert.deepEqual(planSlots(previous, desired), slots);
  }
  const names = fc.uniqueArray(fc.constantFrom(...'abcdefgh'));
  fc.assert(
    fc.property(names, names, (previous, desired) => {
      const slots = planSlots(previous, desired);
      assert.deepEqual([...slots].sort(), [...desired].sort());
      const changed = slots.filter((one, index) => one !== previous[index]).length;
      const removed = previous.filter((one) => !desired.includes(one)).length;
      const added = desired.filter((one) => !previous.includes(one)).length;
      assert.ok(changed <= Math.max(removed, added), `${previous} to ${desired}: ${slots}`);
    }),
  );
});

test('a change of one service is as long among 5,000 as among 10, and so is a new one', () => {
  const change = (count: number) => {
    const endpoints = (index: number) => [1, 2, 3, 4, 5].map((one) => `10.80.${index % 200}.${one + 10}`);
    const services = named(Array.from({ length: count }, (_, index) => service(index, endpoints(index))));
    const planner = createServicePlanner(frame);
    planner.plan(services);
    const bytes: number[] = [];
    const next = (...changed: VirtualService[]) => {
      for (const one of changed) services.set(one.name, one);
      bytes.push(planner.plan(new Map(services)).scripts.join('').length);
    };
    next(service(7, endpoints(7).slice(1)));
    next(service(7, endpoints(7)));
    next(service(7, endpoints(7).slice(1)));
    next(service(7, [...endpoints(7), '10.80.9.99']));
    next(service(6000, endpoints(6000)));
    next(service(6000, endpoints(6000), { affinitySeconds: 60 }));
    next(service(6000, endpoints(6000).slice(2), { affinitySeconds: 60 }));
    services.delete('shop/s6000:http');
    next();
    return bytes;
  };
  const few = change(10);
  for (const [index, bytes] of change(5_000).entries()) {
    const among10 = few[index] ?? 0;
    assert.ok(
      Math.abs(bytes - among10) <= among10 * 0.1,
      `change ${index}: ${among10} bytes among 10, ${bytes} among 5,000`,
    );
    assert.ok(bytes > 0 && bytes < 4_000, `${bytes}`);
  }
});

test('nothing changes: no script', () => {
  const planner = createServicePlanner(frame);
  const services = named([service(1, ['10.80.1.5'])]);
  assert.equal(planner.plan(services).scripts.length, 1);
  assert.deepEqual(planner.plan(services).scripts, []);
  assert.deepEqual(planner.plan(new Map(services)).scripts, []);
});

test('chains and rules that are expected are those that are there', () => {
  const planner = createServicePlanner(frame);
  const model = new TableModel();
  const sticky = { affinitySeconds: 30, nodePort: 30_001, externalTrafficPolicy: 'Local' } as const;
  for (const endpoints of [['10.80.1.5', '10.80.2.5'], ['10.80.1.5'], [], ['10.80.2.5']]) {
    run(model, planner, named([service(1, endpoints, sticky), service(2, endpoints)]));
    const counts = [...model.chains].map(([name, rules]) => [name, rules.length]);
    assert.deepEqual(counts.sort(), [...planner.chains].sort());
  }
});

test('UDP flows that a change leaves with somebody else', () => {
  const planner = createServicePlanner(frame);
  const udp = (endpoints: readonly string[], rest: Partial<VirtualService> = {}) =>
    planner
      .plan(named([service(1, endpoints, { port: { protocol: 'UDP', number: 53 }, nodePort: 30_053, ...rest })]))
      .flows.map(
        ({ address, port, endpoints: allowed }) => `${address ?? 'node'} ${port}: ${[...allowed].join(' or ')}`,
      );
  assert.deepEqual(udp([]), ['10.96.0.1 53: ', 'node 30053: ']);
  const both = '10.80.1.5 . 8080 or 10.80.2.5 . 8080';
  assert.deepEqual(udp(['10.80.1.5', '10.80.2.5']), [`10.96.0.1 53: ${both}`, `node 30053: ${both}`]);
  assert.deepEqual(udp(['10.80.1.5', '10.80.2.5', '10.80.3.5']), []);
  assert.equal(udp(['10.80.1.5', '10.80.2.5']).length, 2);
  assert.deepEqual(udp(['10.80.1.5', '10.80.2.5'], { clusterIPs: [] }), ['10.96.0.1 53: ']);
  assert.deepEqual(
    planner.plan(named([service(1, ['10.80.1.5'])])).flows.map(({ port }) => port),
    [30_053],
  );
});

const addresses = ['10.80.1.5', '10.80.1.6', '10.80.2.5', '10.80.3.5', '192.0.2.7'];
const anyService = fc
  .record({
    number: fc.integer({ min: 1, max: 4 }),
    at: fc.integer({ min: 1, max: 3 }),
    endpoints: fc.subarray(addresses),
    kind: fc.constantFrom('TCP', 'UDP', 'all'),
    external: fc.boolean(),
    internalTrafficPolicy: fc.constantFrom('Cluster' as const, 'Local' as const),
    externalTrafficPolicy: fc.constantFrom('Cluster' as const, 'Local' as const),
    affinitySeconds: fc.constantFrom(undefined, undefined, 10, 20),
    nodePort: fc.constantFrom(undefined, 30_001, 30_002),
    allowedSources: fc.constantFrom(undefined, ['10.0.0.0/8', '10.1.0.0/16'], ['192.0.2.0/24']),
  })
  .map(({ number, at, kind, external, endpoints, affinitySeconds, nodePort, allowedSources, ...policies }) => {
    const made = service(number, endpoints, {
      ...policies,
      clusterIPs: [`10.96.0.${at}`],
      externalIPs: external ? ['203.0.113.1'] : [],
      ...(kind === 'UDP' ? { port: { protocol: 'UDP', number: 80 } as const } : {}),
      ...(affinitySeconds === undefined ? {} : { affinitySeconds }),
      ...(nodePort === undefined ? {} : { nodePort }),
      ...(allowedSources ? { allowedSources } : {}),
    });
    const { port: _, ...rest } = made;
    return kind === 'all' ? rest : made;
  });

test('any states one after the other: the kernel takes each change, and has what was asked for; on the way nobody falls through', () => {
  fc.assert(
    fc.property(fc.array(fc.array(anyService, { maxLength: 4 }), { minLength: 1, maxLength: 8 }), (states) => {
      const planner = createServicePlanner(frame);
      const model = new TableModel();
      const known = new Map<string, VirtualService>();
      for (const state of states) {
        const services = named(state.map((one) => sameIfEqual(known, one)));
        const { scripts } = planner.plan(services);
        for (const script of scripts) {
          const before = model.copy();
          model.run(script);
          assertNobodyFallsThrough(before, model);
        }
        assertHasExactly(model, services);
      }
    }),
    { numRuns: 300 },
  );
});

function sameIfEqual(known: Map<string, VirtualService>, one: VirtualService): VirtualService {
  const former = known.get(one.name);
  const same = former && JSON.stringify(former) === JSON.stringify(one) ? former : one;
  known.set(one.name, same);
  return same;
}

/** A packet whose verdict was found in the maps of before picks its endpoint in those of after, if its service still has any. */
function assertNobodyFallsThrough(before: TableModel, after: TableModel): void {
  for (const map of ['vip', 'any', 'node', 'vip_outside', 'any_outside', 'node_outside']) {
    for (const key of before.sets.get(map)?.keys() ?? []) {
      if (after.sets.get(map)?.has(key)) assert.notDeepEqual(before.takers(map, key, after), [], `${map} ${key}`);
    }
  }
}

function assertHasExactly(model: TableModel, services: ReadonlyMap<string, VirtualService>): void {
  const wishes = [...services].sort(([one], [other]) => (one < other ? -1 : 1));
  const owned = new Set<string>();
  const expected = new Map<string, Set<string>>();
  const expect = (set: string, key: string) => expected.set(set, (expected.get(set) ?? new Set()).add(key));
  const foreign = new Set<string>();
  for (const [, one] of wishes) {
    const { fronts, pools } = planFronts(one);
    for (const front of fronts) {
      if (owned.has(front.id)) continue;
      owned.add(front.id);
      const inside = [...pools[front.inside]].sort();
      const taken = model.takers(front.kind, front.key);
      assert.deepEqual(typeof taken === 'string' ? taken : [...taken].sort(), inside, front.id);
      expect(inside.length > 0 ? front.kind : `${front.kind}_refused`, front.key);
      const outside = front.outside && [...pools[front.outside]].sort();
      if (outside && pools.all.length > 0) {
        expect(`${front.kind}_outside`, front.key);
        const takers = model.takers(`${front.kind}_outside`, front.key);
        assert.deepEqual(
          typeof takers === 'string' ? takers : [...takers].sort(),
          outside.length > 0 ? outside : 'drop',
        );
      }
      if (front.allowedSources) expect(`${front.kind}_restricted`, front.key);
      for (const source of front.allowedSources ?? []) expect(`${front.kind}_allowed`, `${front.key} . ${source}`);
      for (const endpoint of pools.all) if (endpoint.startsWith('192.')) foreign.add(endpoint.split(' ')[0] ?? '');
    }
  }
  for (const [name, elements] of model.sets) {
    if (name.includes('_endpoints') || name === 'hairpin' || name === 'foreign' || /^s\d/.test(name)) continue;
    assert.deepEqual([...elements.keys()].sort(), [...(expected.get(name) ?? [])].sort(), name);
  }
  assert.deepEqual([...(model.sets.get('foreign')?.keys() ?? [])].sort(), [...foreign].sort());
}
