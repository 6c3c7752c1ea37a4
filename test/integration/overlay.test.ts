import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { overlayContract } from '../../src/adapters/overlay/contract.ts';
import { createKernelOverlay } from '../../src/adapters/overlay/kernel-overlay.ts';
import type { OverlayState, RoutePeer } from '../../src/adapters/overlay/port.ts';
import type { Exec } from '../../src/lib/exec.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { type Machine, startMachine } from './machines.ts';

const routePeer = (index: number, nodeAddress: string): RoutePeer => ({
  ...{ nodeName: `h${index}`, podCIDR: `10.80.${index}.0/24` },
  ...{ way: 'route', nodeAddress },
});
const stateOf = (...peers: OverlayState['peers']): OverlayState => ({
  podRange: '10.80.0.0/12',
  self: { podCIDR: '10.80.0.0/24', gateway: '10.80.0.1', bridgeName: 'fl0', address: '10.99.250.1' },
  peers,
});

describe('overlay on the kernel', () => {
  let machine: Machine;
  let directory: string;
  const open = (exec: Exec = machine.exec) =>
    createKernelOverlay({ exec, log: silentLogger, directory, startOutliving: machine.startOutliving });
  const inside = async (...argv: string[]) => (await machine.exec(argv)).stdout;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-overlay-'));
    machine = await startMachine();
    await machine.ip('link add sw type bridge', 'addr add 10.99.250.1/24 dev sw', 'link set sw up');
    await machine.ip('link add fl0 type bridge', 'addr add 10.80.0.1/24 dev fl0', 'link set fl0 up');
  });
  after(async () => {
    await machine.stop();
    await rm(directory, { recursive: true });
  });

  for (const way of ['route', 'vxlan', 'wireguard'] as const) {
    overlayContract(`kernel by ${way}`, way, async () => open());
  }

  test('a peer on another network fails the call by its words, and the others are routed', async () => {
    const overlay = open();
    await assert.rejects(overlay.apply(stateOf(routePeer(1, '203.0.113.9'), routePeer(2, '10.99.250.3'))), {
      code: 'HostToolFailed',
      message: /route add 10\.80\.1\.0\/24 via 203\.0\.113\.9 .*(invalid gateway|unreachable)/i,
    });
    assert.deepEqual(
      (await overlay.observe()).routes.map((route) => route.podCIDR),
      ['10.80.2.0/24'],
    );
    await overlay.cleanup();
  });

  test('a host without a tool is told which', async () => {
    const without: Exec = (argv, options) =>
      machine.exec(argv[0] === 'nft' ? ['/nowhere/nft', ...argv.slice(1)] : argv, options);
    await assert.rejects(open(without).apply(stateOf()), { code: 'HostToolFailed', message: /nft/ });
    await open().cleanup();
  });

  test('a host without wg is told what to install, and routes plainly all the same', async () => {
    const without: Exec = (argv, options) => machine.exec(argv[0] === 'wg' ? ['/nowhere/wg'] : argv, options);
    const overlay = open(without);
    const desired = { ...stateOf(routePeer(1, '10.99.250.2')), devices: { wireguard: { port: 51_820 } } };
    await assert.rejects(overlay.apply(desired), { code: 'HostToolFailed', hint: /apt-get install wireguard-tools/ });
    assert.deepEqual(
      (await overlay.observe()).routes.map(({ podCIDR }) => podCIDR),
      ['10.80.1.0/24'],
    );
    await overlay.cleanup();
  });

  test('a host with neither WireGuard nor wireguard-go is told what to do', async () => {
    const overlay = createKernelOverlay({
      ...{ exec: machine.exec, log: silentLogger, directory },
      startOutliving: (program) => machine.startOutliving({ ...program, argv: ['/nowhere/wireguard-go'] }),
      clock: { ...clockThatFlies },
    });
    const desired = { ...stateOf(), devices: { wireguard: { port: 51_820 } } };
    await assert.rejects(overlay.apply(desired), (error: { message: string; hint?: string }) => {
      assert.match(error.message, /wireguard-go/);
      assert.match(error.hint ?? '', /apt-get install wireguard-go|wireguard\.log/);
      return true;
    });
    await overlay.cleanup();
  });

  test('the key is made once, and only root reads it', async () => {
    const overlay = open();
    const desired = { ...stateOf(), devices: { wireguard: { port: 51_820 } } };
    const first = await overlay.apply(desired);
    await overlay.cleanup();
    const second = await open().apply(desired);
    assert.equal(second.wireguard?.publicKey, first.wireguard?.publicKey);
    assert.equal((await stat(join(directory, 'wireguard.key'))).mode & 0o777, 0o600);
    const key = (await readFile(join(directory, 'wireguard.key'), 'utf8')).trim();
    assert.equal((await machine.exec(['wg', 'pubkey'], { stdin: key })).stdout.trim(), first.wireguard?.publicKey);
    await overlay.cleanup();
  });

  test('pods of nobody are refused, not sent out in the clear by the default route', async () => {
    await inside('ip', 'route', 'add', 'default', 'via', '10.99.250.254');
    const overlay = open();
    await overlay.apply(stateOf(routePeer(1, '10.99.250.2')));
    const { code, stderr } = await machine.exec(['ip', 'route', 'get', '10.80.9.9'], { okCodes: [0, 2] });
    assert.deepEqual([code, /unreachable|No route/i.test(stderr)], [2, true], stderr);
    assert.match(await inside('ip', 'route', 'get', '10.80.1.9'), /via 10\.99\.250\.2/);
    await overlay.cleanup();
    await inside('ip', 'route', 'del', 'default');
  });

  test('foreign routes, rules and interfaces stay; ours are marked, and one is enough', async () => {
    await inside('ip', 'route', 'add', '10.80.5.0/24', 'via', '10.99.250.6');
    await machine.exec(['iptables', '-N', 'DOCKER-USER'], { okCodes: [0, 1] });
    await inside('iptables', '-A', 'DOCKER-USER', '-s', '192.0.2.0/24', '-j', 'RETURN');
    await inside('nft', 'add', 'table', 'ip', 'theirs');
    const overlay = open();
    const desired = stateOf(routePeer(1, '10.99.250.2'));
    await overlay.apply(desired);
    await overlay.apply(desired);
    const rules = await inside('iptables', '-S', 'DOCKER-USER');
    assert.equal(rules.match(/flotilla pod range/g)?.length, 1, rules);
    assert.match(await inside('ip', 'route', 'get', '10.80.1.7'), /via 10\.99\.250\.2 .*src 10\.80\.0\.1/);
    assert.match(await inside('nft', 'list', 'table', 'ip', 'flotilla_overlay'), /masquerade/);

    await overlay.apply({ ...desired, podRange: '10.80.0.0/13' });
    const moved = await inside('iptables', '-S', 'DOCKER-USER');
    assert.match(moved, /-s 10\.80\.0\.0\/13/);
    assert.equal(moved.match(/flotilla pod range/g)?.length, 1, moved);

    await assert.rejects(overlay.apply(stateOf(routePeer(5, '10.99.250.7'))), {
      code: 'HostToolFailed',
      message: /route add 10\.80\.5\.0\/24 .*File exists/s,
    });

    await overlay.cleanup();
    assert.match(await inside('ip', 'route'), /10\.80\.5\.0\/24 via 10\.99\.250\.6/);
    const left = await inside('iptables', '-S', 'DOCKER-USER');
    assert.match(left, /192\.0\.2\.0\/24/);
    assert.doesNotMatch(left, /flotilla/);
    const tables = await inside('nft', 'list', 'tables');
    assert.match(tables, /theirs/);
    assert.doesNotMatch(tables, /flotilla/);
  });

  test('an interface of somebody else that has our name is left alone', async () => {
    const overlay = open();
    for (const [device, devices] of [
      ['flvx', { vxlan: { port: 8472 } }],
      ['flwg', { wireguard: { port: 51_820 } }],
    ] as const) {
      await machine.ip(`link add ${device} type bridge`);
      await assert.rejects(overlay.apply({ ...stateOf(), devices }), { code: 'Conflict', message: new RegExp(device) });
      await overlay.apply(stateOf());
      await overlay.cleanup();
      assert.match(await inside('ip', '-d', 'link', 'show', device), /bridge/);
      await machine.ip(`link del ${device}`);
    }
  });
});

/** Waits do not wait: for what will not come. */
const clockThatFlies = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep: async () => {},
  after: () => () => {},
};
