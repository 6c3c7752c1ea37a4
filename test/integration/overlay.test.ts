import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { overlayContract } from '../../src/adapters/overlay/contract.ts';
import { createHostGateway } from '../../src/adapters/overlay/host-gw.ts';
import { type Exec, exec } from '../../src/lib/exec.ts';
import { silentLogger } from '../../src/lib/log.ts';

const namespaceName = `fl-overlay-${process.pid}`;
/** Runs a command inside the test's own network namespace. */
const inside: Exec = (argv, options) => exec(['nsenter', `--net=/var/run/netns/${namespaceName}`, ...argv], options);

describe('host-gw on the kernel', () => {
  before(async () => {
    await exec(['ip', 'netns', 'add', namespaceName]);
    const lines = [
      'link set lo up',
      'link add sw type bridge',
      'addr add 10.99.250.1/24 dev sw',
      'link set sw up',
      'link add fl0 type bridge',
      'addr add 10.80.0.1/24 dev fl0',
      'link set fl0 up',
    ];
    await inside(['ip', '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
  });
  after(() => exec(['ip', 'netns', 'del', namespaceName]));

  overlayContract('host-gw', async () => createHostGateway({ exec: inside, log: silentLogger }));

  test('a peer on another network fails the call by its words, and the others are routed', async () => {
    const overlay = createHostGateway({ exec: inside, log: silentLogger });
    const peer = (index: number, nodeAddress: string) => ({
      nodeName: `h${index}`,
      podCIDR: `10.80.${index}.0/24`,
      nodeAddress,
    });
    const desired = {
      podRange: '10.80.0.0/12',
      self: { podCIDR: '10.80.0.0/24', gateway: '10.80.0.1', bridgeName: 'fl0' },
      peers: [peer(1, '203.0.113.9'), peer(2, '10.99.250.3')],
    };
    await assert.rejects(overlay.apply(desired), { code: 'HostToolFailed', message: /invalid gateway|unreachable/i });
    assert.deepEqual(
      (await overlay.observe()).routes.map((route) => route.podCIDR),
      ['10.80.2.0/24'],
    );
    await overlay.cleanup();
  });

  test('a host without a tool is told which', async () => {
    const without: Exec = (argv, options) =>
      inside(argv[0] === 'nft' ? ['/nowhere/nft', ...argv.slice(1)] : argv, options);
    const overlay = createHostGateway({ exec: without, log: silentLogger });
    const self = { podCIDR: '10.80.0.0/24', gateway: '10.80.0.1', bridgeName: 'fl0' };
    await assert.rejects(overlay.apply({ podRange: '10.80.0.0/12', self, peers: [] }), {
      code: 'HostToolFailed',
      message: /nft/,
    });
    await createHostGateway({ exec: inside, log: silentLogger }).cleanup();
  });

  test('foreign routes and rules stay; ours are marked, and one is enough', async () => {
    await inside(['ip', 'route', 'add', '10.80.5.0/24', 'via', '10.99.250.6']);
    await inside(['iptables', '-N', 'DOCKER-USER'], { okCodes: [0, 1] });
    await inside(['iptables', '-A', 'DOCKER-USER', '-s', '192.0.2.0/24', '-j', 'RETURN']);
    const overlay = createHostGateway({ exec: inside, log: silentLogger });
    const desired = {
      podRange: '10.80.0.0/12',
      self: { podCIDR: '10.80.0.0/24', gateway: '10.80.0.1', bridgeName: 'fl0' },
      peers: [{ nodeName: 'h2', podCIDR: '10.80.1.0/24', nodeAddress: '10.99.250.2' }],
    };
    await overlay.apply(desired);
    await overlay.apply(desired);
    const rules = (await inside(['iptables', '-S', 'DOCKER-USER'])).stdout;
    assert.equal(rules.match(/flotilla pod range/g)?.length, 1, rules);
    assert.match((await inside(['ip', 'route', 'get', '10.80.1.7'])).stdout, /via 10\.99\.250\.2 .*src 10\.80\.0\.1/);
    assert.match((await inside(['nft', 'list', 'table', 'ip', 'flotilla_overlay'])).stdout, /masquerade/);

    await overlay.apply({ ...desired, podRange: '10.80.0.0/13' });
    const moved = (await inside(['iptables', '-S', 'DOCKER-USER'])).stdout;
    assert.match(moved, /-s 10\.80\.0\.0\/13/);
    assert.equal(moved.match(/flotilla pod range/g)?.length, 1, moved);

    await overlay.cleanup();
    assert.match((await inside(['ip', 'route'])).stdout, /10\.80\.5\.0\/24 via 10\.99\.250\.6/);
    const left = (await inside(['iptables', '-S', 'DOCKER-USER'])).stdout;
    assert.match(left, /192\.0\.2\.0\/24/);
    assert.doesNotMatch(left, /flotilla/);
    assert.doesNotMatch((await inside(['nft', 'list', 'tables'])).stdout, /flotilla/);
  });
});
