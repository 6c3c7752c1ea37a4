import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { applyDefaults } from '../resources/defaults.ts';
import { type Ingress, ingresses, type Service, type Stack } from '../resources/kinds.ts';
import type { ApiObject } from '../resources/object.ts';
import type { StackIngress, StackService } from '../resources/stack-types.ts';
import { validate } from '../resources/validate.ts';
import { compileStack } from './compile.ts';

function stack(service: Partial<StackService>): Stack {
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: { name: 'shop', namespace: 'shop' },
    spec: { services: { web: { image: 'web:1', instances: 1, ...service } } },
  };
}
const expose = [{ port: 8080, protocol: 'TCP' as const }];

function compiled(service: Partial<StackService>, baseDomain: string | undefined = 'localhost'): Ingress[] {
  const { prerequisites } = compileStack(stack(service), baseDomain === '' ? {} : { baseDomain });
  const isIngress = (object: ApiObject): object is Ingress => object.kind === 'Ingress';
  const found = prerequisites.map((one): ApiObject => one.object).filter(isIngress);
  for (const one of found) {
    const errors = validate(ingresses, applyDefaults(ingresses, structuredClone(one)));
    assert.deepEqual(errors, [], one.metadata.name);
    assert.equal(one.metadata.labels?.['flotilla.dev/stack'], 'shop');
    assert.equal(one.metadata.namespace, 'shop');
    assert.equal(one.spec.ingressClassName, 'flotilla');
  }
  return found;
}

/** `host path → port` and the like, and options. */
function brief({ metadata, spec }: Ingress): string[] {
  const port = (backend: Ingress['spec']['defaultBackend']) =>
    `${backend?.service?.name}:${backend?.service?.port?.number}`;
  const options = Object.entries(metadata.annotations ?? {})
    .filter(([name]) => name.startsWith('ingress.flotilla.dev/'))
    .map(([name, value]) => `${name.slice(21)}=${value}`);
  return [
    metadata.name,
    ...(spec.rules ?? []).flatMap(({ host = '*', http }) =>
      (http?.paths ?? []).map(({ path, pathType, backend }) => `${host} ${pathType} ${path} ${port(backend)}`),
    ),
    ...(spec.defaultBackend ? [`default ${port(spec.defaultBackend)}`] : []),
    ...(spec.tls ?? []).map(({ hosts, secretName }) => `tls ${hosts?.join(',')}${secretName ? ` ${secretName}` : ''}`),
    ...options,
  ];
}
const lines = (service: Partial<StackService>, baseDomain?: string) => compiled(service, baseDomain).map(brief);
const withIngress = (...ingress: StackIngress[]) => ({ expose, ingress });
const own = 'web.shop.localhost Prefix / web:8080';

describe('the automatic name of a service', () => {
  it('is below the grid’s domain, for the first HTTP port', () => {
    assert.deepEqual(lines({ expose }), [['web', own, 'tls web.shop.localhost']]);
    const ports = [
      { containerPort: 53, protocol: 'UDP' as const },
      { containerPort: 5432, protocol: 'TCP' as const },
      { containerPort: 3000, hostPort: 80, protocol: 'TCP' as const },
    ];
    assert.deepEqual(lines({ ports }, 'apps.example.org'), [
      ['web', 'web.shop.apps.example.org Prefix / web:3000', 'tls web.shop.apps.example.org'],
    ]);
  });

  it('is nothing without a domain, an HTTP port, or the wish for it', () => {
    assert.deepEqual(lines({ expose }, ''), []);
    assert.deepEqual(lines({}), []);
    assert.deepEqual(lines({ expose: [{ port: 5432, protocol: 'TCP' }] }), []);
    assert.deepEqual(lines({ expose: [{ port: 80, protocol: 'UDP' }] }), []);
    assert.deepEqual(lines({ expose, automaticName: false }), []);
    assert.deepEqual(lines({ expose, restart: 'no' }), [], 'what runs once serves nobody');
    assert.deepEqual(lines({ ...withIngress({ host: 'a.b' }, { listen: 5432, port: 8080 }) }, ''), [
      ['web', 'a.b Prefix / web:8080', 'tls a.b'],
      ['web-tcp-5432', 'default web:8080', 'tcp-port=5432'],
    ]);
    const passthrough = { options: { 'tls-passthrough': 'true' } };
    const passed = ['c.b Prefix / web:8080', 'tls-passthrough=true'];
    assert.deepEqual(lines(withIngress({ host: 'c.b', ...passthrough })), [['web', ...passed]]);
    assert.deepEqual(lines(withIngress({ host: 'c.b', port: 8080, ...passthrough })), [['web', ...passed]]);
    const said = { host: 'web.shop.localhost', options: { retries: '1' } };
    assert.deepEqual(lines(withIngress(said)), [['web', own, 'tls web.shop.localhost', 'retries=1']]);
    const tcp = [['web-tcp-8080', 'default web:8080', 'tcp-port=8080']];
    assert.deepEqual(lines({ expose, ingress: [{ listen: 8080, port: 8080 }] }), tcp, 'plain TCP is no HTTP');
  });

  it('leads where the hosts of the service lead, with the same options: nothing is open by it alone', () => {
    const allow = { options: { allow: '10.0.0.0/8' } };
    assert.deepEqual(lines(withIngress({ host: 'a.b' }, { host: 'a.b', path: '/admin', ...allow })), [
      ['web', own, 'a.b Prefix / web:8080', 'tls web.shop.localhost,a.b'],
      [
        'web-a-b',
        'web.shop.localhost Prefix /admin web:8080',
        'a.b Prefix /admin web:8080',
        'tls web.shop.localhost,a.b',
        'allow=10.0.0.0/8',
      ],
    ]);
    assert.deepEqual(lines(withIngress({ host: 'a.b', path: '/api' })), [
      ['web', 'web.shop.localhost Prefix /api web:8080', 'a.b Prefix /api web:8080', 'tls web.shop.localhost,a.b'],
    ]);
  });

  it('has its own entries where some say no host', () => {
    assert.deepEqual(lines(withIngress({ host: 'a.b' }, { path: '/', options: { 'basic-auth-secret': 'staff' } })), [
      ['web', own, 'tls web.shop.localhost', 'basic-auth-secret=staff'],
      ['web-a-b', 'a.b Prefix / web:8080', 'tls a.b'],
    ]);
    assert.deepEqual(lines(withIngress({ path: '/x', options: { retries: '1' } }), ''), []);
  });

  it('gets its certificate from whoever can, whatever the hosts of the service say', () => {
    assert.deepEqual(lines(withIngress({ host: 'a.b', tls: 'acme', options: { hsts: '1d' } })), [
      ['web', own, 'tls web.shop.localhost'],
      ['web-a-b', 'a.b Prefix / web:8080', 'tls a.b', 'hsts=1d', 'ssl-redirect=true', 'tls=acme'],
    ]);
    assert.deepEqual(lines(withIngress({ host: 'a.b', tls: 'none' })), [
      ['web', own, 'a.b Prefix / web:8080', 'tls=none'],
    ]);
  });
});

/** What a request for a path of a host meets: the options of the exact path, else of the longest that fits; undefined: nothing. */
function metBy(objects: readonly Ingress[], host: string, path: string): string | undefined {
  const found = objects.flatMap(({ metadata, spec }) =>
    (spec.rules ?? []).flatMap((rule) =>
      (rule.host === host ? (rule.http?.paths ?? []) : []).map((one) => ({ ...one, options: metadata.annotations })),
    ),
  );
  const fits = found.filter(({ path: own = '/', pathType }) => {
    if (pathType === 'Exact') return own === path;
    return own === '/' || own === path || path.startsWith(`${own}/`);
  });
  const [best] = fits.sort((a, b) => {
    if (a.pathType !== b.pathType) return a.pathType === 'Exact' ? -1 : 1;
    return (b.path ?? '').length - (a.path ?? '').length;
  });
  return best && JSON.stringify(best.options?.['ingress.flotilla.dev/allow'] ?? 'all');
}

it('whatever the file says, the automatic name opens no path further than one of its hosts does', () => {
  const anyEntry = fc.record({
    host: fc.constantFrom('a.b', 'c.b', 'd.b'),
    path: fc.constantFrom('/', '/x', '/x/y', '/z'),
    pathType: fc.constantFrom('Exact' as const, 'Prefix' as const),
    allow: fc.constantFrom(undefined, '10.0.0.0/8', '192.0.2.0/24'),
    tls: fc.constantFrom(undefined, 'acme' as const, 'none' as const),
  });
  const unique = {
    minLength: 1,
    maxLength: 6,
    selector: (one: { host: string; path: string; pathType: string }) => `${one.host} ${one.pathType} ${one.path}`,
  };
  fc.assert(
    fc.property(fc.uniqueArray(anyEntry, unique), (entries) => {
      const said = entries.map(({ allow, tls, ...rest }): StackIngress => {
        return { ...rest, ...(tls ? { tls } : {}), ...(allow ? { options: { allow } } : {}) };
      });
      const objects = compiled(withIngress(...said));
      for (const path of ['/', '/q', '/x', '/x/y', '/x/y/w', '/z', '/z/w']) {
        const met = metBy(objects, 'web.shop.localhost', path);
        const hosts = ['a.b', 'c.b', 'd.b'].map((host) => metBy(objects, host, path));
        assert.ok(met === undefined || hosts.includes(met), `${path}: ${met} is not among ${hosts.join()}`);
      }
    }),
    { numRuns: 500 },
  );
});

describe('hosts and ports of a service', () => {
  const without = (...ingress: StackIngress[]) => lines({ ...withIngress(...ingress), automaticName: false });

  it('are Ingress objects, one for what has the same options', () => {
    assert.deepEqual(
      without(
        { host: 'a.b', tlsSecret: 'shop-tls' },
        { host: '*.b', port: 9000, pathType: 'Exact', path: '/x' },
        { host: '*' },
        { listen: 5432, port: 5432 },
        { host: 'c.b', options: { 'tls-passthrough': 'true' } },
      ),
      [
        ['web', 'a.b Prefix / web:8080', 'tls a.b shop-tls', 'ssl-redirect=true'],
        ['web-wildcard-b', '*.b Exact /x web:9000', '* Prefix / web:8080', 'tls *.b'],
        ['web-tcp-5432', 'default web:5432', 'tcp-port=5432'],
        ['web-c-b', 'c.b Prefix / web:8080', 'tls-passthrough=true'],
      ],
    );
  });

  it('keep their names when others come and go', () => {
    const nameOf = (entries: StackIngress[], host: string) =>
      compiled(withIngress(...entries)).find((one) => one.spec.rules?.some((rule) => rule.host === host))?.metadata
        .name;
    const first = { host: 'a.b', tls: 'acme' } as const;
    const second = { host: 'c.b', tls: 'acme', options: { retries: '1' } } as const;
    assert.equal(nameOf([first, second], 'c.b'), nameOf([second], 'c.b'));
    assert.equal(nameOf([first, second], 'web.shop.localhost'), nameOf([], 'web.shop.localhost'));
  });

  it('have names of their own, also for one host with several options', () => {
    const names = compiled(
      withIngress(
        { host: 'a.b', options: { retries: '1' } },
        { host: 'a.b', path: '/x', options: { retries: '2' } },
        { host: 'a.b', path: '/y', tls: 'acme' },
      ),
    ).map(({ metadata }) => metadata.name);
    assert.equal(new Set(names).size, names.length, names.join());
  });

  it('do not redirect where the file says so', () => {
    const options = { 'ssl-redirect': 'false' };
    assert.deepEqual(without({ host: 'a.b', tls: 'acme', options })[0]?.slice(-2), ['ssl-redirect=false', 'tls=acme']);
  });

  it('have their ports on the Service object, so that they can be found', () => {
    const { prerequisites } = compileStack(stack(withIngress({ host: 'a.b', port: 9000 })));
    const service = prerequisites.find((one) => one.object.kind === 'Service')?.object as Service;
    assert.deepEqual(
      service.spec.ports?.map(({ port }) => port),
      [8080, 9000],
    );
  });
});

it('an isolated stack lets the hosts in, and so the ingress nodes', () => {
  const one = stack(withIngress({ host: 'a.b' }));
  one.spec.isolate = true;
  const policies = compileStack(one).prerequisites.filter(({ object }) => object.kind === 'NetworkPolicy');
  assert.equal(policies[0]?.object.metadata.annotations?.['flotilla.dev/from-hosts'], 'true');
  assert.deepEqual(policies[0]?.object.metadata.name, 'shop');
});
