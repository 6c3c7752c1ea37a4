// Each option as it is written on an Ingress object: what clients and instances see with it, and what they see without.
import assert from 'node:assert/strict';
import { createServer as createHttp2Server, createSecureServer } from 'node:http2';
import { createServer as createTcpServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { exec } from '../../src/lib/exec.ts';
import { ingressOptions, type OptionKey } from '../../src/resources/ingress-options.ts';
import { freePort } from './free-port.ts';
import { type AskOptions, openConnection, openWebSocket } from './haproxy-host.ts';
import { type IngressSites, openIngressSites, type Site } from './ingress-sites.ts';
import { startChecked, startCrowded, startDeaf, tellProxied } from './sample-apps.ts';
import { handshake, selfSigned } from './tls-clients.ts';
import { until } from './until.ts';

/** No test listens there. */
const nobody = { address: '127.9.9.9', port: 9 };

/** Makes its objects; what comes back looks when all of them are in force. */
type Case = (sites: IngressSites) => (() => Promise<void>) | Promise<() => Promise<void>>;

/** `tls` is for who makes certificates: certificates.test.ts. */
const cases: Readonly<Record<Exclude<OptionKey, 'tls'>, Case>> = {
  balance: ({ site }) => {
    const [byPath, inTurn] = [site({ balance: 'uri' }), site({})];
    return async () => {
      const seen = await Promise.all(range(12).map((at) => whoAnswers(byPath, 3, { path: `/item-${at}` })));
      assert(seen.every((ones) => ones.size === 1));
      assert(new Set(seen.flatMap((ones) => [...ones])).size > 1);
      assert.equal((await whoAnswers(inTurn, 3, { path: '/item' })).size, 3);
    };
  },
  sticky: ({ site }) => {
    const [bySource, byCookie, none] = [site({ sticky: 'source' }), site({ sticky: 'cookie' }), site({})];
    return async () => {
      const clients = range(16).map((at) => ({ from: `127.0.0.${at + 2}` }));
      const seen = await Promise.all(clients.map((asked) => whoAnswers(bySource, 3, asked)));
      assert(seen.every((ones) => ones.size === 1));
      assert(new Set(seen.flatMap((ones) => [...ones])).size > 1);
      const cookie = String((await byCookie.ask()).headers['set-cookie']).split(';')[0] ?? '';
      assert.equal((await whoAnswers(byCookie, 6, { headers: { cookie } })).size, 1);
      assert.equal((await whoAnswers(byCookie, 3)).size, 3, 'others are spread');
      assert.equal((await whoAnswers(none, 3)).size, 3);
      assert.equal((await none.ask()).headers['set-cookie'], undefined);
    };
  },
  stickyCookieName: ({ site }) => {
    const [named, usual] = [
      site({ sticky: 'cookie', 'sticky-cookie-name': 'shop-instance' }),
      site({ sticky: 'cookie' }),
    ];
    return async () => {
      assert.match(String((await named.ask()).headers['set-cookie']), /^shop-instance=[0-9a-f]+; .*HttpOnly/);
      assert.match(String((await usual.ask()).headers['set-cookie']), /^flotilla=/);
    };
  },
  rewritePath: ({ site }) => {
    const [cut, whole] = [site({ 'rewrite-path': '/' }, { path: '/api' }), site({}, { path: '/api' })];
    return async () => {
      assert.equal((await cut.ask({ path: '/api/x?y=1' })).asked?.path, '/x?y=1');
      assert.equal((await whole.ask({ path: '/api/x?y=1' })).asked?.path, '/api/x?y=1');
    };
  },
  sslRedirect: ({ site, proxy }) => {
    const [redirected, both] = [site({ 'ssl-redirect': 'true' }), site({})];
    return async () => {
      const { status, headers } = await redirected.ask({ path: '/a?b' });
      const location = `https://${redirected.host}:${proxy.settings.httpsPort}/a?b`;
      assert.deepEqual([status, headers.location], [308, location]);
      assert.equal((await redirected.ask({ isTls: true })).status, 200);
      assert.equal((await both.ask()).status, 200);
    };
  },
  hstsSeconds: ({ site }) => {
    const [strict, silent] = [site({ hsts: '180d' }), site({})];
    const said = async (one: Site, isTls: boolean) => (await one.ask({ isTls })).headers['strict-transport-security'];
    return async () => {
      assert.equal(await said(strict, true), 'max-age=15552000');
      assert.equal(await said(strict, false), undefined);
      assert.equal(await said(silent, true), undefined);
    };
  },
  basicAuthSecret: async ({ site, secret }) => {
    secret('staff', 'flotilla.dev/basic-auth', { auth: `# staff\nali:${await hashOf('open sesame')}\n` });
    const [guarded, open] = [site({ 'basic-auth-secret': 'staff' }), site({})];
    const lost = site({ 'basic-auth-secret': 'nowhere' });
    return async () => {
      assert.equal((await guarded.ask({ headers: basic('ali:open sesame') })).status, 200);
      for (const headers of [{}, basic('ali:wrong'), basic('baba:open sesame')]) {
        assert.equal((await guarded.ask({ headers })).status, 401);
      }
      assert.equal((await lost.ask({ headers: basic('ali:open sesame') })).status, 401, 'nobody is known');
      assert.equal((await open.ask()).status, 200);
    };
  },
  basicAuthRealm: ({ site }) => {
    const named = site({ 'basic-auth-secret': 'staff', 'basic-auth-realm': 'Staff only' });
    const usual = site({ 'basic-auth-secret': 'staff' });
    return async () => {
      assert.equal((await named.ask()).headers['www-authenticate'], 'Basic realm="Staff only"');
      assert.equal((await usual.ask()).headers['www-authenticate'], 'Basic realm="Restricted"');
    };
  },
  allow: ({ site }) => {
    const [one, none, all] = [site({ allow: '10.0.0.0/8, 127.0.0.7' }), site({ allow: '10.0.0.0/8' }), site({})];
    return async () => {
      const from = '127.0.0.7';
      const statuses = await Promise.all([one.ask({ from }), one.ask(), none.ask({ from }), all.ask()]);
      assert.deepEqual(
        statuses.map(({ status }) => status),
        [200, 403, 403, 200],
      );
    };
  },
  deny: ({ site }) => {
    const [one, all] = [site({ allow: '127.0.0.0/8', deny: '127.0.0.7' }), site({})];
    return async () => {
      const from = '127.0.0.7';
      const statuses = await Promise.all([one.ask({ from }), one.ask(), all.ask({ from })]);
      assert.deepEqual(
        statuses.map(({ status }) => status),
        [403, 200, 200],
      );
    };
  },
  setRequestHeaders: ({ site }) => {
    const [set, plain] = [site({ 'set-request-headers': '{"X-Env": "100% \\"live\\""}' }), site({})];
    return async () => {
      const headers = { 'x-env': 'forged' };
      assert.equal((await set.ask({ headers })).asked?.headers['x-env'], '100% "live"');
      assert.equal((await plain.ask({ headers })).asked?.headers['x-env'], 'forged');
    };
  },
  removeRequestHeaders: ({ site }) => {
    const [less, plain] = [site({ 'remove-request-headers': 'X-Debug,X-Internal' }), site({})];
    return async () => {
      const headers = { 'x-debug': '1', 'x-internal': '1', 'x-other': '1' };
      const arrives = async (one: Site) => {
        const seen = (await one.ask({ headers })).asked?.headers ?? {};
        return Object.keys(headers).filter((name) => seen[name] !== undefined);
      };
      assert.deepEqual(await arrives(less), ['x-other']);
      assert.deepEqual(await arrives(plain), ['x-debug', 'x-internal', 'x-other']);
    };
  },
  setResponseHeaders: ({ site }) => {
    const [set, plain] = [site({ 'set-response-headers': '{"X-Frame-Options": "DENY"}' }), site({})];
    return async () => {
      assert.equal((await set.ask()).headers['x-frame-options'], 'DENY');
      assert.equal((await plain.ask()).headers['x-frame-options'], undefined);
    };
  },
  removeResponseHeaders: ({ site }) => {
    const [less, plain] = [site({ 'remove-response-headers': 'X-Powered-By' }), site({})];
    return async () => {
      assert.equal((await less.ask()).headers['x-powered-by'], undefined);
      assert.equal((await plain.ask()).headers['x-powered-by'], 'test');
    };
  },
  connectTimeoutMs: async ({ site, endsWith }) => {
    const deaf = await startDeaf();
    endsWith(deaf.end);
    const endpoints = [deaf.endpoint];
    const unchecked = { retries: '0', 'health-check': 'none' };
    const [short, usual] = [
      site({ ...unchecked, 'connect-timeout': '100ms' }, { endpoints }),
      site(unchecked, { endpoints }),
    ];
    return async () => {
      let isOver = false;
      const waiting = usual.ask().finally(() => {
        isOver = true;
      });
      assert.equal((await short.ask()).status, 503);
      assert.equal(isOver, false, 'the other one still waits');
      assert.equal((await waiting).status, 503);
    };
  },
  serverTimeoutMs: ({ site }) => {
    const [short, usual] = [site({ 'server-timeout': '100ms' }), site({})];
    return async () => {
      const headers = { 'x-wait-ms': '1000' };
      assert.equal((await short.ask({ headers })).status, 504);
      assert.equal((await usual.ask({ headers })).status, 200);
    };
  },
  tunnelTimeoutMs: ({ site, proxy }) => {
    const [short, usual] = [site({ 'tunnel-timeout': '100ms' }), site({})];
    return async () => {
      const { httpPort } = proxy.settings;
      const [one, other] = [await openWebSocket(httpPort, short.host), await openWebSocket(httpPort, usual.host)];
      await until('it is closed', () => !one.isOpen());
      assert.equal(await other.send('still here'), 'still here');
      other.close();
    };
  },
  maxBodyBytes: ({ site }) => {
    const [small, any] = [site({ 'max-body-size': '1k' }), site({})];
    const post = (one: Site, bytes: number) =>
      one.ask({ method: 'POST', body: 'x'.repeat(bytes), headers: { 'content-length': String(bytes) } });
    return async () => {
      assert.equal((await post(small, 1_024)).asked?.bytes, 1_024);
      assert.equal((await post(small, 1_025)).status, 413);
      assert.equal((await post(any, 100_000)).asked?.bytes, 100_000);
    };
  },
  backendProtocol: async ({ site, listen }) => {
    const { chain: cert, key } = selfSigned(['app.internal']);
    const answer = (request: { httpVersion: string }, response: { end(text: string): unknown }) =>
      void response.end(`v${request.httpVersion}`);
    const plain = [await listen(createHttp2Server(answer))];
    const secure = [await listen(createSecureServer({ cert, key, allowHTTP1: true }, answer))];
    const expected = [
      [site({ 'backend-protocol': 'h2' }, { endpoints: plain }), 'v2.0'],
      [site({ 'backend-protocol': 'https' }, { endpoints: secure }), 'v1.1'],
      [site({ 'backend-protocol': 'h2s' }, { endpoints: secure }), 'v2.0'],
    ] as const;
    const wrong = [site({}, { endpoints: plain }), site({ 'backend-protocol': 'http' }, { endpoints: secure })];
    return async () => {
      for (const [one, text] of expected) assert.equal((await one.ask()).text, text);
      for (const one of wrong) assert.notEqual((await one.ask()).status, 200);
    };
  },
  healthCheck: async (sites) => {
    const { site } = sites;
    const sick = await startChecked(sites, () => 500);
    const byTcp = site({ 'health-check-interval': '500ms' }, sick);
    const byHttp = site({ 'health-check': 'http', 'health-check-interval': '500ms' }, sick);
    const endpoints = [nobody];
    const [refusing, unchecked] = [
      site({ retries: '0' }, { endpoints }),
      site({ retries: '0', 'health-check': 'none' }, { endpoints }),
    ];
    return async () => {
      await until('it is out', async () => (await byHttp.ask()).status === 503);
      assert.equal((await byTcp.ask()).text, 'app');
      const stateOf = async (one: Site) => {
        const { backends } = await sites.proxy.proxy.stats();
        const [, found] = [...backends].find(([name]) => name.startsWith(`${one.key}:`)) ?? [];
        return [...(found?.endpoints.values() ?? [])][0]?.state;
      };
      await until('nobody listens there: it is down', async () => (await stateOf(refusing)) === 'down');
      assert.equal(await stateOf(unchecked), 'up', 'nobody looks');
    };
  },
  healthCheckPath: async (sites) => {
    const one = await startChecked(sites, (_count, path) => (path === '/up' ? 204 : 500));
    const options = { 'health-check': 'http', 'health-check-interval': '500ms' };
    const [right, usual] = [sites.site({ ...options, 'health-check-path': '/up' }, one), sites.site(options, one)];
    return async () => {
      await until('the other one is out', async () => (await usual.ask()).status === 503);
      await until('it was asked', () => one.paths.includes('/up'));
      await until('it is in', async () => (await right.ask()).text === 'app');
    };
  },
  healthCheckIntervalMs: async (sites) => {
    const [often, seldom] = [await startChecked(sites, () => 200), await startChecked(sites, () => 200)];
    sites.site({ 'health-check': 'http', 'health-check-interval': '100ms' }, often);
    sites.site({ 'health-check': 'http', 'health-check-interval': '1m' }, seldom);
    return async () => {
      await until('it was asked eight times', () => often.paths.length >= 8);
      assert(seldom.paths.length <= 1, `${seldom.paths.length} times`);
    };
  },
  healthCheckTimeoutMs: async (sites) => {
    const [slow, same] = [await startChecked(sites, () => 200, 1_000), await startChecked(sites, () => 200, 1_000)];
    const options = { 'health-check': 'http', 'health-check-interval': '3s', 'connect-timeout': '100ms' };
    const strict = sites.site({ ...options, 'health-check-timeout': '200ms' }, slow);
    const patient = sites.site(options, same);
    return async () => {
      await until('it is out', async () => (await strict.ask()).status === 503);
      await until('the other one was asked again: the first time is over', () => same.paths.length > 1);
      assert.equal((await patient.ask()).text, 'app');
    };
  },
  healthCheckFall: async (sites) => {
    // Once out, it stays out for the time of this test: 100 checks.
    const options = { 'health-check': 'http', 'health-check-interval': '200ms', 'health-check-rise': '100' };
    const [mild, hard] = [await startChecked(sites, threeFail), await startChecked(sites, threeFail)];
    const [patient, usual] = [sites.site({ ...options, 'health-check-fall': '20' }, mild), sites.site(options, hard)];
    return async () => {
      await until('all that fails has failed', () => mild.paths.length > 7 && hard.paths.length > 7);
      assert.equal((await patient.ask()).text, 'app');
      assert.equal((await usual.ask()).status, 503);
    };
  },
  healthCheckRise: async (sites) => {
    const options = { 'health-check': 'http', 'health-check-interval': '200ms', 'health-check-fall': '1' };
    const [one, other] = [await startChecked(sites, threeFail), await startChecked(sites, threeFail)];
    const [wary, usual] = [sites.site({ ...options, 'health-check-rise': '100' }, one), sites.site(options, other)];
    return async () => {
      await until('all that fails has failed', () => one.paths.length > 7 && other.paths.length > 7);
      assert.equal((await wary.ask()).status, 503);
      await until('the other one is back', async () => (await usual.ask()).text === 'app');
    };
  },
  retries: ({ site, proxy }) => {
    const endpoints = [nobody, proxy.instance(1)];
    const unchecked = { 'health-check': 'none' };
    const [once, usual] = [site({ ...unchecked, retries: '0' }, { endpoints }), site(unchecked, { endpoints })];
    const statuses = async (one: Site) =>
      new Set(
        (await Promise.all(range(8).map(() => one.ask({ method: 'POST', body: 'x' })))).map(({ status }) => status),
      );
    return async () => {
      assert.deepEqual(await statuses(once), new Set([200, 503]));
      assert.deepEqual(await statuses(usual), new Set([200]));
    };
  },
  maxConnections: async (sites) => {
    const [alone, crowd] = [await startCrowded(sites), await startCrowded(sites)];
    const limited = sites.site({ 'max-connections': '1' }, { endpoints: [alone.endpoint] });
    const any = sites.site({}, { endpoints: [crowd.endpoint] });
    return async () => {
      await Promise.all([limited, any].flatMap((one) => range(3).map(() => one.ask())));
      assert.deepEqual([alone.most(), crowd.most()], [1, 3]);
    };
  },
  maintenancePage: ({ site }) => {
    const page = '<h1>Back soon: 100% "sure"</h1>';
    const [own, usual] = [site({ 'maintenance-page': page }, { endpoints: [] }), site({}, { endpoints: [] })];
    return async () => {
      const { status, text, headers } = await own.ask();
      assert.deepEqual([status, text], [503, page]);
      assert.match(String(headers['content-type']), /^text\/html/);
      assert.match((await usual.ask()).text, /no instance/);
    };
  },
  proxyProtocol: async ({ site, listen }) => {
    const endpoints = [await listen(createTcpServer(tellProxied))];
    const [told, plain] = [site({ 'proxy-protocol': 'true' }, { endpoints }), site({}, { endpoints })];
    return async () => {
      assert.equal((await told.ask({ from: '127.0.0.9' })).text, '127.0.0.9');
      assert.equal((await plain.ask({ from: '127.0.0.9' })).text, 'none');
    };
  },
  tcpPort: async ({ site, listen }) => {
    const endpoints = [await listen(createTcpServer((socket) => void socket.on('error', () => {}).pipe(socket)))];
    const port = await freePort();
    site({ 'tcp-port': String(port) }, { endpoints, isDefault: true });
    return async () => {
      const line = await openConnection(port);
      assert.equal(await line.send('no HTTP\n'), 'no HTTP\n');
      line.close();
    };
  },
  tlsPassthrough: async ({ site, listen, proxy }) => {
    const { chain: cert, key } = selfSigned(['made by the instance']);
    const endpoints = [await listen(createSecureServer({ cert, key }))];
    const [through, ended] = [site({ 'tls-passthrough': 'true' }, { endpoints }), site({}, { endpoints })];
    return async () => {
      const shownFor = async (one: Site) => (await handshake(proxy.settings.httpsPort, one.host)).subject;
      assert.equal(await shownFor(through), 'made by the instance');
      assert.equal(await shownFor(ended), 'no host of this name here');
    };
  },
};

describe('options of Ingress objects, with HAProxy', { concurrency: true }, () => {
  let sites: IngressSites;
  const looks = new Map<string, () => Promise<void>>();
  before(async () => {
    sites = await openIngressSites();
    for (const [key, make] of Object.entries(cases)) looks.set(key, await make(sites));
    assert.deepEqual([...(await sites.apply()).problems], []);
  });
  after(async () => {
    await sites?.close();
  });
  for (const key of Object.keys(cases) as (keyof typeof cases)[]) {
    test(ingressOptions[key].name, () => looks.get(key)?.());
  }
});

const range = (count: number) => Array.from({ length: count }, (_, at) => at);
const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` });

async function hashOf(password: string): Promise<string> {
  return (await exec(['openssl', 'passwd', '-6', password])).stdout.trim();
}

async function whoAnswers(site: Site, times: number, asked: AskOptions = {}): Promise<ReadonlySet<number>> {
  const seen = new Set<number>();
  for (let at = 0; at < times; at++) seen.add((await site.ask(asked)).asked?.instance ?? 0);
  return seen;
}

/** Two of its health checks are well, then three are not, then all. */
const threeFail = (count: number) => (count > 2 && count <= 5 ? 500 : 200);
