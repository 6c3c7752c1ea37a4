// Long lists as real clients page through them while others write.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { configMaps } from '../../src/resources/kinds.ts';
import { type ListeningApi, startListeningApi } from './api-server.ts';
import { createKubectl, type Kubectl } from './kubectl.ts';

const objects = 120;
/** More than the cache remembers here, fewer than the store does. */
const writes = 300;
const path = '/api/v1/namespaces/default/configmaps?limit=50';

for (const version of ['28', '35'] as const) {
  describe(`kubectl 1.${version}`, () => {
    let server: ListeningApi;
    let kubectl: Kubectl;

    before(async () => {
      server = await startListeningApi({ history: { minEvents: 1, maxEvents: 1, maxAgeMs: 0 } });
      kubectl = await createKubectl(version, [`--server=${server.url}`]);
      await make('c', objects);
    });
    after(async () => {
      await kubectl.remove();
      await server.stop();
    });

    async function make(prefix: string, count: number): Promise<void> {
      for (let index = 0; index < count; index += 1) {
        const metadata = { name: `${prefix}${String(index).padStart(3, '0')}`, namespace: 'default' };
        await server.api.registry.create({ grid: 'main' }, configMaps, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata,
        });
      }
    }

    async function page(query = '') {
      const list: {
        metadata: { continue?: string; resourceVersion: string };
        items: { metadata: { name: string } }[];
      } = JSON.parse(await kubectl.ok(['get', '--raw', `${path}${query}`]));
      return { ...list.metadata, names: list.items.map((one) => one.metadata.name) };
    }

    test('a list in chunks is whole', async () => {
      const names = (await kubectl.ok(['get', 'cm', '--chunk-size=17', '-o', 'name'])).trim().split('\n');
      assert.equal(new Set(names).size, objects);
    });

    test('all pages show the first one’s state while others write', async () => {
      const first = await page();
      const names = [...first.names];
      for (let token = first.continue, round = 0; token; round += 1) {
        await make(`b${round}`, writes);
        const next = await page(`&continue=${token}`);
        assert.equal(next.resourceVersion, first.resourceVersion);
        names.push(...next.names);
        token = next.continue;
      }
      assert.equal(names.length, objects);
      assert.ok(
        names.every((name) => name.startsWith('c')),
        'what came meanwhile is not in it',
      );
    });

    test('a forgotten state is told, with the way to go on', async () => {
      const first = await page();
      await make('e', writes);
      await server.api.store.compact(await server.api.store.head());
      const expired = await kubectl.run(['get', '--raw', `${path}&continue=${first.continue}`]);
      assert.match(
        expired.stderr,
        /Expired|The provided continue parameter is too old to display a consistent list result/,
      );
    });
  });
}
