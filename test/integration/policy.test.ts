import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { policyContract, ports, udpPort, world } from '../../src/adapters/policy/contract.ts';
import type { Attempt } from '../../src/adapters/policy/fake.ts';
import { createNftPolicyEnforcer } from '../../src/adapters/policy/nft.ts';
import type { PolicyEnforcer, PolicyState, RulePeer } from '../../src/adapters/policy/port.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { hostAddress, type PolicyHosts, remoteGateway, startPolicyHosts } from './policy-hosts.ts';

const { own, other, remote, outside } = world;
const tcp = (from: string, to: string, port: number = ports[0]) => ({ from, to, protocol: 'TCP' as const, port });

function onlyFrom(...members: string[]): PolicyState {
  const peer: RulePeer = { type: 'group', group: 'friends' };
  return {
    pods: new Map([[own, { ingress: [{ rules: [{ peer }] }] }]]),
    groups: new Map([['friends', new Set(members)]]),
    endpoints: new Map(),
  };
}

describe('network policies on the kernel', () => {
  let hosts: PolicyHosts;
  const open = (): PolicyEnforcer => createNftPolicyEnforcer({ exec: hosts.inHost, log: silentLogger });
  before(async () => {
    hosts = await startPolicyHosts(`fl-pol-${process.pid}`);
  });
  after(() => hosts.stop());

  /** Whether they all turn out as they should. */
  const expect = async (...attempts: readonly (readonly [Attempt, boolean])[]) => {
    const found = await Promise.all(
      attempts.map(async ([attempt, isExpected]) => [attempt, await hosts.connect(attempt, isExpected)] as const),
    );
    assert.deepEqual(found, attempts);
  };

  policyContract('nft', async () => ({ enforcer: open(), connect: hosts.connect }));

  test('the host itself always reaches its pods, its pods reach it, and a pod itself; another host does not', async () => {
    const enforcer = open();
    await enforcer.apply({
      pods: new Map([[own, { ingress: [], egress: [] }]]),
      groups: new Map(),
      endpoints: new Map(),
    });
    await expect(
      [tcp(hostAddress, own), true],
      [tcp(own, hostAddress), true],
      [tcp(own, own), true],
      [tcp(remoteGateway, own), false],
    );
    await enforcer.apply(onlyFrom(remoteGateway));
    await expect([tcp(remoteGateway, own), true]);
    await enforcer.cleanup();
  });

  test('through a port of the host and through a service address, callers are still known and pods still selected', async () => {
    const enforcer = open();
    const table = `table ip published {
      chain pre { type nat hook prerouting priority dstnat;
        ip daddr 192.0.2.1 tcp dport 8080 dnat to ${own}:${ports[0]}
        ip daddr 10.96.0.9 tcp dport 80 dnat to ${own}:${ports[0]}
      }
      chain post { type nat hook postrouting priority srcnat; ip saddr ${own} ip daddr ${own} masquerade; }
    }`;
    await hosts.inHost(['nft', '-f', '-'], { stdin: table });
    await hosts.inHost(['bridge', 'link', 'set', 'dev', 'v-own', 'hairpin', 'on']);
    const published = tcp(outside, '192.0.2.1', 8080);
    const service = (from: string) => tcp(from, '10.96.0.9', 80);
    const expectAll = (outside: boolean, other: boolean) =>
      expect([published, outside], [service(world.other), other], [service(own), true]);
    try {
      await expectAll(true, true);
      await enforcer.apply(onlyFrom(remote));
      await expectAll(false, false);
      await enforcer.apply(onlyFrom(outside));
      await expectAll(true, false);
      await enforcer.apply(onlyFrom(other));
      await expectAll(false, true);
      // What a pod connects to through a service address is judged by the pod behind it.
      const pods = new Map([
        [other, { egress: [{ rules: [{ peer: { type: 'network', cidr: '10.96.0.0/16', except: [] } as const }] }] }],
      ]);
      await enforcer.apply({ pods, groups: new Map(), endpoints: new Map() });
      await expect([service(other), false]);
    } finally {
      await hosts.inHost(['nft', 'delete', 'table', 'ip', 'published']);
      await enforcer.cleanup();
    }
  });

  test('a connection that exists goes on when a policy begins to forbid it; a new one does not come about', async () => {
    const enforcer = open();
    await enforcer.apply(onlyFrom(other, remote));
    const held = await Promise.all([hosts.hold(tcp(other, own)), hosts.hold(tcp(remote, own))]);
    await enforcer.apply(onlyFrom());
    assert.deepEqual(await Promise.all(held.map((one) => one.echoes())), [true, true]);
    await expect([tcp(other, own), false], [tcp(remote, own), false]);
    for (const one of held) one.close();
    await enforcer.cleanup();
  });

  test('an enforcer that starts anew takes over what another one left, without a moment in which all is allowed', async () => {
    await open().apply(onlyFrom(other));
    const datagrams = { ...tcp(remote, own, udpPort), protocol: 'UDP' as const };
    const takeOverOften = async () => {
      for (let round = 0; round < 10; round++) {
        const enforcer = open();
        await enforcer.apply(onlyFrom(other));
        await enforcer.apply(onlyFrom(other, outside));
      }
    };
    assert.equal(await hosts.isSilentWhile(datagrams, takeOverOften), true);
    assert.equal(
      await hosts.isSilentWhile({ ...datagrams, from: other }, takeOverOften),
      false,
      'the others are heard',
    );
    const successor = open();
    await successor.apply(onlyFrom(remote));
    await expect([tcp(other, own), false], [tcp(remote, own), true]);
    await successor.apply({ pods: new Map(), groups: new Map(), endpoints: new Map() });
    assert.doesNotMatch((await hosts.inHost(['nft', 'list', 'tables'])).stdout, /flotilla/);
    assert.equal(await successor.hasDrifted(), false);
  });

  const damages: readonly (readonly [string, readonly string[]])[] = [
    ['all rules flushed', ['nft', 'flush', 'ruleset']],
    ['our table deleted', ['nft', 'delete', 'table', 'ip', 'flotilla_policy']],
    ['the rules of a chain flushed', ['nft', 'flush', 'chain', 'ip', 'flotilla_policy', 'ingress_hook']],
    ['bridged traffic hidden', ['sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=0']],
    ['an address taken out', ['nft', 'delete', 'element', 'ip', 'flotilla_policy', 'g_friends', '{', other, '}']],
    ['a pod taken out', ['nft', 'flush', 'map', 'ip', 'flotilla_policy', 'ingress']],
  ];
  for (const [title, argv] of damages) {
    test(`${title}: noticed and mended`, async () => {
      const enforcer = open();
      await enforcer.apply(onlyFrom(other, remote));
      const isSound = async () => {
        // Elements are looked at one set after the other.
        for (let round = 0; round < 4; round++) if (await enforcer.hasDrifted()) return false;
        return true;
      };
      assert.equal(await isSound(), true);
      await hosts.inHost(argv);
      assert.equal(await isSound(), false);
      await enforcer.apply(onlyFrom(other, remote));
      assert.equal(await isSound(), true);
      await expect([tcp(other, own), true], [tcp(outside, own), false]);
      await enforcer.cleanup();
    });
  }

  test('a refused change is told in the words of nft, changes nothing, and the next one does everything anew', async () => {
    const enforcer = open();
    await enforcer.apply(onlyFrom(other));
    const bad = onlyFrom('10.80.0.300');
    await assert.rejects(enforcer.apply(bad), { code: 'HostToolFailed', message: /10\.80\.0\.300/ });
    assert.equal(await enforcer.hasDrifted(), true);
    await expect([tcp(other, own), true], [tcp(remote, own), false]);
    await enforcer.apply(onlyFrom(remote));
    await expect([tcp(other, own), false], [tcp(remote, own), true]);
    await enforcer.cleanup();
  });

  test('foreign tables stay; 10,000 peers, and one more', async () => {
    await hosts.inHost(['nft', 'add', 'table', 'ip', 'foreign']);
    const enforcer = open();
    const many = Array.from({ length: 10_000 }, (_, at) => `10.82.${at >> 8}.${at & 255}`);
    await enforcer.apply(onlyFrom(...many));
    await expect([tcp(remote, own), false]);
    await enforcer.apply(onlyFrom(...many, remote));
    await expect([tcp(remote, own), true]);
    assert.equal(await enforcer.hasDrifted(), false);
    await enforcer.cleanup();
    const { stdout } = await hosts.inHost(['nft', 'list', 'tables']);
    assert.match(stdout, /foreign/);
    assert.doesNotMatch(stdout, /flotilla_policy/);
  });
});
