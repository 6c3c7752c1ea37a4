import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { backend, route, state } from '../contract.ts';
import type { BackendOptions, IngressState, RouteOptions } from '../port.ts';
import type { Environment } from './bind-lines.ts';
import { culprits } from './culprits.ts';
import { emptyRegistry, nameSections, nextRegistry, parseRegistry, renderRegistry } from './registry.ts';
import { type Configuration, frameOf, renderConfiguration } from './render.ts';
import { listenerKey, nothingAccepted, readWish, type Wish } from './wish.ts';

const settings = {
  httpPort: 80,
  httpsPort: 443,
  trustedProxies: [],
  acceptsProxyProtocol: false,
  maxConnections: 1_000,
};
const environment: Environment = {
  addresses: ['*', '::'],
  maxConnections: 500,
  socketDirectory: '/run/x',
  user: { name: 'haproxy', group: 'haproxy' },
};

function render(wanted: IngressState): {
  readonly wish: Wish;
  readonly configuration: Configuration;
  readonly text: string;
} {
  const wish = readWish(wanted, nothingAccepted, new Map());
  const naming = nameSections(emptyRegistry, wish);
  const frame = frameOf(wish, naming.names, environment);
  const { sections, inForce, generation } = nextRegistry(emptyRegistry, naming, frame.hash, 2);
  const configuration = renderConfiguration({
    wish,
    frame,
    names: naming.names,
    sections,
    inForce,
    generation,
    defaultPem: 'pem\n',
  });
  return { wish, configuration, text: configuration.files.get('haproxy.cfg') ?? '' };
}

const web = backend('shop/web:80', [
  { address: '10.0.0.1', port: 80 },
  { address: 'fd00::1', port: 80 },
  { address: 'name', port: 80 },
]);

describe('what HAProxy is given', () => {
  test('servers by address, spare sections, and maps of hosts and paths', () => {
    const routes = {
      a: route('web.test', '/a/', web, { redirectsToHttps: true, hstsSeconds: 5 }),
      b: { ...route('web.test', '/b', web), pathType: 'Exact' as const },
    };
    const { configuration, text } = render(state({ settings }, routes, [web]));
    assert.match(
      text,
      /\n {2}server 10\.0\.0\.1:80 10\.0\.0\.1:80 id 1 sni 'var\(txn\.own\)' pool-max-conn 64 pool-purge-delay 1s check inter 2000ms fall 2 rise 1\n/,
    );
    assert.match(text, /\n {2}server fd00::1:80 '\[fd00::1\]:80' id \d+ sni /);
    assert.doesNotMatch(text, /server name/);
    assert.match(text, /\nbackend spare-1\nbackend spare-2\n/);
    assert.match(text, /\n {2}bind \*:80\n {2}bind :::80 v6only\n/);
    assert.match(text, /\n {2}maxconn 500\n/);
    assert.equal(configuration.files.get('hosts.map'), 'web.test web.test\n');
    assert.match(configuration.files.get('prefix.map') ?? '', /^web\.test\/a\/ shop_web:80\.\w+\|R\|5\n$/);
    assert.match(configuration.files.get('exact.map') ?? '', /^web\.test\/b shop_web:80\.\w+\|-\|\n$/);
  });

  test('what HAProxy refuses is traced to who asked for it', () => {
    const bad = backend('shop/bad:80', [], { balance: 'leastconn' });
    const tcp = { ...backend('shop/tcp:1', []), mode: 'tcp' } as const;
    const listener = { port: 9_000, backend: tcp.name };
    const wanted = state(
      { settings },
      { web: route('a.test', '/', web), bad: route('b.test', '/', bad) },
      [web, bad, tcp],
      { listeners: new Map([['tcp', listener]]) },
    );
    const { wish, configuration, text } = render(wanted);
    const lineOf = (part: string) => text.split('\n').findIndex((line) => line.includes(part)) + 1;
    const key = [...wish.sections.values()].find(({ users }) => users.includes('bad'))?.key ?? '';
    const parsing = culprits(
      [`config : parsing [haproxy.cfg:${lineOf('balance leastconn')}] : 'balance' is wrong.`],
      configuration,
    );
    assert.deepEqual([...parsing], [[key, "HAProxy refuses it: 'balance' is wrong."]]);
    const [name] = /shop_bad:80\.\w+/.exec(text) ?? [''];
    assert.deepEqual([...culprits([`config : backend '${name}' has no sense`], configuration).keys()], [key]);
    const bound = culprits([`config : parsing [haproxy.cfg:${lineOf('bind *:9000')}] : x`], configuration);
    assert.deepEqual([...bound.keys()], [listenerKey(listener)]);
    assert.equal(culprits(['config : out of memory'], configuration).size, 0);
  });

  test('whatever options say, each line is one that is meant', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('a\nb', "'", '"', '\\', '%[src]', '# x', 'x if TRUE'),
    );
    const routeOptions: fc.Arbitrary<RouteOptions> = fc.record(
      {
        rewritePath: text.map((one) => `/${one}`),
        basicAuth: fc.record({
          realm: text,
          users: fc.array(
            text.map((one) => `${one}:$6$s$abc`),
            { maxLength: 2 },
          ),
        }),
        allow: fc.array(text, { maxLength: 2 }),
        setRequestHeaders: fc.dictionary(text, text, { maxKeys: 2 }),
        removeRequestHeaders: fc.array(text, { maxLength: 2 }),
        setResponseHeaders: fc.dictionary(fc.constant('X-A'), text, { maxKeys: 1 }),
        maintenancePage: text,
      },
      { requiredKeys: [] },
    );
    const backendOptions: fc.Arbitrary<BackendOptions> = fc.record(
      {
        cookie: fc.record({ name: text, secret: text }),
        serverName: text,
        protocol: fc.constantFrom('http', 'h2', 'https', 'h2s'),
        caCertificate: text,
        healthCheck: fc.record({ type: fc.constant('http'), path: text.map((one) => `/${one}`), host: text }),
      },
      { requiredKeys: [] },
    );
    const meant =
      /^(global|defaults|frontend http|backend [\w.:-]+|userlist users-\w+)$|^ {2}(description|master-worker|maxconn|hard-stop-after|mworker-max-reloads|spread-checks|user|group|ssl-default-bind-\w+|tune\.|mode|timeout|option|srvtcpka-\w+|http-reuse|retries|retry-on|http-error|stick-table|bind|http-request|http-after-response|http-check|use_backend|cookie|dynamic-cookie-key|load-server-state-from-file|server|balance|hash-type) ?/;
    fc.assert(
      fc.property(fc.array(fc.tuple(text, routeOptions, backendOptions), { maxLength: 4 }), (entries) => {
        const backends = entries.map(([name, , options], at) => backend(`${name}${at}`, [], options));
        const routes = entries.map(
          ([path, options], at) => [`r${at}`, route(`h${at}.test`, `/${path}`, backends[at] ?? web, options)] as const,
        );
        const { text: written, wish } = render(state({ settings }, Object.fromEntries(routes), backends));
        for (const line of written.split('\n').slice(0, -1)) assert.match(line, meant);
        const sections = new Set(wish.sections.keys());
        assert.equal(
          [...written.matchAll(/^backend /gm)].length,
          sections.size + 5,
          'the table of hosts, two that hand over, two spare ones, and those that are meant',
        );
        for (const [key] of routes) {
          const isTaken = [...wish.sections.values()].some(({ users }) => users.includes(key));
          assert(isTaken || wish.problems.has(key), `${key} is neither in force nor refused`);
        }
      }),
    );
  });

  test('names of sections are read back as they were written; what is none is refused', () => {
    const wish = readWish(state({ settings }, { a: route('web.test', '/', web) }, [web]), nothingAccepted, new Map());
    const registry = nextRegistry(emptyRegistry, nameSections(emptyRegistry, wish), 'hash', 3);
    assert.deepEqual(parseRegistry(renderRegistry(registry)), registry);
    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '{"generation":1}',
      '{"generation":1,"frame":"","nextSpare":1,"sections":[[1,{}]],"inForce":[]}',
    ]) {
      assert.equal(parseRegistry(text), undefined, text);
    }
  });
});
