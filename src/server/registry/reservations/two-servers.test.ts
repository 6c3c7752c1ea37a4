// Two servers on one store, and whatever is asked of them at once.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '../../../resources/api-error.ts';
import { type Grid, grids, type Service, services } from '../../../resources/kinds.ts';
import type { ApiObject } from '../../../resources/object.ts';
import { nodePortsOf, virtualAddresses } from '../../../resources/service-facts.ts';
import { createMemoryStore } from '../../../store/memory.ts';
import { startTestApi } from '../../test-api.ts';

const main = { grid: 'main' };
/** So small that everything meets everything. */
const network = { serviceRange: '10.9.0.0/28', nodePortRange: '30000-30003' };

const anySpec = fc.oneof(
  fc.constant({ ports: [{ port: 80 }] }),
  fc.integer({ min: 2, max: 4 }).map((octet) => ({ clusterIP: `10.9.0.${octet}`, ports: [{ port: 80 }] })),
  fc.constant({ clusterIP: 'None', ports: [{ port: 80 }] }),
  fc.constant({ type: 'NodePort', ports: [{ port: 80 }] }),
  fc.integer({ min: 30_000, max: 30_003 }).map((nodePort) => ({
    type: 'NodePort',
    ports: [
      { name: 'a', port: 80, nodePort },
      { name: 'b', port: 81 },
    ],
  })),
  fc.constant({ type: 'ExternalName', externalName: 'a.example' }),
);

const anyRequest = fc.record({
  verb: fc.constantFrom('create', 'create', 'update', 'delete', 'dryRun'),
  server: fc.constantFrom(0, 1),
  name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  spec: anySpec,
});

it('what is reserved is what Service objects have, and nobody has what another one has', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(anyRequest, { maxLength: 6 }), { maxLength: 6 }), async (rounds) => {
      const store = createMemoryStore();
      const servers = [await startTestApi({ store }), await startTestApi({ store })] as const;
      const grid: Grid = {
        apiVersion: 'flotilla.dev/v1alpha1',
        kind: 'Grid',
        metadata: { name: 'main' },
        spec: { network },
      };
      await servers[0].registry.create({ grid: 'system' }, grids, grid);
      const ask = async ({ verb, server, name, spec }: (typeof rounds)[number][number]) => {
        const { registry } = servers[server as 0 | 1];
        const ref = { namespace: 'default', name };
        const object = { apiVersion: 'v1', kind: 'Service', metadata: { ...ref }, spec: structuredClone(spec) };
        if (verb === 'delete') await registry.delete(main, services, ref);
        else if (verb === 'update') await registry.update(main, services, ref, object as ApiObject);
        else await registry.create({ ...main, isDryRun: verb === 'dryRun' }, services, object as ApiObject);
      };
      for (const round of rounds) {
        // What is refused is refused by the API, not by a bug.
        const settled = await Promise.allSettled(round.map(ask));
        for (const one of settled)
          if (one.status === 'rejected') assert.ok(one.reason instanceof ApiError, String(one.reason));
      }
      const { cache } = servers[1];
      await cache.fresh();
      const found = (cache.list('main', services, {}) ?? []).map(({ object }) => object as Service);
      const had = found.flatMap((one) => [
        ...virtualAddresses(one).map((address) => `/a/main/service-ip/${address}`),
        ...nodePortsOf(one).map((port) => `/a/main/node-port/${port}`),
      ]);
      assert.equal(new Set(had).size, had.length);
      const reserved = (await store.list('/a/')).entries.map((entry) => entry.key);
      assert.deepEqual(reserved.sort(), had.sort());
      for (const one of servers) await one.cache.stop();
      await store.close();
    }),
    { numRuns: 60 },
  );
});
