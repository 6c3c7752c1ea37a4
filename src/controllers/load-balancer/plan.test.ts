import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Service } from '../../resources/kinds.ts';
import { sampleNowMs } from '../sample-objects.ts';
import { statusAfter } from './controller.ts';
import { type BalancerStep, planBalancers } from './plan.ts';

interface Given {
  readonly spec?: object;
  readonly ips?: readonly string[];
  readonly said?: string;
  readonly isTerminating?: boolean;
}

/** Younger with each. */
function balancers(given: Record<string, Given>): Service[] {
  return Object.entries(given).map(([name, { spec, ips = [], said, isTerminating }], at) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: 'shop',
      creationTimestamp: new Date(sampleNowMs + at * 1000).toISOString(),
      ...(isTerminating ? { deletionTimestamp: new Date(sampleNowMs).toISOString() } : {}),
    },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec },
    status: {
      loadBalancer: ips.length > 0 ? { ingress: ips.map((ip) => ({ ip })) } : {},
      conditions: said
        ? [{ type: 'flotilla.dev/AddressGiven', status: said, reason: '', message: '', lastTransitionTime: '' }]
        : [],
    },
  }));
}

const shown = (steps: readonly BalancerStep[]) =>
  steps.map((step) => {
    const what = step.type === 'give' ? step.address : step.type === 'refuse' ? step.message : '';
    return `${step.type} ${step.service.metadata.name} ${what}`.trim();
  });
const plan = (given: Record<string, Given>, pool = ['10.1.0.8-10.1.0.9', '10.2.0.0/31']) =>
  shown(planBalancers({ services: balancers(given), pool }));
const kept = { ips: ['10.1.0.8'], said: 'True' };

describe('load balancer plan', () => {
  const cases: [string, Record<string, Given>, string[]][] = [
    ['gives the lowest free address, the oldest first', { a: {}, b: {} }, ['give a 10.1.0.8', 'give b 10.1.0.9']],
    ['leaves everybody what he has', { a: {}, b: kept }, ['give a 10.1.0.9']],
    ['goes on in the next range', { a: kept, b: { ips: ['10.1.0.9'], said: 'True' }, c: {} }, ['give c 10.2.0.0']],
    ['honours what is asked for', { a: { spec: { loadBalancerIP: '10.2.0.1' } } }, ['give a 10.2.0.1']],
    [
      'gives another one when another one is asked for later',
      { a: { ...kept, spec: { loadBalancerIP: '10.1.0.9' } } },
      ['give a 10.1.0.9'],
    ],
    [
      'refuses what is not in the pool, by name',
      { a: { spec: { loadBalancerIP: '10.9.0.1' } } },
      ["refuse a loadBalancerIP 10.9.0.1 is not in the grid's pool 10.1.0.8-10.1.0.9, 10.2.0.0/31"],
    ],
    [
      'refuses what another one has, and names it',
      { a: kept, b: { spec: { loadBalancerIP: '10.1.0.8' } } },
      ['refuse b loadBalancerIP 10.1.0.8 belongs to Service shop/a'],
    ],
    ['lets the oldest keep what two have', { a: kept, b: kept }, ['give b 10.1.0.9']],
    [
      'takes the address of another type',
      { a: { ...kept, spec: { type: 'ClusterIP' } }, b: {} },
      ['take a', 'give b 10.1.0.8'],
    ],
    ['gives anew what is no longer in the pool', { a: { ips: ['10.7.0.1'], said: 'True' } }, ['give a 10.1.0.8']],
    [
      'leaves those of another class alone, and their addresses',
      { a: { ips: ['10.1.0.8'], spec: { loadBalancerClass: 'a/b' } }, b: {} },
      ['give b 10.1.0.9'],
    ],
    ['leaves what others wrote into other types', { a: { ips: ['10.1.0.8'], spec: { type: 'ClusterIP' } } }, []],
    ['serves its own class', { a: { spec: { loadBalancerClass: 'flotilla.dev/pool' } } }, ['give a 10.1.0.8']],
    ['lets an object that goes keep its address', { a: { ...kept, isTerminating: true }, b: {} }, ['give b 10.1.0.9']],
    ['says what was given once more when the condition was lost', { a: { ips: ['10.1.0.8'] } }, ['give a 10.1.0.8']],
  ];
  for (const [what, given, expected] of cases) it(what, () => assert.deepEqual(plan(given), expected));

  it('says that there is no pool, or nothing left in it', () => {
    assert.match(
      plan({ a: {} }, []).join(),
      /^refuse a the grid has no pool .*: flotilla grid set --load-balancer-pool /,
    );
    assert.deepEqual(plan({ a: kept, b: {} }, ['10.1.0.8']), [
      "refuse b all 1 addresses of the grid's pool 10.1.0.8 are in use",
    ]);
  });

  it('comes to rest after one round from any state, and no address has two holders', () => {
    const anyAddress = fc.constantFrom('10.1.0.8', '10.1.0.9', '10.2.0.0', '10.9.0.1');
    const anyService = fc.record({
      ips: fc.array(anyAddress, { maxLength: 2 }),
      wanted: fc.option(anyAddress, { nil: undefined }),
      type: fc.constantFrom('LoadBalancer', 'LoadBalancer', 'ClusterIP'),
      said: fc.constantFrom('True', 'False'),
    });
    fc.assert(
      fc.property(fc.array(anyService, { maxLength: 8 }), fc.subarray(['10.1.0.8/31', '10.2.0.0']), (list, pool) => {
        const given = list.map(({ wanted, type, ips, said }, at): [string, Given] => {
          return [`s${at}`, { ips, said, spec: { type, ...(wanted ? { loadBalancerIP: wanted } : {}) } }];
        });
        let services = balancers(Object.fromEntries(given));
        for (const step of planBalancers({ services, pool })) {
          const after = { ...step.service, status: statusAfter(step, sampleNowMs) };
          services = services.map((one) => (one.metadata.name === step.service.metadata.name ? after : one));
        }
        assert.deepEqual(planBalancers({ services, pool }), []);
        const held = services
          .filter((one) => one.spec.type === 'LoadBalancer')
          .flatMap((one) => one.status?.loadBalancer?.ingress ?? [])
          .map((one) => one.ip);
        assert.equal(new Set(held).size, held.length);
      }),
    );
  });
});
