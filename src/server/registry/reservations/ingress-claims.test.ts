import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '../../../resources/api-error.ts';
import { hostsOf } from '../../../resources/ingress-facts.ts';
import { ingressOptionsOf } from '../../../resources/ingress-options.ts';
import { type Ingress, ingressClasses, ingresses, namespaces } from '../../../resources/kinds.ts';
import type { ApiObject } from '../../../resources/object.ts';
import { createMemoryStore } from '../../../store/memory.ts';
import type { Store } from '../../../store/port.ts';
import { startTestApi, type TestApi } from '../../test-api.ts';

const main = { grid: 'main' };
const backend = { service: { name: 'web', port: { number: 80 } } };
const rules = (...hosts: string[]) => ({
  rules: hosts.map((host) => ({ ...(host === '*' ? {} : { host }), http: { paths: [path] } })),
});
const path = { path: '/', pathType: 'Prefix', backend };
const tcp = (port: number) => ({
  spec: { defaultBackend: backend },
  annotations: { 'ingress.flotilla.dev/tcp-port': `${port}` },
});

interface Wanted {
  readonly spec: Partial<Ingress['spec']>;
  readonly annotations?: Record<string, string>;
}

function ingress(ref: string, { spec, annotations = {} }: Wanted): Ingress {
  const [namespace = '', name = ''] = ref.split('/');
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { namespace, name, annotations: { ...annotations } },
    spec: structuredClone({ ingressClassName: 'flotilla', ...spec }),
  };
}

const namespace = (name: string): ApiObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

async function reservedIn(store: Store): Promise<Record<string, string>> {
  const { entries } = await store.list('/a/main/ingress-');
  return Object.fromEntries(
    entries.map(({ key, value }) => {
      const held = JSON.parse(Buffer.from(value).toString()) as { namespace: string; holders: { name: string }[] };
      const names = held.holders.map(({ name }) => name).sort();
      return [key.replace('/a/main/ingress-', ''), `${held.namespace}/${names.join('+')}`];
    }),
  );
}

interface Scene {
  readonly api: TestApi;
  create(ref: string, wanted: Wanted): Promise<unknown>;
  update(ref: string, wanted: Wanted): Promise<unknown>;
  remove(ref: string): Promise<unknown>;
  reserved(): Promise<Record<string, string>>;
}

function sceneTest(name: string, run: (scene: Scene) => Promise<void>): void {
  it(name, async () => {
    const api = await startTestApi();
    for (const one of ['shop', 'team']) await api.registry.create(main, namespaces, namespace(one));
    const refOf = (ref: string) => ({ namespace: ref.split('/')[0] ?? '', name: ref.split('/')[1] ?? '' });
    try {
      await run({
        api,
        create: (ref, wanted) => api.registry.create(main, ingresses, ingress(ref, wanted)),
        update: (ref, wanted) => api.registry.update(main, ingresses, refOf(ref), ingress(ref, wanted)),
        remove: (ref) => api.registry.delete(main, ingresses, refOf(ref)),
        reserved: () => reservedIn(api.store),
      });
    } finally {
      await api.stop();
    }
  });
}

function refused(promise: Promise<unknown>, message: string): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof ApiError, String(error));
    assert.deepEqual([error.status.code, error.message], [422, message]);
    return true;
  });
}

describe('hosts of Ingress objects', () => {
  sceneTest('belong to the namespace that claimed them first, whose objects share them', async (scene) => {
    const { create, remove, reserved } = scene;
    await create('shop/web', { spec: rules('a.example.org', '*.example.org') });
    await create('shop/api', { spec: rules('a.example.org') });
    assert.deepEqual(await reserved(), { 'host/a.example.org': 'shop/api+web', 'host/*.example.org': 'shop/web' });
    await refused(
      create('team/web', { spec: rules('b.example.org', 'a.example.org') }),
      'Ingress.networking.k8s.io "web" is invalid: spec.rules[1].host: Duplicate value: "a.example.org": host "a.example.org" belongs to Ingress shop/web',
    );
    assert.equal((await reserved())['host/b.example.org'], undefined, 'what is refused takes nothing');
    await remove('shop/web');
    assert.deepEqual(await reserved(), { 'host/a.example.org': 'shop/api' });
    await refused(
      create('team/web', { spec: rules('a.example.org') }),
      'Ingress.networking.k8s.io "web" is invalid: spec.rules[0].host: Duplicate value: "a.example.org": host "a.example.org" belongs to Ingress shop/api',
    );
    await remove('shop/api');
    await create('team/web', { spec: rules('a.example.org') });
    assert.deepEqual(await reserved(), { 'host/a.example.org': 'team/web' });
  });

  sceneTest('change with the object; those that stay stay', async ({ create, update, reserved }) => {
    await create('shop/web', { spec: rules('a.b', 'c.b') });
    await create('team/web', { spec: rules('d.b') });
    await update('shop/web', { spec: rules('c.b', 'e.b') });
    assert.deepEqual(await reserved(), { 'host/c.b': 'shop/web', 'host/d.b': 'team/web', 'host/e.b': 'shop/web' });
    await refused(
      update('team/web', { spec: rules('e.b') }),
      'Ingress.networking.k8s.io "web" is invalid: spec.rules[0].host: Duplicate value: "e.b": host "e.b" belongs to Ingress shop/web',
    );
    assert.equal((await reserved())['host/d.b'], 'team/web');
  });

  sceneTest('that nobody names belong to one namespace, too', async ({ create, reserved }) => {
    await create('shop/web', { spec: { defaultBackend: backend } });
    assert.deepEqual(await reserved(), { 'host/*': 'shop/web' });
    await refused(
      create('team/web', { spec: rules('*') }),
      'Ingress.networking.k8s.io "web" is invalid: spec.rules[0].host: Duplicate value: "*": every host that nobody names belongs to Ingress shop/web',
    );
    await create('team/web', { spec: { ...rules('a.b'), defaultBackend: backend } });
  });

  sceneTest('of other classes are nobody’s business', async ({ api, create, update, reserved }) => {
    await create('shop/web', { spec: { ...rules('a.b'), ingressClassName: 'other' } });
    assert.deepEqual(await reserved(), {});
    await create('team/web', { spec: rules('a.b') });
    await refused(
      update('shop/web', { spec: rules('a.b') }),
      'Ingress.networking.k8s.io "web" is invalid: spec.rules[0].host: Duplicate value: "a.b": host "a.b" belongs to Ingress team/web',
    );
    await update('team/web', { spec: { ...rules('a.b'), ingressClassName: 'other' } });
    assert.deepEqual(await reserved(), {});
    const own = { apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', metadata: { name: 'public' } };
    await api.registry.create(main, ingressClasses, {
      ...own,
      spec: { controller: 'flotilla.dev/ingress' },
    } as ApiObject);
    await create('shop/more', { spec: { ...rules('a.b'), ingressClassName: 'public' } });
    assert.deepEqual(await reserved(), { 'host/a.b': 'shop/more' });
    await api.registry.delete(main, ingressClasses, { name: 'public' });
    await create('team/more', { spec: rules('a.b') });
    assert.deepEqual(await reserved(), { 'host/a.b': 'team/more' }, 'whose class is gone holds nothing');
    await api.registry.delete(main, ingresses, { namespace: 'shop', name: 'more' });
    assert.deepEqual(await reserved(), { 'host/a.b': 'team/more' });
  });

  sceneTest(
    'are not taken by a dry run, nor more than go into one commit',
    async ({ api, create, update, reserved }) => {
      await api.registry.create({ ...main, isDryRun: true }, ingresses, ingress('shop/web', { spec: rules('a.b') }));
      assert.deepEqual(await reserved(), {});
      const many = (letter: string, count: number) =>
        rules(...Array.from({ length: count }, (_, at) => `${letter}${at}.b`));
      await create('shop/web', { spec: many('x', 60) });
      await update('shop/web', { spec: many('y', 60) });
      assert.equal(Object.keys(await reserved()).length, 60);
      await refused(
        create('shop/all', { spec: many('z', 61) }),
        'Ingress.networking.k8s.io "all" is invalid: spec.rules: Too many: 61: must have at most 60 items',
      );
    },
  );

  sceneTest('come back when the object goes after its finalizers', async ({ api, remove, reserved }) => {
    const held = ingress('shop/web', { spec: rules('a.b') });
    await api.registry.create(main, ingresses, { ...held, metadata: { ...held.metadata, finalizers: ['a.b/c'] } });
    await remove('shop/web');
    assert.deepEqual(await reserved(), { 'host/a.b': 'shop/web' });
    const patch = { type: 'merge', body: { metadata: { finalizers: null } }, strictness: 'Strict' } as const;
    await api.registry.patch(main, ingresses, { namespace: 'shop', name: 'web' }, patch);
    assert.deepEqual(await reserved(), {});
  });
});

describe('ports of plain TCP', () => {
  const field = 'metadata.annotations[ingress.flotilla.dev/tcp-port]';

  sceneTest('belong to one object', async ({ create, update, reserved }) => {
    await create('shop/db', tcp(5432));
    assert.deepEqual(await reserved(), { 'port/5432': 'shop/db' });
    for (const ref of ['team/db', 'shop/other']) {
      await refused(
        create(ref, tcp(5432)),
        `Ingress.networking.k8s.io "${ref.slice(5)}" is invalid: ${field}: Duplicate value: "5432": port 5432 belongs to Ingress shop/db`,
      );
    }
    await update('shop/db', tcp(5433));
    await create('team/db', tcp(5432));
    assert.deepEqual(await reserved(), { 'port/5432': 'team/db', 'port/5433': 'shop/db' });
    await update('shop/db', { spec: rules('a.b') });
    assert.deepEqual(await reserved(), { 'port/5432': 'team/db', 'host/a.b': 'shop/db' });
  });

  for (const [port, why] of [
    [80, 'HTTP has this port'],
    [443, 'HTTPS has this port'],
    [30_080, 'node ports of Service objects are 30000-32767'],
  ] as const) {
    sceneTest(`are not ${port}`, async ({ create }) => {
      const start = `Ingress.networking.k8s.io "db" is invalid: ${field}: Invalid value: "${port}"`;
      await refused(create('shop/db', tcp(port)), `${start}: ${why}`);
    });
  }
});

const anyWanted = fc.oneof(
  fc
    .uniqueArray(fc.constantFrom('a.b', 'c.b', '*.b', '*'), { minLength: 1 })
    .map((hosts) => ({ spec: rules(...hosts) })),
  fc.constantFrom(5432, 5433).map(tcp),
  fc.constant({ spec: { ...rules('a.b'), ingressClassName: 'other' } }),
);

const anyRequest = fc.record({
  verb: fc.constantFrom('create', 'create', 'update', 'delete', 'dryRun'),
  server: fc.constantFrom(0, 1),
  ref: fc.constantFrom('shop/a', 'shop/b', 'team/a', 'team/b'),
  wanted: anyWanted,
});

it('two servers on one store: what is reserved is what objects claim, and no host has two namespaces', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(anyRequest, { maxLength: 6 }), { maxLength: 6 }), async (rounds) => {
      const store = createMemoryStore();
      const servers = [await startTestApi({ store }), await startTestApi({ store })] as const;
      for (const one of ['shop', 'team']) await servers[0].registry.create(main, namespaces, namespace(one));
      const ask = async ({ verb, server, ref, wanted }: (typeof rounds)[number][number]) => {
        const { registry } = servers[server as 0 | 1];
        const object = ingress(ref, wanted);
        const place = { namespace: object.metadata.namespace, name: object.metadata.name };
        if (verb === 'delete') await registry.delete(main, ingresses, place);
        else if (verb === 'update') await registry.update(main, ingresses, place, object);
        else await registry.create({ ...main, isDryRun: verb === 'dryRun' }, ingresses, object);
      };
      for (const round of rounds) {
        const settled = await Promise.allSettled(round.map(ask));
        for (const one of settled)
          if (one.status === 'rejected') assert.ok(one.reason instanceof ApiError, String(one.reason));
      }
      const { cache } = servers[1];
      await cache.fresh();
      const claims = new Map<string, { namespace: string; names: string[] }>();
      for (const { object } of cache.list('main', ingresses, {}) ?? []) {
        const one = object as Ingress;
        if (one.spec.ingressClassName === 'other') continue;
        const { tcpPort } = ingressOptionsOf(one);
        const keys = tcpPort === undefined ? hostsOf(one).map((host) => `host/${host}`) : [`port/${tcpPort}`];
        for (const key of keys) {
          const known = claims.get(key);
          assert.ok(known === undefined || known.namespace === one.metadata.namespace, `${key} has two namespaces`);
          assert.ok(known === undefined || tcpPort === undefined, `${key} has two objects`);
          const names = [...(known?.names ?? []), one.metadata.name].sort();
          claims.set(key, { namespace: one.metadata.namespace ?? '', names });
        }
      }
      const expected = Object.fromEntries(
        [...claims].map(([key, { namespace: of, names }]) => [key, `${of}/${names.join('+')}`]),
      );
      assert.deepEqual(await reservedIn(store), expected);
      for (const one of servers) await one.cache.stop();
      await store.close();
    }),
    { numRuns: 60 },
  );
});
