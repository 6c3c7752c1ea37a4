import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type GridNetworkSpec, gridNetworkOf } from './grid-network.ts';
import { type Grid, grids } from './kinds.ts';
import { validate, validateUpdate } from './validate.ts';

const gridWith = (network: GridNetworkSpec): Grid => ({
  apiVersion: 'flotilla.dev/v1alpha1',
  kind: 'Grid',
  metadata: { name: 'main' },
  spec: { network },
});

const sentences = (network: GridNetworkSpec) =>
  validate(grids, gridWith(network)).map((one) => `${one.field}: ${one.message}`);

describe('the network of a grid', () => {
  it('has defaults that do not overlap', () => {
    assert.deepEqual(sentences({}), []);
    assert.deepEqual(gridNetworkOf(undefined), {
      podRange: '10.80.0.0/12',
      nodePrefixLength: 24,
      serviceRange: '10.96.0.0/16',
      nodePortRange: '30000-32767',
      overlay: 'wireguard',
      overlayPort: 51_820,
      trustedSubnets: [],
      loadBalancerPool: [],
    });
    assert.equal(gridNetworkOf({ overlay: 'vxlan' }).overlayPort, 8_472);
  });

  const accepted: GridNetworkSpec[] = [
    { podRange: '10.0.0.0/8', nodePrefixLength: 20, serviceRange: '172.16.0.0/12' },
    { podRange: '192.168.4.0/22', nodePrefixLength: 26 },
    { nodePortRange: '8000-8000', overlay: 'host-gw', overlayPort: 4789, trustedSubnets: ['10.1.0.0/16'] },
    { loadBalancerPool: ['10.1.2.0/24', '10.1.3.5', '10.1.3.6-10.1.3.9'] },
  ];
  for (const network of accepted)
    it(`takes ${JSON.stringify(network)}`, () => assert.deepEqual(sentences(network), []));

  const refused: readonly (readonly [GridNetworkSpec, RegExp])[] = [
    [{ podRange: '10.80.0.0' }, /^spec.network.podRange: Invalid value: "10.80.0.0": must be an IPv4 network/],
    [{ podRange: '10.80.0.1/12' }, /^spec.network.podRange: .* with its first address/],
    [{ podRange: 'fd00::/48' }, /^spec.network.podRange: .*IPv4/],
    [{ podRange: '12.0.0.0/6' }, /^spec.network.podRange: .*may be \/8 at the most/],
    [{ nodePrefixLength: 11 }, /^spec.network.nodePrefixLength: .*between 12, that of the pod range, and 28/],
    [{ nodePrefixLength: 29 }, /^spec.network.nodePrefixLength/],
    [{ serviceRange: '10.96.0.0/29' }, /^spec.network.serviceRange: .*between \/12 and \/28/],
    [{ serviceRange: '10.90.0.0/16' }, /^spec.network.serviceRange: .* overlaps the pod range 10.80.0.0\/12$/],
    [{ nodePortRange: '32767-30000' }, /^spec.network.nodePortRange: .*such as 30000-32767/],
    [{ nodePortRange: '0-70000' }, /^spec.network.nodePortRange/],
    [{ overlay: 'ipsec' as never }, /^spec.network.overlay: Unsupported value: "ipsec": supported values: "wireguard"/],
    [{ overlayPort: 70_000 }, /^spec.network.overlayPort/],
    [{ trustedSubnets: ['10.0.0.0/8', 'x'] }, /^spec.network.trustedSubnets\[1\]: Invalid value: "x"/],
    [{ loadBalancerPool: ['10.1.0.9-10.1.0.1'] }, /^spec.network.loadBalancerPool\[0\]/],
    [{ loadBalancerPool: ['10.1.0.0/24', '10.1.0.7'] }, /loadBalancerPool\[1\]: .* overlaps 10.1.0.0\/24$/],
    [{ loadBalancerPool: ['10.96.0.0/24'] }, /loadBalancerPool\[0\]: .* overlaps the service range 10.96.0.0\/16$/],
    [{ loadBalancerPool: ['11.0.0.0/8'] }, /loadBalancerPool\[0\]: .* more than 65536 addresses$/],
  ];
  for (const [network, message] of refused) {
    it(`refuses ${JSON.stringify(network)}`, () => {
      const found = sentences(network);
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', message);
    });
  }
});

describe('a change of the network of a grid', () => {
  const refusals = (next: GridNetworkSpec, old: GridNetworkSpec) =>
    validateUpdate(grids, gridWith(next), gridWith(old)).map((one) => `${one.field}: ${one.message}`);
  const set: GridNetworkSpec = {
    podRange: '10.80.0.0/12',
    nodePrefixLength: 24,
    serviceRange: '10.96.0.0/16',
    nodePortRange: '30000-32767',
  };

  it('may set what was not set, and change what nothing depends on for ever', () => {
    assert.deepEqual(refusals(set, {}), []);
    const next: GridNetworkSpec = { ...set, overlay: 'vxlan', trustedSubnets: ['10.0.0.0/8'], loadBalancerPool: [] };
    assert.deepEqual(refusals(next, set), []);
  });

  const changes: GridNetworkSpec[] = [
    { podRange: '10.0.0.0/12' },
    { nodePrefixLength: 25 },
    { serviceRange: '10.97.0.0/16' },
    { nodePortRange: '30000-30001' },
  ];
  for (const change of changes) {
    const [field] = Object.keys(change);
    it(`never changes or forgets ${field}`, () => {
      assert.match(
        refusals({ ...set, ...change }, set).join(),
        new RegExp(`^spec.network.${field}: .*: field is immutable$`),
      );
      assert.match(refusals({ ...set, [field ?? '']: undefined }, set).join(), /field is immutable$/);
    });
  }
});
