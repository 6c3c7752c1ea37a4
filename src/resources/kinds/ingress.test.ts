import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeValue } from '../decode.ts';
import { applyDefaults } from '../defaults.ts';
import type { Kind } from '../kind.ts';
import { ingressClasses, ingresses } from '../kinds.ts';
import type { ApiObject } from '../object.ts';
import type { JsonObject } from '../schema.ts';
import { renderTable } from '../table.ts';
import { validate, validateUpdate } from '../validate.ts';
import { warningsOf } from '../warnings.ts';

const metadata = { name: 'x', namespace: 'shop', creationTimestamp: '2026-01-01T00:00:00Z' };
const nowMs = Date.UTC(2026, 0, 1, 0, 5);

function made<T extends ApiObject>(kind: Kind<T>, value: JsonObject): T {
  return applyDefaults(kind, decodeValue(kind, { metadata, ...value }, { strictness: 'Strict' }).object);
}
const ingress = (spec: JsonObject) => made(ingresses, { spec });
const service = (port: JsonObject = { number: 80 }, name = 'web') => ({ service: { name, port } });
const path = (one: JsonObject) => ({ rules: [{ http: { paths: [{ backend: service(), ...one }] } }] });
const host = (name: string) => ({ rules: [{ host: name }] });
const at = 'spec.rules[0].http.paths[0]';

const cases: readonly (readonly [JsonObject, readonly string[]])[] = [
  [{ defaultBackend: service() }, []],
  [host('shop.example.org'), []],
  [host('*.example.org'), []],
  [path({ path: '/a/b', pathType: 'Prefix' }), []],
  [path({ path: '/', pathType: 'Exact' }), []],
  [path({ pathType: 'ImplementationSpecific' }), []],
  [{ ...host('a.b'), tls: [{ hosts: ['*.b', 'a.b'], secretName: 'web.tls' }, {}] }, []],
  [{}, ['spec: Invalid value: []: either `defaultBackend` or `rules` must be specified']],
  [
    { defaultBackend: { resource: { kind: 'Bucket', name: 'b' } } },
    [
      'spec.defaultBackend.resource: Forbidden: not supported by Flotilla: name a Service object; `service` says which, and its port',
    ],
  ],
  [{ defaultBackend: {} }, ['spec.defaultBackend: Invalid value: "": resource or service backend is required']],
  [{ defaultBackend: service({}) }, ['spec.defaultBackend: Required value: port name or number is required']],
  [
    { defaultBackend: service({ number: 80, name: 'http' }) },
    ['spec.defaultBackend: Invalid value: "": cannot set both port name & port number'],
  ],
  [
    { defaultBackend: service({ number: 65_536 }) },
    ['spec.defaultBackend.service.port.number: Invalid value: 65536: must be between 1 and 65535, inclusive'],
  ],
  [{ defaultBackend: service({ name: 'a--b' }) }, ['spec.defaultBackend.service.port.name: Invalid value: "a--b"']],
  [{ defaultBackend: service({ number: 1 }, 'Web') }, ['spec.defaultBackend.service.name: Invalid value: "Web"']],
  [{ defaultBackend: service({ number: 1 }, '') }, ['spec.defaultBackend.service.name: Required value']],
  [host('10.0.0.1'), ['spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address']],
  ...['*', 'a.*.org', '*a.org', 'a.*', '**.org', '*.A.org'].map((one): [JsonObject, string[]] => [
    host(one),
    [`spec.rules[0].host: Invalid value: "${one}": a wildcard DNS-1123 subdomain must start with '*.'`],
  ]),
  ...['Shop.org', 'a_b.org', 'a..b', 'a.org:80', 'a.org/x', '-a.org'].map((one): [JsonObject, string[]] => [
    host(one),
    [`spec.rules[0].host: Invalid value: "${one}": a lowercase RFC 1123 subdomain`],
  ]),
  [{ rules: [{ http: { paths: [] } }] }, ['spec.rules[0].http.paths: Required value']],
  [path({ path: '/' }), [`${at}.pathType: Required value: pathType must be specified`]],
  [
    path({ path: '/', pathType: 'Regex' }),
    [`${at}.pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"`],
  ],
  [path({ pathType: 'Prefix' }), [`${at}.path: Invalid value: "": must be an absolute path`]],
  [path({ path: 'a', pathType: 'Exact' }), [`${at}.path: Invalid value: "a": must be an absolute path`]],
  [
    path({ path: 'a', pathType: 'ImplementationSpecific' }),
    [`${at}.path: Invalid value: "a": must be an absolute path`],
  ],
  [path({ path: '/a//b', pathType: 'Prefix' }), [`${at}.path: Invalid value: "/a//b": must not contain '//'`]],
  [path({ path: '/a%2fb', pathType: 'Exact' }), [`${at}.path: Invalid value: "/a%2fb": must not contain '%2f'`]],
  [path({ path: '/a/..', pathType: 'Exact' }), [`${at}.path: Invalid value: "/a/..": cannot end with '/..'`]],
  [path({ path: '/a b', pathType: 'Exact' }), [`${at}.path: Invalid value: "/a b": must consist of printable`]],
  [path({ path: '/a\n', pathType: 'ImplementationSpecific' }), [`${at}.path: Invalid value`]],
  [{ ...host('a.b'), ingressClassName: 'A' }, ['spec.ingressClassName: Invalid value: "A"']],
  [{ ...host('a.b'), tls: [{ hosts: ['*'] }] }, ['spec.tls[0].hosts[0]: Invalid value: "*": a wildcard']],
  [{ ...host('a.b'), tls: [{ secretName: 'a/b' }] }, ['spec.tls[0].secretName: Invalid value: "a/b"']],
];

for (const [spec, expected] of cases) {
  test(`${JSON.stringify(spec).slice(0, 100)}: ${expected[0]?.slice(0, 60) ?? 'right'}`, () => {
    const found = validate(ingresses, ingress(spec)).map((error) => `${error.field}: ${error.message}`);
    assert.equal(found.length, expected.length, found.join('\n'));
    for (const [index, text] of expected.entries()) assert.ok(found[index]?.startsWith(text), found[index]);
  });
}

test('the annotation that said the class before is warned about', () => {
  const old = ingress(host('a.b'));
  old.metadata.annotations = { 'kubernetes.io/ingress.class': 'other' };
  assert.deepEqual(warningsOf(ingresses, old), [
    'annotation "kubernetes.io/ingress.class" is deprecated, please use \'spec.ingressClassName\' instead',
  ]);
  assert.deepEqual(warningsOf(ingresses, ingress(host('a.b'))), []);
});

const cellsOf = (spec: JsonObject, ips: readonly string[] = []) => {
  const one = { ...ingress(spec), status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } } };
  return renderTable(ingresses, [one], { nowMs }).rows[0]?.cells;
};

test('what kubectl get shows of an Ingress', () => {
  assert.deepEqual(cellsOf({ defaultBackend: service() }), ['x', '<none>', '*', '', '80', '5m']);
  const hosts = ['a.b', 'c.b', 'd.b', 'e.b'].map((name) => ({ host: name }));
  const many = { ingressClassName: 'flotilla', rules: hosts, tls: [{}] };
  assert.deepEqual(cellsOf(many, ['10.1.0.2', '10.1.0.1']), [
    ...['x', 'flotilla', 'a.b,c.b,d.b + 1 more...', '10.1.0.1,10.1...', '80, 443', '5m'],
  ]);
});

const ingressClass = (spec: JsonObject) => made(ingressClasses, { metadata: { name: 'x' }, spec });
const classProblems = (spec: JsonObject) =>
  validate(ingressClasses, ingressClass(spec)).map((error) => `${error.field}: ${error.message}`);

test('an IngressClass', () => {
  const parameters = { apiGroup: 'example.org', kind: 'Settings', name: 'fast' };
  const right = ingressClass({ controller: 'example.org/proxy', parameters });
  assert.deepEqual(validate(ingressClasses, right), []);
  assert.deepEqual(renderTable(ingressClasses, [right], { nowMs }).rows[0]?.cells.slice(0, 3), [
    ...['x', 'example.org/proxy', 'Settings.example.org/fast'],
  ]);
  assert.deepEqual(classProblems({}), ['spec.controller: Required value']);
  assert.match(classProblems({ controller: 'proxy' })[0] ?? '', /must be a domain-prefixed path/);
  assert.match(classProblems({ controller: 'a.b/x y' })[0] ?? '', /Invalid value: "x y"/);
  assert.match(classProblems({ controller: `a.b/${'x'.repeat(250)}` })[0] ?? '', /Too long/);
  const problem = (more: JsonObject) => classProblems({ controller: 'a.b/c', parameters: { ...parameters, ...more } });
  assert.deepEqual(problem({ scope: 'Namespace', namespace: 'shop' }), []);
  assert.match(problem({ scope: 'Namespace' })[0] ?? '', /parameters.namespace: Required value/);
  assert.match(problem({ namespace: 'shop' })[0] ?? '', /parameters.namespace: Forbidden/);
  assert.match(problem({ scope: 'All' })[0] ?? '', /supported values: "Cluster", "Namespace"/);
  assert.match(problem({ kind: '' })[0] ?? '', /parameters.kind: Required value/);
  const [change] = validateUpdate(ingressClasses, ingressClass({ controller: 'a.b/other' }), right);
  assert.equal(change?.message, 'Invalid value: "a.b/other": field is immutable');
});
