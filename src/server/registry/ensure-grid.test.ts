import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../lib/log.ts';
import type { GridNetworkSpec } from '../../resources/grid-network.ts';
import { type Grid, grids } from '../../resources/kinds.ts';
import { startTestApi, type TestApi } from '../test-api.ts';
import { ensureGrid, type GridChoices } from './ensure-grid.ts';

const system = { grid: 'system' };

function gridTest(
  name: string,
  run: (api: TestApi, start: (network: GridNetworkSpec) => Promise<Grid>) => Promise<void>,
) {
  test(name, async () => {
    const api = await startTestApi();
    try {
      await run(api, async (network) => {
        await ensureGrid(api.registry, 'main', choices(network));
        return (await api.registry.get(system, grids, { name: 'main' })).object as Grid;
      });
    } finally {
      await api.stop();
    }
  });
}

function choices(network: GridNetworkSpec, more: Partial<GridChoices> = {}): GridChoices {
  return { failoverAfterMs: 10_000, network, ingress: {}, hostRoutes: async () => [], log: silentLogger, ...more };
}

gridTest('the first server writes the network of a grid, defaults and all', async (_api, start) => {
  const grid = await start({ podRange: '10.0.0.0/12', trustedSubnets: ['192.0.2.0/24'] });
  assert.deepEqual(grid.spec, {
    failover: { after: '10s' },
    network: {
      podRange: '10.0.0.0/12',
      nodePrefixLength: 24,
      serviceRange: '10.96.0.0/16',
      nodePortRange: '30000-32767',
      overlay: 'wireguard',
      trustedSubnets: ['192.0.2.0/24'],
    },
  });
});

gridTest(
  'how the world is let in is written once, also into a grid that was made before, and then people change it',
  async (api, start) => {
    await start({});
    const told = (ingress: GridChoices['ingress']) => ensureGrid(api.registry, 'main', choices({}, { ingress }));
    const held = async () => ((await api.registry.get(system, grids, { name: 'main' })).object as Grid).spec?.ingress;
    assert.equal(await held(), undefined);
    await told({ baseDomain: 'localhost', httpPort: 8080 });
    assert.deepEqual(await held(), { baseDomain: 'localhost', httpPort: 8080 });
    await told({ baseDomain: 'example.org' });
    assert.deepEqual(await held(), { baseDomain: 'localhost', httpPort: 8080 });
  },
);

gridTest('a later server with nothing to say, or the same, changes nothing', async (_api, start) => {
  const first = await start({ podRange: '10.0.0.0/12' });
  assert.deepEqual(await start({}), first);
  assert.deepEqual(await start({ podRange: '10.0.0.0/12' }), first);
});

gridTest('a later server that was told another range does not start', async (_api, start) => {
  await start({ podRange: '10.0.0.0/12' });
  await assert.rejects(start({ podRange: '10.16.0.0/12' }), {
    code: 'BadUsage',
    message: '--pod-range 10.16.0.0/12: grid "main" was made with 10.0.0.0/12, for ever',
  });
});

gridTest('a later server that was told what may change says both, and starts', async (api, start) => {
  await start({});
  const warnings: unknown[] = [];
  const log = { ...silentLogger, warn: (_message: string, fields?: object) => void warnings.push(fields) };
  await ensureGrid(api.registry, 'main', choices({ overlay: 'vxlan', trustedSubnets: ['10.0.0.0/8'] }, { log }));
  assert.deepEqual(warnings, [
    { grid: 'main', option: '--overlay', said: 'vxlan', holds: 'wireguard' },
    { grid: 'main', option: '--trusted-subnet', said: '10.0.0.0/8', holds: 'none' },
  ]);
});

gridTest('a grid of an earlier version gets its network, though its host has routes to it', async (api, start) => {
  const old: Grid = { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Grid', metadata: { name: 'main' }, spec: {} };
  await api.registry.create(system, grids, old);
  assert.equal((await start({ podRange: '10.32.0.0/12' })).spec?.network?.podRange, '10.32.0.0/12');
});

gridTest('the grid of a cluster is not deleted', async (api, start) => {
  await start({});
  await assert.rejects(api.registry.delete(system, grids, { name: 'main' }), /this grid may not be deleted/);
});
