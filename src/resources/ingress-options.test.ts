import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ingressOptionErrors, ingressOptions, ingressOptionsOf, optionPrefix } from './ingress-options.ts';
import type { Ingress } from './kinds.ts';

const backend = { service: { name: 'web', port: { number: 80 } } };
const withHost: Ingress['spec'] = {
  rules: [{ host: 'a.example.org', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
};
const plain: Ingress['spec'] = { defaultBackend: backend };

function ingress(options: Readonly<Record<string, string>>, spec: Ingress['spec'] = withHost): Ingress {
  const annotations = Object.fromEntries(Object.entries(options).map(([name, text]) => [optionPrefix + name, text]));
  return { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'web', annotations }, spec };
}
const problems = (options: Readonly<Record<string, string>>, spec?: Ingress['spec']) =>
  ingressOptionErrors(ingress(options, spec)).map((error) => {
    assert.match(error.field, /^metadata\.annotations\[ingress\.flotilla\.dev\/.+\]$/);
    return `${error.field.slice(42, -1)}: ${error.message.replace(/^Invalid value: .*?: (?=[a-z])/, '')}`;
  });
const all = Object.values(ingressOptions);

describe('options of Ingress objects', () => {
  it('are read into values', () => {
    const said = {
      balance: 'leastconn',
      sticky: 'cookie',
      'sticky-cookie-name': 'shop',
      'rewrite-path': '/app',
      'ssl-redirect': 'true',
      hsts: '180d',
      allow: '10.0.0.0/8, 192.0.2.7,2001:db8::1,10.0.0.0/8',
      'set-request-headers': '{"X-A": "b c", "X-Quote": "\\"%\\""}',
      'remove-response-headers': 'Server, X-Powered-By',
      'connect-timeout': '1.5s',
      'max-body-size': '10m',
      retries: '0',
      'health-check': 'http',
      'health-check-path': '/up%20',
      'health-check-interval': '1m30s',
    };
    assert.deepEqual(problems(said), []);
    assert.deepEqual(ingressOptionsOf(ingress(said)), {
      balance: 'leastconn',
      sticky: 'cookie',
      stickyCookieName: 'shop',
      rewritePath: '/app',
      sslRedirect: true,
      hstsSeconds: 15_552_000,
      allow: ['10.0.0.0/8', '192.0.2.7/32', '2001:db8::1/128'],
      setRequestHeaders: { 'X-A': 'b c', 'X-Quote': '"%"' },
      removeResponseHeaders: ['Server', 'X-Powered-By'],
      connectTimeoutMs: 1_500,
      maxBodyBytes: 10_485_760,
      retries: 0,
      healthCheck: 'http',
      healthCheckPath: '/up%20',
      healthCheckIntervalMs: 90_000,
    });
    assert.deepEqual(ingressOptionsOf(ingress({ balance: 'fair', nothing: 'x' })), {}, 'what is wrong is left out');
  });

  it('that are unknown are refused with the nearest right name', () => {
    assert.deepEqual(problems({ ballance: 'source' }), ['ballance: there is no such option; did you mean "balance"?']);
    assert.deepEqual(problems({ ssl_redirect: 'true' }), [
      'ssl_redirect: there is no such option; did you mean "ssl-redirect"?',
    ]);
    assert.match(problems({ quux: 'x' })[0] ?? '', /known are: balance, sticky, /);
    assert.match(problems({ balance: 'leastcon' })[0] ?? '', /did you mean "leastconn"\?$/);
  });

  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['ssl-redirect', ['yes', '', 'TRUE', '1'], /must be true or false/],
    ['rewrite-path', ['', 'app', '/a?b', '/a#b', '/a b', '/a"b', '/%2', '/a/../b', '/é'], /must /],
    ['hsts', ['', '1', '-1s', '500ms', '10y', '2000d'], /must be a duration of whole seconds/],
    ['connect-timeout', ['', '0s', '5', '5 s', '1e3s', '500h', '-5s', 'NaNs'], /must be a duration/],
    ['max-body-size', ['', '0', '-1', '10q', '2t', '1e9'], /must be a size/],
    ['retries', ['', '-1', '11', '1.5', '01', ' 1', '0x1'], /must be a number from 0 to 10/],
    ['tcp-port', ['0', '65536', 'http'], /must be a number from 1 to 65535/],
    ['allow', ['', 'x', '10.0.0.0/33', '10.0.0/8', '10.0.0.1,', '::/129', '010.0.0.1'], /must /],
    ['sticky-cookie-name', ['', 'a b', 'a;b', 'a=b', 'x'.repeat(65)], /must be 1 to 64/],
    ['basic-auth-realm', ['', 'a"b', 'a\\b', 'é'], /must be 1 to 128/],
    ['basic-auth-secret', ['', 'A', 'a/b', '../x'], /must be the name of an object/],
    ['set-request-headers', ['', 'X-A: b', '[]', 'null', '"x"', '{"X-A": 1}', '{"X A": "b"}', '{"": "b"}'], /must /],
    ['set-response-headers', ['{"X-A": "a\\r\\nX-B: c"}', '{"X-A": "\\u0000"}', '{"X-A\\n": "b"}'], /must have/],
    ['set-request-headers', ['{"Transfer-Encoding": "chunked"}', '{"content-length": "0"}'], /frame messages/],
    ['set-request-headers', ['{"X-A": "b", "x-a": "c"}'], /each header once; "x-a" is there twice/],
    ['remove-request-headers', ['', 'X A', 'Host', 'X-A,,X-B', 'Connection'], /must /],
    ['maintenance-page', ['', 'x'.repeat(4_097)], /must be 1 to 4096 bytes/],
  ];
  for (const [name, texts, expected] of wrong) {
    for (const text of texts) {
      it(`refuses ${name} ${JSON.stringify(text).slice(0, 60)}`, () => {
        const found = problems({ [name]: text });
        assert.ok(found.length >= 1);
        assert.match(found[0] ?? '', expected);
      });
    }
  }

  it('have an example that is right, a sentence, and a name of their own', () => {
    for (const { form, example, description, name } of all) {
      assert.ok('value' in form.read(example), `${name}: ${JSON.stringify(form.read(example))}`);
      assert.match(description, /\.$/);
      assert.match(name, /^[a-z]+(-[a-z]+)*$/);
    }
    assert.equal(new Set(all.map((one) => one.name)).size, all.length);
  });

  it('whatever is written, it is refused or what is read has no line or control character in it', () => {
    const anyName = fc.constantFrom(...all.map((one) => one.name));
    const anyText = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom(...all.map((one) => one.example)),
      fc.json(),
      fc.dictionary(fc.string(), fc.string({ unit: 'binary' })).map((one) => JSON.stringify(one)),
    );
    fc.assert(
      fc.property(anyName, anyText, (name, text) => {
        const one = ingress({ [name]: text });
        const isRefused = ingressOptionErrors(one).length > 0;
        const read = JSON.stringify(ingressOptionsOf(one));
        if (!isRefused) assert.notEqual(read, '{}');
        // JSON writes each control character as \uXXXX, \n and the like; a backslash of the text itself as two.
        assert.doesNotMatch(read.replaceAll('\\\\', '').replaceAll('\\"', ''), /\\/);
        assert.doesNotMatch(read, /[\u0080-\u009f\u2028\u2029]/);
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuse a line or control character anywhere in what is otherwise right', () => {
    const anyOption = fc.constantFrom(...all);
    const anyControl = fc.constantFrom(
      '\n',
      '\r',
      '\r\n',
      '\0',
      '\t',
      '\u001b',
      '\u007f',
      '\u0085',
      '\u2028',
      '\u2029',
    );
    fc.assert(
      fc.property(anyOption, anyControl, fc.nat(), ({ name, example }, control, at) => {
        const place = at % (example.length + 1);
        const found = problems({ [name]: example.slice(0, place) + control + example.slice(place) });
        assert.match(found[0] ?? '', /must be one line without control characters/);
      }),
    );
  });

  it('read what is written of any right value', () => {
    const octet = fc.nat(255);
    const address = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'));
    const network = fc.tuple(address, fc.integer({ min: 0, max: 32 })).map(([one, bits]) => `${one}/${bits}`);
    const header = fc.stringMatching(/^X-[A-Za-z0-9]{1,12}$/);
    const value = fc.stringMatching(/^[\x20-\x7e]{0,30}$/);
    fc.assert(
      fc.property(
        fc.uniqueArray(network, { minLength: 1, maxLength: 20 }),
        fc.uniqueArray(fc.tuple(header, value), { maxLength: 10, selector: ([name]) => name.toLowerCase() }),
        fc.integer({ min: 1, max: 1_000_000 }),
        (allow, entries, ms) => {
          const setRequestHeaders = Object.fromEntries(entries);
          const one = ingress({
            allow: allow.join(', '),
            'set-request-headers': JSON.stringify(setRequestHeaders),
            'server-timeout': `${ms}ms`,
          });
          assert.deepEqual(ingressOptionErrors(one), []);
          assert.deepEqual(ingressOptionsOf(one), { allow, setRequestHeaders, serverTimeoutMs: ms });
        },
      ),
    );
  });
});

const conflicts: readonly (readonly [Readonly<Record<string, string>>, Ingress['spec'], readonly string[]])[] = [
  [{ 'tcp-port': '5432', allow: '10.0.0.0/8', sticky: 'source' }, plain, []],
  [{ 'tls-passthrough': 'true', 'server-timeout': '5m' }, withHost, []],
  [{ 'sticky-cookie-name': 'x' }, withHost, ['sticky-cookie-name: needs sticky: cookie']],
  [{ 'basic-auth-realm': 'x' }, withHost, ['basic-auth-realm: needs basic-auth-secret']],
  [
    { sticky: 'source', balance: 'leastconn' },
    withHost,
    ['balance: contradicts sticky: source, which is a balance of its own'],
  ],
  [{ 'health-check-path': '/' }, withHost, ['health-check-path: needs health-check: http']],
  [
    { 'health-check': 'none', 'health-check-fall': '3' },
    withHost,
    ['health-check-fall: contradicts health-check: none'],
  ],
  [{ 'health-check-timeout': '3s' }, withHost, ['health-check-timeout: must not be longer than health-check-interval']],
  [
    { 'set-request-headers': '{"X-A": "b"}', 'remove-request-headers': 'x-a' },
    withHost,
    ['remove-request-headers: contradicts set-request-headers, which sets X-A'],
  ],
  [{ tls: 'none', 'ssl-redirect': 'true' }, withHost, ['ssl-redirect: contradicts tls: none: nothing answers HTTPS']],
  [{ tls: 'none', 'ssl-redirect': 'true' }, { ...withHost, tls: [{ secretName: 'web-tls' }] }, []],
  [
    { 'tcp-port': '5432', 'rewrite-path': '/' },
    plain,
    ['rewrite-path: contradicts tcp-port: what is sent is not looked at'],
  ],
  [{ 'tcp-port': '5432', tls: 'acme' }, plain, ['tls: contradicts tcp-port: TLS is not ended here']],
  [{ 'tcp-port': '5432' }, { ...plain, tls: [{}] }, ['tcp-port: does not end TLS: leave out spec.tls']],
  [
    { 'tcp-port': '5432' },
    withHost,
    ['tcp-port: has no hosts and paths: leave out spec.rules, spec.defaultBackend gets all of it'],
  ],
  [{ 'tls-passthrough': 'true' }, plain, ['tls-passthrough: needs a host in each of spec.rules: it is what chooses']],
  [
    { 'tls-passthrough': 'true' },
    { rules: [{ host: 'a.b', http: { paths: [{ path: '/x', pathType: 'Prefix', backend }] } }] },
    ['tls-passthrough: does not see paths: leave one path / for each host'],
  ],
  [
    { 'tls-passthrough': 'true', sticky: 'cookie' },
    withHost,
    ['sticky: contradicts tls-passthrough: what is sent is not looked at'],
  ],
];

describe('options that do not go together', () => {
  for (const [options, spec, expected] of conflicts) {
    it(`${JSON.stringify(options)}: ${expected[0] ?? 'they do'}`, () => {
      const found = ingressOptionErrors(ingress(options, spec));
      assert.deepEqual(
        found.map(({ field, message }) => {
          const option = /dev\/(.*)\]$/.exec(field)?.[1] ?? '';
          const value = JSON.stringify(options[option]);
          assert.ok(message.startsWith(`Invalid value: ${value}: `), message);
          return `${option}: ${message.slice(`Invalid value: ${value}: `.length)}`;
        }),
        expected,
      );
    });
  }
});
