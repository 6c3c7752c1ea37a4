import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../lib/clock.ts';
import { ApiError } from '../../resources/api-error.ts';
import {
  type ConfigMap,
  configMaps,
  type Deployment,
  deployments,
  events,
  type Namespace,
  namespaces,
  type Pod,
  pods,
  type Token,
  tokens,
} from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import { createMemoryStore } from '../../store/memory.ts';
import { startTestApi, type TestApi, type TestApiOptions } from '../test-api.ts';

const main = { grid: 'main' };
const ref = (name: string) => ({ namespace: 'default', name });

function configMap(name: string, data: Record<string, string> = {}): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data };
}

function pod(name: string, spec: Partial<Pod['spec']> = {}): Pod {
  const containers = [{ name: 'c', image: 'i' }];
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec: { containers, ...spec } };
}

function deployment(name: string): Deployment {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  };
}

/** A test with an API of its own. */
function apiTest(name: string, run: (api: TestApi) => Promise<void>, options: TestApiOptions = {}): void {
  test(name, async () => {
    const api = await startTestApi(options);
    try {
      await run(api);
    } finally {
      await api.stop();
    }
  });
}

function fails(promise: Promise<unknown>, code: number, message?: RegExp): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(error.status.code, code, error.message);
    if (message) assert.match(error.message, message);
    return true;
  });
}

apiTest('what the server decides about a new object is not the client’s', async ({ registry }) => {
  const sent = configMap('c');
  Object.assign(sent.metadata, { uid: 'mine', generation: 9, deletionTimestamp: '2020-01-01T00:00:00Z' });
  const { metadata } = await registry.create(main, configMaps, sent);
  assert.match(metadata.uid ?? '', /^[0-9a-f-]{36}$/);
  assert.match(metadata.creationTimestamp ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(metadata.deletionTimestamp, undefined);
  assert.equal(metadata.generation, undefined);
  const made = await registry.create(main, deployments, deployment('d'));
  assert.equal(made.metadata.generation, 1);
  const withVersion = configMap('e');
  Object.assign(withVersion.metadata, { resourceVersion: '1' });
  await fails(registry.create(main, configMaps, withVersion), 400, /resourceVersion/);
});

apiTest('a name is taken once; a generated one is found', async ({ registry }) => {
  await registry.create(main, configMaps, configMap('c'));
  await fails(registry.create(main, configMaps, configMap('c')), 409, /configmaps "c" already exists/);
  const generated = configMap('');
  generated.metadata.generateName = 'c-';
  const { metadata } = await registry.create(main, configMaps, generated);
  assert.match(metadata.name, /^c-[a-z0-9]{5}$/);
  await fails(registry.create(main, configMaps, configMap('')), 422, /name or generateName is required/);
  await fails(registry.create(main, configMaps, configMap('Not/legal')), 422, /metadata.name/);
});

apiTest('objects live in namespaces that exist and are not ending', async ({ registry }) => {
  const elsewhere = configMap('c');
  elsewhere.metadata.namespace = 'nowhere';
  await fails(registry.create(main, configMaps, elsewhere), 404, /namespaces "nowhere" not found/);
  await fails(registry.create({ grid: 'other' }, configMaps, configMap('c')), 404);
  await fails(registry.delete(main, namespaces, { name: 'default' }), 403, /may not be deleted/);
  await registry.create(main, namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'nowhere' } });
  await registry.delete(main, namespaces, { name: 'nowhere' });
  await fails(registry.create(main, configMaps, elsewhere), 403, /because it is being terminated/);
});

apiTest('a namespace ends when it was emptied and its finalizer taken away', async ({ registry, cache }) => {
  const made = (await registry.create(main, namespaces, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop' },
  })) as Namespace;
  assert.equal(made.status?.phase, 'Active');
  assert.deepEqual(made.spec?.finalizers, ['kubernetes']);
  assert.equal(made.metadata.labels?.['kubernetes.io/metadata.name'], 'shop');
  const { isGone, object } = await registry.delete(main, namespaces, { name: 'shop' });
  assert.equal(isGone, false);
  assert.equal((object as Namespace).status?.phase, 'Terminating');
  await registry.update(main, namespaces, { name: 'shop' }, { ...structuredClone(object), spec: {} } as ApiObject);
  await cache.fresh();
  assert.ok(cache.get('main', namespaces, undefined, 'shop'), 'an update of the object itself does not finalize');
  const patch = {
    type: 'merge',
    body: { spec: { finalizers: null } },
    strictness: 'Strict',
    part: 'finalize',
  } as const;
  await registry.patch(main, namespaces, { name: 'shop' }, patch);
  await fails(registry.get(main, namespaces, { name: 'shop' }), 404);
});

apiTest('a write from an old version is refused, one without a version is not', async ({ registry }) => {
  const first = await registry.create(main, configMaps, configMap('c', { a: '1' }));
  const second = await registry.update(main, configMaps, ref('c'), configMap('c', { a: '2' }));
  const stale = { ...configMap('c', { a: '3' }), metadata: { ...first.metadata } };
  await fails(registry.update(main, configMaps, ref('c'), stale), 409, /the object has been modified/);
  const fresh = { ...configMap('c', { a: '3' }), metadata: { ...second.metadata } };
  const third = (await registry.update(main, configMaps, ref('c'), fresh)) as ConfigMap;
  assert.deepEqual(third.data, { a: '3' });
  const other = { ...configMap('c'), metadata: { ...configMap('c').metadata, uid: 'another' } };
  await fails(registry.update(main, configMaps, ref('c'), other), 409, /UID/);
  await fails(registry.update(main, configMaps, ref('d'), configMap('d')), 404);
  await fails(registry.update(main, configMaps, ref('c'), configMap('d')), 400, /does not match the name on the URL/);
});

apiTest('a write that changes nothing leaves no trace', async ({ registry, store }) => {
  const first = await registry.create(main, deployments, deployment('d'));
  const head = await store.head();
  const again = await registry.update(main, deployments, ref('d'), deployment('d'));
  assert.equal(again.metadata.resourceVersion, first.metadata.resourceVersion);
  const patch = { type: 'merge', body: { spec: { replicas: 1 } }, strictness: 'Strict' } as const;
  await registry.patch(main, deployments, ref('d'), patch);
  assert.equal(await store.head(), head);
});

apiTest('spec and status have a writer each; only the spec raises the generation', async ({ registry }) => {
  await registry.create(main, deployments, deployment('d'));
  const status = { replicas: 7 };
  const wanted = { ...deployment('d'), status };
  wanted.spec.replicas = 5;
  const byStatus = (await registry.update(
    main,
    deployments,
    ref('d'),
    structuredClone(wanted),
    'status',
  )) as Deployment;
  assert.equal(byStatus.spec.replicas, 1);
  assert.deepEqual(byStatus.status, status);
  assert.equal(byStatus.metadata.generation, 1);
  wanted.status = { replicas: 99 };
  const bySpec = (await registry.update(main, deployments, ref('d'), structuredClone(wanted))) as Deployment;
  assert.equal(bySpec.spec.replicas, 5);
  assert.deepEqual(bySpec.status, status);
  assert.equal(bySpec.metadata.generation, 2);
  const label = { type: 'merge', body: { metadata: { labels: { a: 'b' } } }, strictness: 'Strict' } as const;
  assert.equal((await registry.patch(main, deployments, ref('d'), label)).metadata.generation, 2);
});

apiTest('concurrent patches are all kept', async ({ registry }) => {
  await registry.create(main, configMaps, configMap('c'));
  const patches = Array.from({ length: 8 }, (_, n) =>
    registry.patch(main, configMaps, ref('c'), {
      type: 'merge',
      body: { data: { [`k${n}`]: 'v' } },
      strictness: 'Strict',
    }),
  );
  await Promise.all(patches);
  const { object } = await registry.get(main, configMaps, ref('c'));
  assert.equal(Object.keys((object as ConfigMap).data ?? {}).length, 8);
});

apiTest('a patch that names a version is refused when it is old', async ({ registry }) => {
  const { metadata } = await registry.create(main, configMaps, configMap('c'));
  const patch = (value: string) => ({
    type: 'merge' as const,
    body: { metadata: { resourceVersion: metadata.resourceVersion }, data: { a: value } },
    strictness: 'Strict' as const,
  });
  await registry.patch(main, configMaps, ref('c'), patch('1'));
  await fails(registry.patch(main, configMaps, ref('c'), patch('2')), 409);
});

apiTest('finalizers hold an object until the last has gone', async ({ registry, cache }) => {
  const held = configMap('c');
  held.metadata.finalizers = ['example.com/a', 'example.com/b'];
  await registry.create(main, configMaps, held);
  const { isGone, object } = await registry.delete(main, configMaps, ref('c'));
  assert.equal(isGone, false);
  assert.equal(object.metadata.deletionGracePeriodSeconds, 0);
  const again = await registry.delete(main, configMaps, ref('c'));
  assert.equal(again.object.metadata.resourceVersion, object.metadata.resourceVersion);
  const finalizers = (list: readonly string[]) => ({
    type: 'merge' as const,
    body: { metadata: { finalizers: list } },
    strictness: 'Strict' as const,
  });
  await fails(registry.patch(main, configMaps, ref('c'), finalizers(['example.com/a', 'example.com/new'])), 422);
  await registry.patch(main, configMaps, ref('c'), finalizers(['example.com/b']));
  await registry.patch(main, configMaps, ref('c'), finalizers([]));
  await cache.fresh();
  assert.equal(cache.get('main', configMaps, 'default', 'c'), undefined);
});

apiTest('foreground and orphan leave the garbage collector its finalizer', async ({ registry }) => {
  for (const [policy, finalizer] of [
    ['Foreground', 'foregroundDeletion'],
    ['Orphan', 'orphan'],
  ] as const) {
    await registry.create(main, configMaps, configMap(finalizer.toLowerCase()));
    const gone = await registry.delete(main, configMaps, ref(finalizer.toLowerCase()), { propagationPolicy: policy });
    assert.deepEqual(gone.object.metadata.finalizers, [finalizer]);
  }
  const last = await registry.delete(main, configMaps, ref('orphan'), { propagationPolicy: 'Background' });
  assert.equal(last.isGone, true);
});

apiTest('preconditions of a deletion', async ({ registry }) => {
  const { metadata } = await registry.create(main, configMaps, configMap('c'));
  await fails(registry.delete(main, configMaps, ref('c'), { preconditions: { uid: 'x' } }), 409);
  await fails(registry.delete(main, configMaps, ref('c'), { preconditions: { resourceVersion: '1' } }), 409);
  const { uid = '' } = metadata;
  assert.equal((await registry.delete(main, configMaps, ref('c'), { preconditions: { uid } })).isGone, true);
  await fails(registry.delete(main, configMaps, ref('c')), 404);
});

const clock = new ManualClock(Date.UTC(2026, 0, 1));
apiTest(
  'a pod on a node is given time, a second deletion only shortens it',
  async ({ registry }) => {
    await registry.create(main, pods, pod('free'));
    assert.equal((await registry.delete(main, pods, ref('free'))).isGone, true);
    await registry.create(main, pods, pod('placed', { terminationGracePeriodSeconds: 20 }));
    await registry.bind(main, ref('placed'), { target: { kind: 'Node', name: 'h1' } });
    const first = await registry.delete(main, pods, ref('placed'));
    assert.equal(first.object.metadata.deletionTimestamp, '2026-01-01T00:00:20Z');
    assert.equal(first.object.metadata.deletionGracePeriodSeconds, 20);
    const longer = await registry.delete(main, pods, ref('placed'), { gracePeriodSeconds: 60 });
    assert.equal(longer.object.metadata.resourceVersion, first.object.metadata.resourceVersion);
    const shorter = await registry.delete(main, pods, ref('placed'), { gracePeriodSeconds: 5 });
    assert.equal(shorter.object.metadata.deletionTimestamp, '2026-01-01T00:00:05Z');
    assert.equal((await registry.delete(main, pods, ref('placed'), { gracePeriodSeconds: 0 })).isGone, true);
  },
  { clock },
);

apiTest('a pod is placed once', async ({ registry }) => {
  const { metadata } = await registry.create(main, pods, pod('p'));
  const target = { kind: 'Node', name: 'h1' };
  await fails(registry.bind(main, ref('p'), { metadata: { name: 'p', uid: 'another' }, target }), 409, /UID/);
  await fails(registry.bind(main, ref('p'), { target: { kind: 'Node', name: '' } }), 422);
  await fails(registry.bind(main, ref('p'), { target: { kind: 'Node', name: 'No Node' } }), 422, /target\.name/);
  await registry.bind(main, ref('p'), { metadata: { name: 'p', uid: metadata.uid ?? '' }, target });
  await fails(registry.bind(main, ref('p'), { target }), 409, /already assigned to node "h1"/);
  const placed = (await registry.get(main, pods, ref('p'))).object as Pod;
  assert.equal(placed.spec.nodeName, 'h1');
  assert.equal(placed.status?.conditions?.find((one) => one.type === 'PodScheduled')?.status, 'True');
});

apiTest('scale reads and writes the number of replicas', async ({ registry }) => {
  await registry.create(main, deployments, deployment('d'));
  const scale = await registry.getScale(main, deployments, ref('d'));
  assert.equal(scale.spec.replicas, 1);
  assert.equal(scale.status.selector, 'app=d');
  await registry.changeScale(main, deployments, ref('d'), { ...scale, spec: { replicas: 3 } });
  await fails(registry.changeScale(main, deployments, ref('d'), { ...scale, spec: { replicas: 4 } }), 409);
  const patched = await registry.changeScale(main, deployments, ref('d'), {
    type: 'merge',
    body: { spec: { replicas: 5 } },
  });
  assert.equal(patched.spec.replicas, 5);
  await fails(
    registry.changeScale(main, deployments, ref('d'), { type: 'merge', body: { spec: { replicas: -1 } } }),
    422,
    /spec.replicas/,
  );
  assert.equal((await registry.get(main, deployments, ref('d'))).object.metadata.generation, 3);
});

apiTest('a dry run answers and changes nothing', async ({ registry, store }) => {
  const dry = { ...main, isDryRun: true };
  await registry.create(main, configMaps, configMap('c'));
  const head = await store.head();
  assert.equal((await registry.create(dry, configMaps, configMap('d'))).metadata.name, 'd');
  await fails(registry.create(dry, configMaps, configMap('c')), 409);
  const changed = (await registry.update(dry, configMaps, ref('c'), configMap('c', { a: 'b' }))) as ConfigMap;
  assert.deepEqual(changed.data, { a: 'b' });
  assert.equal((await registry.delete(dry, configMaps, ref('c'))).isGone, true);
  assert.equal(await store.head(), head);
});

apiTest('who may not write the very object is stopped before the store', async ({ registry, store }) => {
  await registry.create(main, configMaps, configMap('c'));
  const head = await store.head();
  const asked: (string | undefined)[] = [];
  const call = {
    ...main,
    admit: (object: ApiObject, old: ApiObject | undefined) => {
      asked.push(`${object.metadata.name} ${old?.metadata.name}`);
      throw new ApiError({ code: 403, reason: 'Forbidden', message: 'no' });
    },
  };
  await fails(registry.create(call, configMaps, configMap('d')), 403);
  await fails(registry.update(call, configMaps, ref('c'), configMap('c', { a: 'b' })), 403);
  assert.deepEqual(asked, ['d undefined', 'c c']);
  assert.equal(await store.head(), head);
});

apiTest(
  'a token’s text is told once and never stored',
  async ({ registry }) => {
    const token: Token = {
      apiVersion: 'flotilla.dev/v1alpha1',
      kind: 'Token',
      metadata: { name: 't' },
      spec: { type: 'admin' },
    };
    const call = { grid: 'system' };
    const made = (await registry.create(call, tokens, token)) as Token;
    assert.equal(made.status?.token, 'text of t');
    const stored = (await registry.get(call, tokens, { name: 't' })).object as Token;
    assert.deepEqual(stored.status, { secretHash: 'hash' });
    assert.equal(stored.metadata.resourceVersion, made.metadata.resourceVersion);
  },
  {
    tokenIssuer: (token) => ({
      stored: { ...token, status: { secretHash: 'hash' } },
      answered: { ...token, status: { token: `text of ${token.metadata.name}` } },
    }),
  },
);

apiTest(
  'a join token ends: after an hour unless it says otherwise',
  async ({ registry }) => {
    const token = (spec: Partial<Token['spec']>): Token => ({
      apiVersion: 'flotilla.dev/v1alpha1',
      kind: 'Token',
      metadata: { name: 'j' },
      spec: { type: 'join', grid: 'main', ...spec },
    });
    const call = { grid: 'system' };
    const made = (await registry.create(call, tokens, token({}))) as Token;
    const livesMs = Date.parse(made.spec.expiresAt ?? '') - Date.parse(made.metadata.creationTimestamp ?? '');
    assert.equal(livesMs, 3_600_000);
    await fails(registry.create(call, tokens, token({ expiresAt: '2999-01-01T00:00:00Z' })), 422);
  },
  { tokenIssuer: (token) => ({ stored: token, answered: token }) },
);

const eventClock = new ManualClock();
apiTest(
  'events are forgotten after their time',
  async ({ registry, cache }) => {
    await registry.create(main, events, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e', namespace: 'default' },
      involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
      reason: 'Pulled',
    } as ApiObject);
    await cache.fresh();
    assert.ok(cache.get('main', events, 'default', 'e'));
    await eventClock.advance(3 * 3_600_000);
    assert.equal(cache.get('main', events, 'default', 'e'), undefined);
  },
  { clock: eventClock, store: createMemoryStore({ clock: eventClock }) },
);

test('two servers on one store see each other’s writes at once, and do not overwrite them', async () => {
  const store = createMemoryStore();
  const first = await startTestApi({ store });
  const second = await startTestApi({ store });
  await first.registry.create(main, configMaps, configMap('c', { a: '1' }));
  const read = await second.registry.get(main, configMaps, ref('c'));
  assert.deepEqual((read.object as ConfigMap).data, { a: '1' });
  const patch = (body: unknown) => ({ type: 'merge', body, strictness: 'Strict' }) as const;
  const writes = Array.from({ length: 6 }, (_, n) =>
    (n % 2 ? first : second).registry.patch(main, configMaps, ref('c'), patch({ data: { [`k${n}`]: '' } })),
  );
  await Promise.all(writes);
  const { object } = await first.registry.get(main, configMaps, ref('c'));
  assert.equal(Object.keys((object as ConfigMap).data ?? {}).length, 7);
  await Promise.all([first.cache.stop(), second.cache.stop()]);
  await store.close();
});

apiTest('an apply to what cannot be read ends with the reason', async ({ registry, store }) => {
  const key = '/o/main/core/configmaps/default/broken';
  await store.commit([], [{ type: 'put', key, value: Buffer.from('{') }]);
  const config = configMap('broken', { a: '1' });
  await fails(
    registry.apply({ ...main, fieldManager: 'm' }, configMaps, { config, isForced: false }),
    409,
    /already exists/,
  );
});
