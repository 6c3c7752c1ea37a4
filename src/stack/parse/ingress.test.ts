// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Compose writes its variables like that
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FlotillaError } from '../../lib/errors.ts';
import { ingressOptions } from '../../resources/ingress-options.ts';
import type { StackService } from '../../resources/stack-types.ts';
import { parseStackFile } from '../parse.ts';
import { ingressRules } from './ingress.ts';

function parse(text: string, set: Record<string, string> = {}) {
  return parseStackFile({
    text,
    fileName: 'flotilla.yml',
    directory: '/shop',
    environment: {},
    set,
    readFile: (path) => {
      throw Object.assign(new Error(path), { code: 'ENOENT' });
    },
  });
}

/** The keys `ingress` and `automaticName` of a service with port 8080. */
function read(yaml: string, set: Record<string, string> = {}): Pick<StackService, 'ingress' | 'automaticName'> {
  const text = `services:\n  web:\n    image: nginx\n    expose: 8080\n    ingress: ${yaml}\n`;
  const { image: _i, instances: _n, expose: _e, ...rest } = parse(text, set).spec.services.web ?? ({} as StackService);
  return rest;
}

function problems(text: string, set: Record<string, string> = {}): string[] {
  try {
    parse(text, set);
  } catch (error) {
    assert.ok(error instanceof FlotillaError && error.code === 'BadFile', String(error));
    const lines = error.message.split('\n');
    if (lines.length > 1) return lines.slice(1).map((line) => line.trim());
    return [`${error.message}${error.hint ? ` (${error.hint})` : ''}`];
  }
  return [];
}
const wrong = (yaml: string, set: Record<string, string> = {}) =>
  problems(`services:\n  web:\n    image: nginx\n    expose: 8080\n    ingress: ${yaml}\n`, set).map((line) =>
    line.replace('flotilla.yml:', '').replaceAll(' in "ingress" of service "web"', ''),
  );

const right: readonly (readonly [yaml: string, ReturnType<typeof read>])[] = [
  ['false', { automaticName: false }],
  ['true', {}],
  ['[]', {}],
  ['{host: shop.example.org}', { ingress: [{ host: 'shop.example.org' }] }],
  ['[{host: "*.example.org", port: 8081}]', { ingress: [{ host: '*.example.org', port: 8081 }] }],
  ['[{host: "*"}]', { ingress: [{ host: '*' }] }],
  ['[{host: a.b, path: /api, path_type: exact}]', { ingress: [{ host: 'a.b', path: '/api', pathType: 'Exact' }] }],
  ['[{host: a.b, tls: acme}, {path: /x}]', { ingress: [{ host: 'a.b', tls: 'acme' }, { path: '/x' }] }],
  ['[{host: a.b, tls: {secret: shop-tls}}]', { ingress: [{ host: 'a.b', tlsSecret: 'shop-tls' }] }],
  ['[{listen: 5432}]', { ingress: [{ port: 5432, listen: 5432 }] }],
  [
    '[{port: 5432, listen: 15432, allow: 10.0.0.0/8}]',
    {
      ingress: [{ port: 5432, listen: 15_432, options: { allow: '10.0.0.0/8' } }],
    },
  ],
  ['[{host: a.b, tls_passthrough: true}]', { ingress: [{ host: 'a.b', options: { 'tls-passthrough': 'true' } }] }],
  ['[{host: a.b, automatic: false}]', { ingress: [{ host: 'a.b' }], automaticName: false }],
];

describe('ingress of a service', () => {
  for (const [yaml, expected] of right) it(`takes ${yaml}`, () => assert.deepEqual(read(yaml), expected));

  it('has every option as a key, in the form that suits it', () => {
    const known = new Set(Object.keys(ingressRules));
    for (const { name } of Object.values(ingressOptions)) assert.ok(known.has(name.replaceAll('-', '_')), name);
    const { ingress } = read(
      `
      - host: a.b
        ssl_redirect: false
        retries: 0
        max_body_size: 10m
        allow: [10.0.0.0/8, 192.0.2.7]
        deny: 192.0.2.0/24,198.51.100.1
        set_response_headers: {X-Frame-Options: DENY, X-Number: 5}
        remove_request_headers: [X-Debug]
        maintenance_page: >-
          <h1>Back
          soon</h1>`,
    );
    assert.deepEqual(ingress?.[0]?.options, {
      'ssl-redirect': 'false',
      retries: '0',
      'max-body-size': '10m',
      allow: '10.0.0.0/8,192.0.2.7',
      deny: '192.0.2.0/24,198.51.100.1',
      'set-response-headers': '{"X-Frame-Options":"DENY","X-Number":"5"}',
      'remove-request-headers': 'X-Debug',
      'maintenance-page': '<h1>Back soon</h1>',
    });
  });

  it('expands variables', () => {
    const text =
      'variables: {domain: {default: shop.localhost}, size: {default: 5m}}\nservices:\n  web:\n    image: a\n    expose: 80\n' +
      '    ingress: [{host: "${domain}", max_body_size: "${size}"}]\n';
    const found = (set = {}) => parse(text, set).spec.services.web?.ingress;
    assert.deepEqual(found(), [{ host: 'shop.localhost', options: { 'max-body-size': '5m' } }]);
    assert.equal(found({ domain: 'example.org' })?.[0]?.host, 'example.org');
  });

  const refused: readonly (readonly [yaml: string, string | RegExp, set?: Record<string, string>])[] = [
    ['yes please', '5:14: "ingress" of service "web" must be true or false, not "yes please"'],
    ['[5]', /^5:15: an entry of "ingress" of service "web" must be a map/],
    ['[{hots: a.b}]', '5:16: unknown key "hots" (did you mean "host"?)'],
    ['[{host: a.b, ssl_redirct: true}]', '5:27: unknown key "ssl_redirct" (did you mean "ssl_redirect"?)'],
    ['[{host: a.b, tcp_port: 5}]', '5:27: "tcp_port" is not supported (write listen)'],
    ['[{host: Shop.Example.org}]', '5:22: "host" must be a host name (write it in small letters: shop.example.org)'],
    ['[{host: "a b"}]', '5:22: "host" must be a host name (such as shop.example.org or *.example.org)'],
    ['[{host: 10.0.0.1}]', /^5:22: "host" must be a host name/],
    ['[{host: a.b, port: 0}]', '5:33: "port" must be from 1 to 65535, not 0'],
    ['[{host: a.b, path: api}]', '5:27: "path" must be an absolute path'],
    ['[{host: a.b, path: /a/../b}]', '5:27: "path" must not contain \'/../\''],
    ['[{host: a.b, path_type: regex}]', '5:38: "path_type" must be one of exact, prefix, Exact, Prefix, not "regex"'],
    ['[{host: a.b, tls: letsencrypt}]', '5:32: "tls" must be one of acme, internal, none, not "letsencrypt"'],
    ['[{host: a.b, tls: {}}]', '5:32: "tls" has no "secret" (write tls: {secret: NAME})'],
    ['[{host: a.b, tls: {secret: A_b}}]', '5:41: "secret" of "tls" is no name of an object'],
    [
      '[{host: a.b, balance: leastcon}]',
      '5:36: "balance" must be one of roundrobin, leastconn, random, source, uri; did you mean "leastconn"?',
    ],
    ['[{host: a.b, allow: [10.0.0.0/8, x]}]', /^5:34: "allow" must be addresses or networks .*; "x" is not$/],
    ['[{host: a.b, allow: "${secret}"}]', /^5:34: "allow" must be addresses [^;]*$/, { secret: 'hunter2' }],
    ['[{host: a.b, set_request_headers: {"X A": b}}]', /^5:48: "set_request_headers" must have names of headers/],
    ['[{host: a.b, set_request_headers: [a]}]', '5:48: "set_request_headers" must be a map, not a list'],
    [
      '[{host: a.b, maintenance_page: "a\\nb"}]',
      '5:45: "maintenance_page" must be one line without control characters (YAML folds lines into one with ">-")',
    ],
    ['[{host: a.b, set_response_headers: {X-A: "b\\r\\nX-B: c"}}]', /^5:49: "set_response_headers" must have values/],
    ['[{host: a.b}, {host: a.b}]', '5:28: host a.b, path / is twice'],
    ['[{host: a.b, health_check_path: /}]', '5:27: "health_check_path" needs health_check: http'],
    ['[{listen: 5432, path: /}]', '5:30: "path" contradicts "listen", which passes on all that comes'],
    ['[{listen: 5432, tls: acme}]', '5:30: "tls" contradicts "listen", which passes on all that comes'],
    ['[{listen: 5432, hsts: 1d}]', '5:30: "hsts" contradicts listen: what is sent is not looked at'],
    [
      '[{host: a.b, path: /x, tls_passthrough: true}]',
      '5:37: "tls_passthrough" does not see paths: leave one path / for each host',
    ],
  ];
  for (const [yaml, expected, set] of refused) {
    it(`refuses ${yaml}`, () => {
      const prefix = set ? '' : undefined;
      const found = set
        ? problems(
            `services:\n  web:\n    image: nginx\n    expose: 8080\n    ingress: ${yaml}\nvariables: {secret: {default: x}}\n`,
            set,
          ).map((line) => line.replace('flotilla.yml:', '').replaceAll(' in "ingress" of service "web"', ''))
        : wrong(yaml);
      assert.equal(found.length, 1, found.join('\n') + (prefix ?? ''));
      if (typeof expected === 'string') assert.equal(found[0], expected);
      else assert.match(found[0] ?? '', expected);
    });
  }

  it('needs a port where the service has none, and leads to one service', () => {
    assert.deepEqual(problems('services:\n  web:\n    image: a\n    ingress: [{host: a.b}]\n'), [
      'flotilla.yml:4:15: an entry of "ingress" of service "web" has no "port", and no HTTP port is exposed (name the port of the container: port: 8080)',
    ]);
    const two = (more: string) =>
      problems(
        `services:\n  web: {image: a, expose: 80, ingress: [{host: a.b}]}\n  api: {image: a, expose: 80, ingress: [{host: a.b${more}}]}\n`,
      );
    assert.deepEqual(two(', path: /api'), []);
    assert.deepEqual(two(''), [
      'flotilla.yml:3:3: host a.b, path / of "ingress" leads to service "web" and to service "api"',
    ]);
  });
});
