import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attempt } from './fake.ts';
import type { PodRules, PolicyEnforcer, PolicyRules, PolicyState, RulePeer } from './port.ts';

/** Addresses of the world in which the contract is run: two pods of the host, one of another host, a client outside. */
export const world = { own: '10.80.0.2', other: '10.80.0.3', remote: '10.80.1.2', outside: '192.0.2.7' } as const;
/** All of them listen on these, TCP; 5300 also UDP. */
export const ports = [8000, 8001, 8002] as const;
export const udpPort = 5300;

export interface PolicyWorld {
  readonly enforcer: PolicyEnforcer;
  /** Whether the connection comes about. One that should is given more time than one that should not. */
  connect(attempt: Attempt, isExpected: boolean): Promise<boolean>;
}

const anybody: RulePeer = { type: 'anybody' };
const network = (cidr: string, ...except: string[]): RulePeer => ({ type: 'network', cidr, except });
const group = (name: string): RulePeer => ({ type: 'group', group: name });
const allow = (peer: RulePeer, ...numbers: number[]): PolicyRules => ({
  rules: [
    { peer, ...(numbers.length > 0 ? { ports: numbers.map((first) => ({ protocol: 'TCP' as const, first })) } : {}) },
  ],
});

function state(pods: Record<string, PodRules>, more: Partial<PolicyState> = {}): PolicyState {
  return { pods: new Map(Object.entries(pods)), groups: new Map(), endpoints: new Map(), ...more };
}

const tcp = (from: string, to: string, port: number = ports[0]): Attempt => ({ from, to, protocol: 'TCP', port });

/** What each enforcer promises. `open` gives one on a host with the pods of the world. */
export function policyContract(name: string, open: () => Promise<PolicyWorld>): void {
  const { own, other, remote, outside } = world;
  const expect = async (world: PolicyWorld, attempts: readonly (readonly [Attempt, boolean])[]) => {
    const found = await Promise.all(
      attempts.map(async ([attempt, isExpected]) => [attempt, await world.connect(attempt, isExpected)] as const),
    );
    assert.deepEqual(found, attempts);
  };
  const run = (title: string, body: (world: PolicyWorld) => Promise<void>) =>
    test(`${name}: ${title}`, async () => {
      const world = await open();
      try {
        await body(world);
      } finally {
        await world.enforcer.cleanup();
      }
    });

  run('a pod that is selected is closed, others are not, and its own connections go on', async (world) => {
    await world.enforcer.apply(state({ [own]: { ingress: [] } }));
    await expect(world, [
      [tcp(other, own), false],
      [tcp(remote, own), false],
      [tcp(outside, own), false],
      [tcp(own, other), true],
      [tcp(own, remote), true],
      [tcp(remote, other), true],
    ]);
    await world.enforcer.apply(state({}));
    await expect(world, [
      [tcp(other, own), true],
      [tcp(remote, own), true],
    ]);
  });

  run('groups: who is in one may, from this host and from others; a change of one address', async (world) => {
    const rules = { [own]: { ingress: [allow(group('web'))] } };
    await world.enforcer.apply(state(rules, { groups: new Map([['web', new Set([other])]]) }));
    await expect(world, [
      [tcp(other, own), true],
      [tcp(remote, own), false],
      [tcp(outside, own), false],
    ]);
    await world.enforcer.apply(state(rules, { groups: new Map([['web', new Set([remote])]]) }));
    await expect(world, [
      [tcp(other, own), false],
      [tcp(remote, own), true],
    ]);
  });

  run('ports, ranges of them, and protocols', async (world) => {
    const ranges = [
      { protocol: 'TCP', first: 8001, last: 8002 },
      { protocol: 'TCP', first: 8002, last: 8010 },
    ] as const;
    const rules = { ingress: [{ rules: [{ peer: anybody, ports: ranges }] }] };
    const udp = { ...tcp(other, own), protocol: 'UDP', port: udpPort } as const;
    await world.enforcer.apply(state({ [own]: rules }));
    await expect(world, [
      [tcp(other, own, 8000), false],
      [tcp(other, own, 8001), true],
      [tcp(remote, own, 8002), true],
      [udp, false],
    ]);
    await world.enforcer.apply(
      state({ [own]: { ingress: [{ rules: [{ peer: anybody, ports: [{ protocol: 'UDP' }] }] }] } }),
    );
    await expect(world, [
      [tcp(other, own, 8001), false],
      [udp, true],
    ]);
  });

  run('networks, without their exceptions', async (world) => {
    await world.enforcer.apply(state({ [own]: { ingress: [allow(network('192.0.2.0/24'))] } }));
    await expect(world, [
      [tcp(outside, own), true],
      [tcp(other, own), false],
    ]);
    await world.enforcer.apply(
      state({ [own]: { ingress: [allow(network('0.0.0.0/0', '192.0.2.0/24', '192.0.2.0/25', '10.80.1.0/24'))] } }),
    );
    await expect(world, [
      [tcp(outside, own), false],
      [tcp(remote, own), false],
      [tcp(other, own), true],
    ]);
  });

  run('several policies add up', async (world) => {
    await world.enforcer.apply(
      state(
        { [own]: { ingress: [allow(group('web'), 8000), allow(anybody, 8001)] } },
        { groups: new Map([['web', new Set([other])]]) },
      ),
    );
    await expect(world, [
      [tcp(other, own, 8000), true],
      [tcp(remote, own, 8000), false],
      [tcp(remote, own, 8001), true],
      [tcp(other, own, 8002), false],
    ]);
  });

  run('what pods connect to: networks, groups, ports known by name; both sides must allow it', async (world) => {
    const named = { rules: [{ peer: { type: 'endpoints', endpoints: 'webhttp' } as const }] };
    const closed = { [own]: { egress: [] } };
    await world.enforcer.apply(state(closed));
    await expect(world, [
      [tcp(own, other), false],
      [tcp(own, remote), false],
      [tcp(own, outside), false],
      [tcp(other, own), true],
    ]);
    await world.enforcer.apply(
      state(
        { [own]: { egress: [named, allow(network('192.0.2.0/24'))] }, [other]: { ingress: [allow(group('none'))] } },
        { endpoints: new Map([['webhttp', new Set([`${remote} TCP 8001`, `${other} TCP 8001`])]]) },
      ),
    );
    await expect(world, [
      [tcp(own, remote, 8001), true],
      [tcp(own, remote, 8000), false],
      [tcp(own, other, 8001), false],
      [tcp(own, outside), true],
    ]);
  });

  run('ports known by name within a network', async (world) => {
    const within = { cidr: '10.80.0.0/16', except: ['10.80.0.0/24'] };
    const rules = [{ peer: { type: 'endpoints', endpoints: 'webhttp', within } as const }];
    const endpoints = new Map([['webhttp', new Set([`${remote} TCP 8001`, `${other} TCP 8001`])]]);
    await world.enforcer.apply(state({ [own]: { egress: [{ rules }] } }, { endpoints }));
    await expect(world, [
      [tcp(own, remote, 8001), true],
      [tcp(own, remote, 8000), false],
      [tcp(own, other, 8001), false],
    ]);
  });

  run('the same state twice is once; clean-up allows all, also twice', async (world) => {
    const closed = state({ [own]: { ingress: [] } });
    await world.enforcer.apply(closed);
    await world.enforcer.apply(closed);
    assert.equal(await world.enforcer.hasDrifted(), false);
    await world.enforcer.cleanup();
    await world.enforcer.cleanup();
    await expect(world, [[tcp(other, own), true]]);
  });
}
