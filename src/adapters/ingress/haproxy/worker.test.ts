import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { backend, route, state } from '../contract.ts';
import type { IngressBackend, IngressEndpoint, IngressRoute, IngressState } from '../port.ts';
import { emptyRegistry, nameSections, nextRegistry, type Registry } from './registry.ts';
import { mapsOf } from './render.ts';
import { serverName } from './server.ts';
import { nothingAccepted, readWish } from './wish.ts';
import { type Command, modelOf, planRemovals, planWorker, type WorkerModel, type WorkerWish } from './worker.ts';

const settings = {
  httpPort: 80,
  httpsPort: 443,
  trustedProxies: [],
  acceptsProxyProtocol: false,
  maxConnections: 1_000,
};
const kept = 'sni var\\(txn.own\\) pool-max-conn 64 pool-purge-delay 1s';
const endpoint = (number: number): IngressEndpoint => ({ address: `10.80.1.${number}`, port: 8080 });
const make = (routes: Readonly<Record<string, IngressRoute>>, backends: readonly IngressBackend[]) =>
  state({ settings }, routes, backends);

/** A worker that runs this state, and the names of its sections. */
function started(wanted: IngressState): { readonly model: WorkerModel; readonly registry: Registry } {
  const wish = readWish(wanted, nothingAccepted, new Map());
  const registry = nextRegistry(emptyRegistry, nameSections(emptyRegistry, wish), 'frame', 4);
  return { model: modelOf(1, wishFor(wanted, registry).wanted, registry.inForce), registry };
}

function wishFor(
  wanted: IngressState,
  registry: Registry,
): { readonly wanted: WorkerWish; readonly unknown: readonly string[]; readonly registry: Registry } {
  const wish = readWish(wanted, nothingAccepted, new Map());
  const naming = nameSections(registry, wish);
  const endpoints = new Map(
    [...wish.sections].map(([key, { backend }]) => [naming.names.get(key) ?? '', backend.endpoints]),
  );
  const alive = new Set([...wish.sections.values()].flatMap(({ backend }) => backend.endpoints.map(serverName)));
  const sections = naming.sections;
  return {
    wanted: { wish, maps: mapsOf(wish, naming.names), sections, endpoints, alive, defaultPem: 'pem' },
    unknown: naming.unknown,
    registry: { ...registry, sections },
  };
}

const texts = (commands: readonly Command[]) =>
  commands.map(({ text, payload }) => (payload === undefined ? text : `${text} << ${payload.trim()}`));
const doAll = (commands: readonly Command[]) => {
  for (const { learn } of commands) learn?.();
};

describe('what a worker is told', () => {
  const web = (...numbers: number[]) => backend('shop/web:80', numbers.map(endpoint));
  const first = make({ web: route('web.test', '/', web(1)) }, [web(1)]);

  test('nothing when all is as it should be', () => {
    const { model, registry } = started(first);
    assert.deepEqual(planWorker(model, wishFor(first, registry).wanted), []);
  });

  test('an endpoint comes and another goes: first the one, then the other', () => {
    const { model, registry } = started(first);
    const next = make({ web: route('web.test', '/', web(2)) }, [web(2)]);
    const commands = planWorker(model, wishFor(next, registry).wanted);
    const at = [...model.servers.keys()].find((name) => name.startsWith('shop_web'));
    assert.deepEqual(texts(commands), [
      `add server ${at}/10.80.1.2:8080 10.80.1.2:8080 id 258 ${kept} check inter 2000ms fall 2 rise 1`,
      `enable server ${at}/10.80.1.2:8080`,
      `enable health ${at}/10.80.1.2:8080`,
      `set server ${at}/10.80.1.1:8080 state maint`,
    ]);
    doAll(commands);
    assert.deepEqual(texts(planRemovals(model, 10)), [`del server ${at}/10.80.1.1:8080`]);
    const back = planWorker(model, wishFor(first, registry).wanted);
    assert.deepEqual(texts(back), [
      `set server ${at}/10.80.1.1:8080 state ready`,
      `set server ${at}/10.80.1.2:8080 state maint`,
    ]);
  });

  test('a new service takes a spare section, a new host is told last, and both go without a word left', () => {
    const { model, registry } = started(first);
    const api = backend('shop/api:80', [endpoint(9)]);
    const next = make({ web: route('web.test', '/', web(1)), api: route('api.test', '/v1', api) }, [web(1), api]);
    const { wanted, unknown, registry: given } = wishFor(next, registry);
    assert.deepEqual(unknown, []);
    const commands = planWorker(model, wanted);
    assert.deepEqual(texts(commands), [
      `add server spare-1/10.80.1.9:8080 10.80.1.9:8080 id 265 ${kept} check inter 2000ms fall 2 rise 1`,
      'enable server spare-1/10.80.1.9:8080',
      'enable health spare-1/10.80.1.9:8080',
      'add map hosts.map << api.test api.test',
      'add map prefix.map << api.test/v1/ spare-1|-|',
    ]);
    doAll(commands);
    assert.deepEqual(texts(planWorker(model, wishFor(first, given).wanted)), [
      'del map hosts.map api.test',
      'del map prefix.map api.test/v1/',
      'set server spare-1/10.80.1.9:8080 state maint',
    ]);
  });

  test('a cookie’s key is told after a server was added', () => {
    const sticky = (...numbers: number[]) =>
      backend('shop/web:80', numbers.map(endpoint), { cookie: { name: 'C', secret: 's e' } });
    const before = make({ web: route('web.test', '/', sticky(1)) }, [sticky(1)]);
    const after = make({ web: route('web.test', '/', sticky(1, 2)) }, [sticky(1, 2)]);
    const { model, registry } = started(before);
    const last = texts(planWorker(model, wishFor(after, registry).wanted)).at(-1) ?? '';
    assert.match(last, /^set dynamic-cookie-key backend shop_web:80\.\w+ s\\ e$/);
  });

  const states = fc
    .array(
      fc.record({
        name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
        numbers: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1 }),
        path: fc.constantFrom('/', '/x', '/x/y'),
        redirectsToHttps: fc.boolean(),
      }),
    )
    .map((list) => {
      const backends = new Map(list.map(({ name, numbers }) => [name, backend(`n/${name}:80`, numbers.map(endpoint))]));
      const routes = list.flatMap(({ name, path, redirectsToHttps }) => {
        const one = backends.get(name);
        return one ? [[`${name}${path}`, route(`${name}.test`, path, one, { redirectsToHttps })] as const] : [];
      });
      return make(Object.fromEntries(routes), [...backends.values()]);
    });

  test('whatever it has in force and whatever is wished: it gets there, and a route never leads to nobody on the way', () => {
    fc.assert(
      fc.property(states, fc.array(states, { minLength: 1, maxLength: 4 }), (from, steps) => {
        let { model, registry } = started(from);
        for (const next of steps) {
          const found = wishFor(next, registry);
          if (found.unknown.length > 0) {
            const wish = readWish(next, nothingAccepted, new Map());
            registry = nextRegistry(registry, nameSections(registry, wish), 'frame', 4);
            model = modelOf(2, wishFor(next, registry).wanted, registry.inForce);
            continue;
          }
          registry = found.registry;
          for (const { learn } of planWorker(model, found.wanted)) {
            learn?.();
            for (const value of model.maps.get('prefix.map')?.values() ?? []) {
              const servers = model.servers.get(value.split('|')[0] ?? '');
              assert(
                [...(servers?.values() ?? [])].some(({ isLeaving }) => !isLeaving),
                `${value} leads to nobody`,
              );
            }
          }
          assert.deepEqual(texts(planWorker(model, found.wanted)), []);
        }
      }),
    );
  });
});
