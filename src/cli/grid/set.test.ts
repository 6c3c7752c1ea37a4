import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GridNetworkSpec } from '../../resources/grid-network.ts';
import { changedSpec } from './set.ts';
import { gridLines } from './show.ts';

describe('flotilla grid set', () => {
  it('changes what was said, and nothing else', () => {
    assert.deepEqual(changedSpec({ failoverAfter: '3s', trustedSubnet: [] }), { failover: { after: '3s' } });
    assert.deepEqual(changedSpec({ overlay: 'vxlan', loadBalancerPool: ['10.1.0.7', '10.1.0.9-10.1.0.12'] }), {
      network: { overlay: 'vxlan', loadBalancerPool: ['10.1.0.7', '10.1.0.9-10.1.0.12'] },
    });
  });

  it('changes how the world is let in, and takes away what is none', () => {
    assert.deepEqual(changedSpec({ baseDomain: 'none', ingressHttpPort: '8080', trustedProxy: ['10.0.0.7'] }), {
      ingress: { baseDomain: null, httpPort: 8080, trustedProxies: ['10.0.0.7'] },
    });
  });

  it('refuses nothing, and what no duration is', () => {
    assert.throws(() => changedSpec({}), { code: 'BadUsage', message: 'nothing to set' });
    assert.throws(() => changedSpec({ failoverAfter: '1s' }), { code: 'BadUsage', message: /--failover-after "1s"/ });
  });
});

describe('flotilla grid show', () => {
  it('has all that holds, defaults included', () => {
    const grid = { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Grid', metadata: { name: 'main' } };
    const network: GridNetworkSpec = { overlay: 'vxlan', loadBalancerPool: ['10.1.0.7'] };
    assert.deepEqual(
      gridLines({
        ...grid,
        spec: { failover: { after: '10s' }, network, ingress: { baseDomain: 'localhost', httpPort: 8080 } },
      }),
      [
        'grid             main',
        'failover after   10s',
        'pods             10.80.0.0/12, /24 a node',
        'services         10.96.0.0/16',
        'node ports       30000-32767',
        'overlay          vxlan, port 8472',
        'trusted subnets  none',
        'load balancers   10.1.0.7',
        'base domain      localhost',
        'ingress ports    8080, 443',
        'trusted proxies  none',
        'ACME             none',
      ],
    );
  });
});
