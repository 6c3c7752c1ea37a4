import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { networkArgs, networkFlags, readNetworkFlags } from './grid-network-flags.ts';

describe('options that choose the network of a grid', () => {
  it('have the names of the documentation', () => {
    assert.deepEqual(
      networkFlags.map((one) => one.usage.split(' ')[0]),
      [
        ...['--pod-range', '--node-prefix', '--service-range', '--node-port-range'],
        ...['--overlay', '--trusted-subnet', '--load-balancer-pool'],
      ],
    );
  });

  it('say only what was said, and are said again by a service', () => {
    assert.deepEqual(readNetworkFlags({ data: '/x', trustedSubnet: [] }), {});
    const spec = readNetworkFlags({
      podRange: '10.0.0.0/12',
      nodePrefix: '/25',
      overlay: 'vxlan',
      trustedSubnet: ['10.64.0.0/16', '10.65.0.0/16'],
    });
    assert.deepEqual(spec, {
      podRange: '10.0.0.0/12',
      nodePrefixLength: 25,
      overlay: 'vxlan',
      trustedSubnets: ['10.64.0.0/16', '10.65.0.0/16'],
    });
    assert.deepEqual(readNetworkFlags({ loadBalancerPool: ['none'] }), { loadBalancerPool: [] });
    assert.deepEqual(networkArgs(spec), [
      ...['--pod-range', '10.0.0.0/12', '--node-prefix', '25', '--overlay', 'vxlan'],
      ...['--trusted-subnet', '10.64.0.0/16', '--trusted-subnet', '10.65.0.0/16'],
    ]);
  });

  const refused: readonly (readonly [object, RegExp])[] = [
    [{ podRange: '10.80.0.1/12' }, /^--pod-range: Invalid value: "10.80.0.1\/12"/],
    [{ podRange: '10.96.0.0/12' }, /^--service-range: .* overlaps the pod range 10.96.0.0\/12$/],
    [{ nodePrefix: 'big' }, /^--node-prefix "big"/],
    [{ overlay: 'ipsec' }, /^--overlay: Unsupported value: "ipsec"/],
    [{ trustedSubnet: ['x'] }, /^--trusted-subnet: /],
    [{ loadBalancerPool: ['10.1.0.0/33'] }, /^--load-balancer-pool: /],
  ];
  for (const [flags, message] of refused) {
    it(`refuse ${JSON.stringify(flags)}`, () => {
      assert.throws(() => readNetworkFlags(flags as never), { code: 'BadUsage', message });
    });
  }
});
