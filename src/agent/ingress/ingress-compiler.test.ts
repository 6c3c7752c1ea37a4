import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { IngressSettings } from '../../adapters/ingress/port.ts';
import { defaultClassAnnotation, ownClass, ownController } from '../../resources/kinds/ingress-class.ts';
import type { Certificate, EndpointSlice, Ingress, IngressClass, Secret, Service } from '../../resources/kinds.ts';
import { IngressCompiler } from './ingress-compiler.ts';

const settings: IngressSettings = {
  ...{ httpPort: 80, httpsPort: 443, trustedProxies: [], acceptsProxyProtocol: false, maxConnections: 100 },
};
const meta = (name: string, more: object = {}) => ({ name, namespace: 'shop', uid: `uid-${name}`, ...more });
const ourClass: IngressClass = {
  ...{ apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', spec: { controller: ownController } },
  metadata: { name: ownClass, annotations: { [defaultClassAnnotation]: 'true' } },
};
const service = (name: string, more: Partial<Service['spec']> = {}, annotations = {}): Service => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: meta(name, { annotations }) },
  spec: { clusterIP: '10.96.0.1', ports: [{ name: 'http', port: 80, targetPort: 'web' }], ...more },
});
const slice = (
  of: string,
  addresses: readonly string[],
  ports: EndpointSlice['ports'] = [{ name: 'http', port: 8080 }],
): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: meta(`${of}-1`, { labels: { 'kubernetes.io/service-name': of } }),
  addressType: 'IPv4',
  endpoints: addresses.map((address) => ({
    addresses: [address],
    conditions: { ready: true },
    targetRef: { kind: 'Pod', name: `${of}-${address}`, namespace: 'shop' },
  })),
  ...(ports ? { ports } : {}),
});
type Path = readonly [path: string, service: string, type?: string];
const ingress = (
  name: string,
  hosts: Readonly<Record<string, readonly Path[]>>,
  options: Readonly<Record<string, string>> = {},
  more: Partial<Ingress['spec']> = {},
  createdAt = '2026-01-01T00:00:00Z',
): Ingress => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: meta(name, {
    creationTimestamp: createdAt,
    annotations: Object.fromEntries(
      Object.entries(options).map(([key, value]) => [`ingress.flotilla.dev/${key}`, value]),
    ),
  }),
  spec: {
    ingressClassName: ownClass,
    rules: Object.entries(hosts).map(([host, paths]) => ({
      ...(host === '' ? {} : { host }),
      http: {
        paths: paths.map(([path, to, pathType = 'Prefix']) => ({
          ...{ path, pathType },
          backend: { service: { name: to, port: { number: 80 } } },
        })),
      },
    })),
    ...more,
  },
});
const base64 = (text: string) => Buffer.from(text).toString('base64');
const tlsSecret = (name: string): Secret => ({
  ...{ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata: meta(name) },
  data: { 'tls.crt': base64(`chain of ${name}`), 'tls.key': base64(`key of ${name}`) },
});
const usersSecret = (name: string, auth: string): Secret => ({
  ...{ apiVersion: 'v1', kind: 'Secret', type: 'flotilla.dev/basic-auth', metadata: meta(name) },
  data: { auth: base64(auth) },
});
const certificate = (
  name: string,
  hosts: string[],
  issuer: 'acme' | 'internal' = 'acme',
  token?: string,
): Certificate => ({
  ...{ apiVersion: 'flotilla.dev/v1alpha1', kind: 'Certificate', metadata: meta(name), spec: { hosts, issuer } },
  ...(token === undefined
    ? {}
    : { status: { challenges: [{ host: hosts[0] ?? '', token, keyAuthorization: `${token}.x` }] } }),
});

function compiler(...ingresses: readonly Ingress[]): IngressCompiler {
  const one = new IngressCompiler(settings);
  one.setClass(ownClass, ourClass);
  for (const each of ingresses) one.setIngress(`shop/${each.metadata.name}`, each);
  return one;
}
const problemsOf = (one: IngressCompiler) => {
  void one.state;
  return Object.fromEntries(one.problems);
};

test('hosts, paths and who is behind them', () => {
  const one = compiler(
    ingress('web', {
      'Web.Example.org': [
        ['/', 'web'],
        ['/api', 'api', 'Exact'],
        ['', 'web', 'ImplementationSpecific'],
      ],
    }),
  );
  one.setService('shop/web', service('web'));
  one.setService('shop/api', service('api', { ports: [{ port: 80 }] }));
  one.setSlice('shop/web-1', slice('web', ['10.80.1.3', '10.80.0.2']));
  one.setSlice('shop/api-1', slice('api', ['10.80.0.9'], [{ name: '', port: 3000 }]));
  const { routes, backends } = one.state;
  assert.deepEqual(
    [...routes].map(([key, { host, path, pathType, backend }]) => [key, host, path, pathType, backend]),
    [
      ['shop/web#0', 'web.example.org', '/', 'Prefix', 'shop/web:80'],
      ['shop/web#1', 'web.example.org', '/api', 'Exact', 'shop/api:80'],
    ],
  );
  assert.deepEqual(backends.get('shop/web:80'), {
    ...{ name: 'shop/web:80', mode: 'http', options: {} },
    endpoints: [
      { address: '10.80.0.2', port: 8080, pod: 'shop/web-10.80.0.2' },
      { address: '10.80.1.3', port: 8080, pod: 'shop/web-10.80.1.3' },
    ],
  });
  assert.deepEqual(backends.get('shop/api:80')?.endpoints[0]?.port, 3000);
  assert.deepEqual(problemsOf(one), {
    'shop/web': ['path / of host web.example.org is there twice; the first one counts'],
  });
});

test('only endpoints that are ready, each once', () => {
  const one = compiler(ingress('web', { 'a.b': [['/', 'web']] }));
  one.setService('shop/web', service('web'));
  const all = slice('web', ['10.80.0.1', '10.80.0.2', '10.80.0.3', '10.80.0.1']);
  const [first, second] = all.endpoints ?? [];
  if (first) first.conditions = { ready: false, serving: true, terminating: true };
  if (second) second.conditions = {}; // Kubernetes: not said means ready
  one.setSlice('shop/web-1', all);
  one.setSlice('shop/web-2', { ...slice('web', ['fd00::1']), addressType: 'IPv6' });
  one.setSlice('shop/web-3', slice('web', ['10.80.0.3']));
  const addresses = one.state.backends.get('shop/web:80')?.endpoints.map(({ address }) => address);
  assert.deepEqual(addresses, ['10.80.0.1', '10.80.0.2', '10.80.0.3']);
});

test('what cannot be connected to is said, and answers 503', () => {
  const one = compiler(
    ingress('web', {
      'a.b': [
        ['/', 'missing'],
        ['/x', 'outside'],
        ['/y', 'other'],
        ['/z', 'every'],
      ],
    }),
  );
  one.setService('shop/outside', service('outside', { type: 'ExternalName', externalName: 'x.org' }));
  one.setService(
    'shop/other',
    service('other', {
      ports: [
        { name: 'http', port: 8080 },
        { port: 53, protocol: 'UDP' },
      ],
    }),
  );
  one.setService('shop/every', service('every', { ports: [] }, { 'flotilla.dev/all-ports': 'true' }));
  one.setSlice('shop/every-1', slice('every', ['10.80.0.7'], []));
  const { routes, backends } = one.state;
  assert.equal(routes.size, 4);
  assert.deepEqual(backends.get('shop/missing:80')?.endpoints, []);
  assert.deepEqual(backends.get('shop/every:80')?.endpoints, [
    { address: '10.80.0.7', port: 80, pod: 'shop/every-10.80.0.7' },
  ]);
  assert.deepEqual(problemsOf(one)['shop/web'], [
    'there is no Service shop/missing',
    'Service shop/outside is a name of something outside (ExternalName), which is not let in',
    'Service shop/other has no TCP port 80; it has 8080 (http)',
  ]);
  one.setService('shop/missing', service('missing'));
  assert.equal(problemsOf(one)['shop/web']?.length, 2);
});

test('a service that takes every port: slices name none, those of the Service object are for readers', () => {
  const named = ingress(
    'named',
    { 'c.b': [] },
    {},
    {
      rules: [
        {
          host: 'c.b',
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { name: 'http' } } } }],
          },
        },
      ],
    },
  );
  const one = compiler(ingress('web', { 'a.b': [['/', 'web']] }), named);
  one.setService('shop/web', service('web', {}, { 'flotilla.dev/all-ports': 'true' }));
  one.setSlice('shop/web-1', slice('web', ['10.80.0.7'], []));
  const ports = [...one.state.backends.values()].map(({ name, endpoints }) => `${name} ${endpoints[0]?.port}`);
  assert.deepEqual(ports, ['shop/web:80 80', 'shop/web:http 80']);
});

test('classes of others, and objects that go, are not served', () => {
  const theirs: IngressClass = { ...ourClass, metadata: { name: 'nginx' }, spec: { controller: 'k8s.io/nginx' } };
  const one = compiler(
    ingress('web', { 'a.b': [['/', 'web']] }, {}, { ingressClassName: 'nginx' }),
    ingress('none', { 'c.b': [['/', 'web']] }),
  );
  one.setClass('nginx', theirs);
  const noClass = ingress('bare', { 'd.b': [['/', 'web']] });
  delete noClass.spec.ingressClassName;
  one.setIngress('shop/bare', noClass);
  assert.deepEqual([...one.state.routes.keys()], ['shop/none#0', 'shop/bare#0']);
  const leaving = ingress('none', { 'c.b': [['/', 'web']] });
  const deletionTimestamp = '2026-01-02T00:00:00Z';
  one.setIngress('shop/none', { ...leaving, metadata: { ...leaving.metadata, deletionTimestamp } });
  one.setIngress('shop/bare', undefined);
  assert.deepEqual([one.state.routes.size, one.state.backends.size], [0, 0]);
});

test('of two that want one path the oldest has it, and the other one when it goes', () => {
  const old = ingress('zoo', { 'a.b': [['/', 'web']] }, {}, {}, '2025-01-01T00:00:00Z');
  const one = compiler(
    ingress('ape', {
      'a.b': [
        ['/', 'api'],
        ['/x', 'api'],
      ],
    }),
    old,
  );
  assert.deepEqual([...one.state.routes.keys()].sort(), ['shop/ape#1', 'shop/zoo#0']);
  assert.deepEqual(
    problemsOf(one)['shop/ape']?.at(-1),
    'path / of host a.b is taken by Ingress shop/zoo, which is older',
  );
  one.setIngress('shop/zoo', undefined);
  assert.deepEqual([...one.state.routes.keys()].sort(), ['shop/ape#0', 'shop/ape#1']);
  assert.ok(!problemsOf(one)['shop/ape']?.some((text) => text.includes('taken')));
});

test('a default backend takes what is left of its hosts, or of all when it has none', () => {
  const rest = { defaultBackend: { service: { name: 'rest', port: { number: 80 } } } };
  const one = compiler(
    ingress('web', { 'a.b': [['/x', 'web']], 'c.b': [['/', 'web']] }, {}, rest),
    ingress('any', {}, {}, rest),
  );
  const found = [...one.state.routes].map(([key, { host = '*', path, backend }]) => `${key} ${host}${path} ${backend}`);
  assert.deepEqual(found, [
    'shop/web#0 a.b/x shop/web:80',
    'shop/web#1 a.b/ shop/rest:80',
    'shop/web#2 c.b/ shop/web:80',
    'shop/any#0 */ shop/rest:80',
  ]);
});

test('options become those of routes and backends; who wants the same shares a backend', () => {
  const sticky = { sticky: 'cookie', 'server-timeout': '5m', 'rewrite-path': '/', deny: '10.0.0.0/8' };
  const one = compiler(
    ingress('one', { 'a.b': [['/', 'web']] }, sticky),
    ingress('two', { 'c.b': [['/', 'web']] }, sticky),
    ingress('plain', { 'd.b': [['/', 'web']] }),
    ingress(
      'tcp',
      {},
      { 'tcp-port': '5432', deny: '10.0.0.0/8' },
      {
        rules: [],
        defaultBackend: { service: { name: 'web', port: { name: 'http' } } },
      },
    ),
    ingress('raw', { 'e.b': [['/', 'web']] }, { 'tls-passthrough': 'true' }),
  );
  one.setService('shop/web', service('web'));
  const { routes, backends, listeners } = one.state;
  const [a, c, d] = ['one', 'two', 'plain'].map((name) => routes.get(`shop/${name}#0`));
  assert.deepEqual(a?.options, { rewritePath: '/', deny: ['10.0.0.0/8'] });
  assert.equal(a?.backend, c?.backend);
  assert.notEqual(a?.backend, d?.backend);
  assert.deepEqual(backends.get(a?.backend ?? '')?.options, {
    serverTimeoutMs: 300_000,
    cookie: { name: 'flotilla', secret: 'uid-web' },
  });
  const [tcp, raw] = [...listeners.values()];
  assert.deepEqual([tcp?.port, tcp?.deny, raw?.port, raw?.serverNames], [5432, ['10.0.0.0/8'], 443, ['e.b']]);
  assert.equal(backends.get(tcp?.backend ?? '')?.mode, 'tcp');
});

test('while it is not known who may get in, nobody may', () => {
  const one = compiler(ingress('web', { 'a.b': [['/', 'web']] }, { 'basic-auth-secret': 'staff' }));
  one.setService('shop/web', service('web'));
  const users = () => one.state.routes.get('shop/web#0')?.options.basicAuth;
  assert.deepEqual(users(), { realm: 'Restricted', users: [] });
  assert.match(problemsOf(one)['shop/web']?.[0] ?? '', /no Secret shop\/staff of type flotilla.dev\/basic-auth/);
  one.setSecret('shop/staff', usersSecret('staff', 'ann:$2y$05$abc\n\n# no\nbob:$6$xyz\n'));
  assert.deepEqual(users()?.users, ['ann:$2y$05$abc', 'bob:$6$xyz']);
  assert.deepEqual(problemsOf(one), {});
  one.setSecret('shop/staff', usersSecret('staff', 'nothing'));
  assert.match(problemsOf(one)['shop/web']?.[0] ?? '', /no line "name:hash"/);
});

test('a certificate is shown for the hosts of its namespace only; an exact name goes first', () => {
  const tls = (secretName: string, ...hosts: string[]) => ({ tls: [{ secretName, ...(hosts[0] ? { hosts } : {}) }] });
  const one = compiler(
    ingress('web', { 'a.b.org': [['/', 'web']], 'c.b.org': [['/', 'web']] }, {}, tls('wild', '*.b.org', 'bank.org')),
    ingress('own', { 'd.org': [['/', 'web']] }, {}, tls('own')),
    ingress('lost', { 'e.org': [['/', 'web']] }, {}, tls('lost')),
  );
  one.setService('shop/web', service('web'));
  one.setSecret('shop/wild', tlsSecret('wild'));
  one.setSecret('shop/own', tlsSecret('own'));
  one.setSecret('shop/exact', tlsSecret('exact'));
  one.setSecret('shop/unused', tlsSecret('unused'));
  one.setCertificate('shop/exact', certificate('exact', ['c.b.org'], 'internal'));
  const shown = () => [...one.state.certificates].map(([key, { hosts }]) => `${key} ${hosts}`).sort();
  assert.deepEqual(shown(), ['shop/exact c.b.org', 'shop/own d.org', 'shop/wild a.b.org']);
  assert.deepEqual(one.state.certificates.get('shop/own'), {
    ...{ hosts: ['d.org'], chain: 'chain of own', key: 'key of own' },
  });
  assert.deepEqual(one.ingressesOf('shop/exact'), ['shop/web']);
  assert.deepEqual(problemsOf(one), { 'shop/lost': ['there is no Secret shop/lost of type kubernetes.io/tls'] });
  const redirects = () => [...one.state.routes.values()].map(({ options }) => options.redirectsToHttps ?? false);
  assert.deepEqual(redirects(), [true, false, true, false], 'not to one that only the grid knows, nor to none');
  one.setCertificate('shop/lost', certificate('lost', ['e.org'], 'acme', 'tok'));
  assert.deepEqual([problemsOf(one), [...one.state.challenges]], [{}, [['tok', 'tok.x']]]);
  one.setSecret('shop/lost', tlsSecret('lost'));
  one.setCertificate('shop/lost', certificate('lost', ['e.org']));
  assert.deepEqual([redirects()[3], one.state.challenges.size], [true, 0]);
  one.setCertificate('shop/exact', undefined);
  assert.deepEqual(shown(), ['shop/lost e.org', 'shop/own d.org', 'shop/wild a.b.org,c.b.org']);
});

test('who has all hosts that nobody else has shows his certificate there', () => {
  const all = { defaultBackend: { service: { name: 'web', port: { number: 80 } } }, tls: [{ secretName: 'own' }] };
  const one = compiler(ingress('any', {}, {}, all));
  one.setSecret('shop/own', tlsSecret('own'));
  assert.equal(one.state.certificates.get('shop/own')?.isDefault, true);
  one.setIngress('shop/older', ingress('older', { '': [['/', 'web']] }, {}, {}, '2020-01-01T00:00:00Z'));
  assert.equal(one.state.certificates.get('shop/own'), undefined);
});

test('what does not change stays the same object', () => {
  const one = compiler(ingress('web', { 'a.b': [['/', 'web']], 'c.b': [['/', 'api']] }));
  one.setService('shop/web', service('web'));
  one.setSlice('shop/web-1', slice('web', ['10.80.0.2']));
  const before = one.state;
  assert.equal(one.state, before);
  one.setService('shop/web', { ...service('web'), status: { loadBalancer: {} } });
  one.setSlice('shop/web-1', slice('web', ['10.80.0.2']));
  one.setIngress('shop/web', ingress('web', { 'a.b': [['/', 'web']], 'c.b': [['/', 'api']] }));
  assert.equal(one.state, before);
  one.setSlice('shop/api-1', slice('api', ['10.80.0.3']));
  one.setService('shop/api', service('api'));
  const after = one.state;
  assert.notEqual(after.backends, before.backends);
  assert.equal(after.routes, before.routes);
  assert.equal(after.backends.get('shop/web:80'), before.backends.get('shop/web:80'));
});

type Change = readonly [
  kind: 'ingress' | 'service' | 'slice' | 'secret' | 'certificate' | 'class',
  at: number,
  form: number,
];

/** Objects of few names and forms, so that they meet often. */
function make([kind, at, form]: Change): unknown {
  const name = `n${at}`;
  if (form === 0) return undefined;
  const created = `202${form}-01-0${at + 1}T00:00:00Z`;
  const hosts = ['a.b.org', 'c.b.org', '*.b.org', ''];
  const rest = { service: { name: `n${form % 3}`, port: { number: 80 } } };
  if (kind === 'class') return form === 1 ? ourClass : { ...ourClass, spec: { controller: 'x.y/z' } };
  if (kind === 'service') {
    return form === 1 ? service(name) : service(name, { ports: [{ name: `p${form}`, port: 80 }] });
  }
  if (kind === 'slice') {
    const ports = form === 1 ? [{ name: 'http', port: 8080 }] : [{ name: `p${form}`, port: 9 }];
    return {
      ...slice(`n${(at + form) % 3}`, [`10.80.0.${form}`], ports),
      metadata: { ...slice(`n${(at + form) % 3}`, []).metadata, name },
    };
  }
  if (kind === 'secret') return form < 3 ? tlsSecret(`${name}-${form}`) : usersSecret(name, `u:${form}`);
  if (kind === 'certificate') {
    return certificate(
      name,
      [hosts[form % 3] ?? ''],
      form === 2 ? 'internal' : 'acme',
      form === 3 ? `t${at}` : undefined,
    );
  }
  if (form === 1)
    return ingress(
      name,
      {
        [hosts[at] ?? '']: [
          ['/', `n${at}`],
          ['/x', 'n0'],
        ],
      },
      {},
      { tls: [{ secretName: 'n1' }] },
      created,
    );
  if (form === 2)
    return ingress(
      name,
      { [hosts[(at + 1) % 4] ?? '']: [['/x', 'n1']] },
      { 'basic-auth-secret': 'n2' },
      { defaultBackend: rest },
      created,
    );
  if (form === 3)
    return ingress(
      name,
      { 'c.b.org': [['/', 'n2']] },
      { sticky: 'cookie' },
      { tls: [{ hosts: ['*.b.org'], secretName: `n${at}` }] },
      created,
    );
  return ingress(
    name,
    {},
    at === 0 ? { 'tcp-port': '99' } : {},
    { defaultBackend: rest, tls: [{ secretName: 'n0' }] },
    created,
  );
}

function put(one: IngressCompiler, change: Change): void {
  const key = `shop/n${change[1]}`;
  const value = make(change);
  const set = {
    ingress: () => one.setIngress(key, value as Ingress | undefined),
    service: () => one.setService(key, value as Service | undefined),
    slice: () => one.setSlice(key, value as EndpointSlice | undefined),
    secret: () => one.setSecret(key, value as Secret | undefined),
    certificate: () => one.setCertificate(key, value as Certificate | undefined),
    class: () => one.setClass(ownClass, value as IngressClass | undefined),
  };
  set[change[0]]();
}

const kinds = ['ingress', 'service', 'slice', 'secret', 'certificate', 'class'] as const;
const changes = fc.array(fc.tuple(fc.constantFrom(...kinds), fc.nat(2), fc.nat(4), fc.boolean()), {
  minLength: 1,
  maxLength: 40,
});

test('step by step comes out as from scratch, whatever came before', () => {
  fc.assert(
    fc.property(changes, (all) => {
      const stepwise = new IngressCompiler(settings);
      const last = new Map<string, Change>();
      for (const [kind, at, form, isAsked] of all) {
        const change: Change = [kind, at, form];
        put(stepwise, change);
        last.set(kind === 'class' ? kind : `${kind}/${at}`, change);
        if (isAsked) void stepwise.state;
      }
      const fresh = new IngressCompiler(settings);
      for (const change of [...last.values()].reverse()) put(fresh, change);
      assert.deepEqual(stepwise.state, fresh.state);
      assert.deepEqual(stepwise.problems, fresh.problems);
      for (const key of fresh.state.certificates.keys()) {
        assert.deepEqual(stepwise.ingressesOf(key), fresh.ingressesOf(key));
      }
    }),
    { numRuns: 500 },
  );
});
