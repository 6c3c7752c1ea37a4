import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { type Node, nodes } from '../../resources/kinds.ts';
import { createInProcessClient } from '../in-process-client.ts';
import { startTestApi } from '../test-api.ts';
import { startNodeRevocation } from './node-revocation.ts';

test('the key of a node goes with its object, at the second try if need be, and so do its connections', async () => {
  const { registry, cache, stop } = await startTestApi();
  const clientFor = (grid: string) => createInProcessClient({ registry, cache, grid });
  const revoked: string[] = [];
  const { promise, resolve } = Promise.withResolvers<string>();
  const revocation = startNodeRevocation({
    grids: ['main'],
    clientFor,
    nodeKeys: {
      revoke: async (grid, name, createdAtMs) => {
        revoked.push(`${grid}/${name} ${Math.abs(Date.now() - createdAtMs) < 60_000}`);
        if (revoked.length === 1) throw new Error('the store is away');
        return true;
      },
    },
    drop: (grid, name) => resolve(`${grid}/${name}`),
    clock: systemClock,
    log: silentLogger,
  });
  const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'h1' }, spec: {} };
  const client = clientFor('main');
  await client.create(nodes, node);
  await client.create(nodes, { ...node, metadata: { name: 'h2' } });
  await client.delete(nodes, { name: 'h1' });
  assert.equal(await promise, 'main/h1');
  assert.deepEqual(revoked, ['main/h1 true', 'main/h1 true']);
  await revocation.stop();
  await stop();
});
