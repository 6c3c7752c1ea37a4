import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Kind } from '../../../resources/kind.ts';
import { clusterRoles } from '../../../resources/kinds.ts';
import { createInProcessClient } from '../../in-process-client.ts';
import { startTestApi, type TestApi } from '../../test-api.ts';
import { defaultClusterRoleBindings, defaultClusterRoles } from './default-roles.ts';
import { ensureDefaultRoles, repairedBinding, repairedRole } from './ensure-default-roles.ts';
import { createRoleSource } from './role-source.ts';

let api: TestApi;
before(async () => {
  // So little history that an index which is not asked for a while falls out of it.
  api = await startTestApi({ history: { minEvents: 1, maxEvents: 80, maxAgeMs: 0 } });
});
after(() => api.stop());

const write = (name: string, verbs: string[]) =>
  api.registry.create(
    { grid: 'main' },
    clusterRoles as Kind,
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name },
      rules: [{ verbs, apiGroups: [''], resources: ['pods'] }],
    } as never,
  );

test('the index is as new as the cache, whatever happened since it was asked last', async () => {
  const source = createRoleSource(api.cache);
  const verbsOf = (grid: string, name: string) => source.of(grid).rulesOfRole('', name)?.[0]?.verbs;
  assert.equal(verbsOf('main', 'first'), undefined);
  await write('first', ['get']);
  await api.cache.fresh();
  assert.deepEqual(verbsOf('main', 'first'), ['get']);
  assert.equal(verbsOf('system', 'first'), undefined, 'a role of one grid is none in another');
  for (let count = 0; count < 200; count++) await write(`many-${count}`, ['list']);
  await api.registry.delete({ grid: 'main' }, clusterRoles as Kind, { name: 'first' });
  await api.cache.fresh();
  assert.equal(verbsOf('main', 'first'), undefined);
  assert.deepEqual(verbsOf('main', 'many-199'), ['list']);
  source.stop();
});

test('default roles are made once, given back what was taken from them, and left what was added', async () => {
  const client = createInProcessClient({ registry: api.registry, cache: api.cache, grid: 'main' });
  await ensureDefaultRoles(client);
  const versionOf = async () => (await client.get(clusterRoles, { name: 'cluster-admin' })).metadata.resourceVersion;
  const version = await versionOf();
  await ensureDefaultRoles(client);
  assert.equal(await versionOf(), version, 'nothing is written when nothing is missing');
  const basic = await client.get(clusterRoles, { name: 'system:basic-user' });
  const added = { verbs: ['list'], apiGroups: [''], resources: ['nodes'] };
  await client.update(clusterRoles, { ...basic, rules: [added] });
  await ensureDefaultRoles(client);
  const { rules = [] } = await client.get(clusterRoles, { name: 'system:basic-user' });
  assert.deepEqual(rules, [added, ...(basic.rules ?? [])]);
  const own = {
    ...basic,
    metadata: { ...basic.metadata, annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } },
  };
  const { resourceVersion: _, ...metadata } = own.metadata;
  await client.update(clusterRoles, { ...own, metadata, rules: [added] });
  await ensureDefaultRoles(client);
  assert.deepEqual((await client.get(clusterRoles, { name: 'system:basic-user' })).rules, [added]);
});

test('a default role or binding as it should be needs no repair; a lost group comes back', () => {
  for (const role of defaultClusterRoles) assert.equal(repairedRole(role, role), undefined, role.metadata.name);
  for (const one of defaultClusterRoleBindings) {
    assert.equal(repairedBinding(one, one), undefined);
    const { subjects: _, ...emptied } = one;
    assert.deepEqual(repairedBinding(one, emptied)?.subjects, one.subjects);
  }
});
