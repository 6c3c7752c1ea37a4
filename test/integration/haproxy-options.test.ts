// Each option of a route or a backend, seen from where a client stands.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  createSecureServer,
  type Http2SecureServer,
} from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { backend, route, state } from '../../src/adapters/ingress/contract.ts';
import type { BackendOptions, IngressCertificate, RouteOptions, TcpListener } from '../../src/adapters/ingress/port.ts';
import { exec } from '../../src/lib/exec.ts';
import { freePort } from './free-port.ts';
import { type AskOptions, type HaproxyHost, openConnection, openHaproxy, openWebSocket } from './haproxy-host.ts';
import { handshake, selfSigned as newSelfSigned } from './tls-clients.ts';
import { until } from './until.ts';

const selfSigned = (hosts: readonly string[]): IngressCertificate => ({ hosts: [], ...newSelfSigned(hosts) });

describe('options, as a client sees them', { concurrency: true }, () => {
  describe('options of routes', { concurrency: 1 }, () => {
    let host: HaproxyHost;
    before(async () => {
      host = await openHaproxy();
    });
    after(() => host.close());

    /** One request to a path with these options. */
    const askWith = async (options: RouteOptions, asked: AskOptions = {}, path = '/') => {
      const web = backend('shop/web:80', [host.instance(1)]);
      const outcome = await host.proxy.apply(state(host, { it: route('it.test', path, web, options) }, [web]));
      assert.deepEqual([...outcome.problems], []);
      return host.ask('it.test', { path, ...asked });
    };

    test('redirect to HTTPS, and HSTS there alone', async () => {
      const options = { redirectsToHttps: true, hstsSeconds: 31_536_000 };
      const plain = await askWith(options, { path: '/a?b=c' });
      assert.equal(plain.status, 308);
      assert.equal(plain.headers.location, `https://it.test:${host.settings.httpsPort}/a?b=c`);
      assert.equal(plain.headers['strict-transport-security'], undefined);
      const secure = await host.ask('it.test', { isTls: true });
      assert.equal(secure.status, 200);
      assert.equal(secure.headers['strict-transport-security'], 'max-age=31536000');
      assert.equal(secure.asked?.headers['x-forwarded-proto'], 'https');
    });

    test('a rewritten path', async () => {
      const cases = [
        ['/api', '/', '/api', '/'],
        ['/api', '/', '/api/', '/'],
        ['/api', '/', '/api/x/y?q=%20', '/x/y?q=%20'],
        ['/api/', '/v2', '/api/x', '/v2/x'],
        ['/api', '/v2/', '/api', '/v2/'],
        ['/', '/base', '/x', '/base/x'],
        ['/a%20b', '/100%', '/a%20b/c', '/100%/c'],
        ["/it's", "/'$HOME\\n;", "/it's/x", "/'$HOME\\n;/x"],
      ] as const;
      const web = backend('shop/web:80', [host.instance(1)]);
      const routes = cases.map(
        ([path, rewritePath], at) => [`r${at}`, route(`r${at}.test`, path, web, { rewritePath })] as const,
      );
      const outcome = await host.proxy.apply(state(host, Object.fromEntries(routes), [web]));
      assert.deepEqual([...outcome.problems], []);
      for (const [at, [path, rewritePath, asked, seen]] of cases.entries()) {
        const answer = await host.ask(`r${at}.test`, { path: asked });
        assert.equal(answer.asked?.path, seen, `${path} → ${rewritePath}: ${asked}`);
      }
    });

    test('basic auth, with a hash that is slow too; others get 401', async () => {
      const { stdout: fast } = await exec(['openssl', 'passwd', '-6', 'open sesame']);
      // bcrypt of "open sesame", 10 rounds: slow on purpose
      const users = [`ali:${fast.trim()}`, 'baba:$5$saltsalt$5B4DyEkmBnP6zVNnHJQJ1dMd8pqyW9PNKoZBIwWGPj8'];
      const options = { basicAuth: { realm: 'a "quoted" realm', users } };
      const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` });
      const none = await askWith(options);
      assert.equal(none.status, 401);
      assert.match(String(none.headers['www-authenticate']), /^Basic realm="/);
      for (let at = 0; at < 3; at++) {
        assert.equal((await host.ask('it.test', { headers: basic('ali:open sesame') })).status, 200);
        assert.equal((await host.ask('it.test', { headers: basic('ali:wrong') })).status, 401);
        assert.equal((await host.ask('it.test', { headers: basic('nobody:open sesame') })).status, 401);
      }
    });

    test('allow and deny by address', async () => {
      const many = Array.from({ length: 500 }, (_, at) => `10.${at % 250}.${Math.floor(at / 250)}.0/24`);
      const cases: readonly (readonly [RouteOptions, number])[] = [
        [{ allow: ['10.0.0.0/8', '127.0.0.1'] }, 200],
        [{ allow: ['10.0.0.0/8', 'fd00::/8'] }, 403],
        [{ deny: ['127.0.0.0/8'] }, 403],
        [{ allow: [] }, 403],
        [{ deny: [] }, 200],
        [{ allow: ['127.0.0.0/8'], deny: ['127.0.0.1/32'] }, 403],
        [{ deny: many, allow: [...many, '127.0.0.1'] }, 200],
      ];
      const web = backend('shop/web:80', [host.instance(1)]);
      const routes = cases.map(([options], at) => [`r${at}`, route(`r${at}.test`, '/', web, options)] as const);
      await host.proxy.apply(state(host, Object.fromEntries(routes), [web]));
      for (const [at, [options, status]] of cases.entries()) {
        assert.equal((await host.ask(`r${at}.test`)).status, status, JSON.stringify(options).slice(0, 200));
      }
    });

    test('headers of requests and answers, also of the proxy’s own answers', async () => {
      const value = '100% of "it\'s" $HOME \\ ; # %[src] é';
      const options: RouteOptions = {
        setRequestHeaders: { 'X-Set': value },
        removeRequestHeaders: ['x-gone'],
        setResponseHeaders: { 'x-frame-options': 'DENY', 'X-Odd': value },
        removeResponseHeaders: ['X-Powered-By'],
      };
      const answer = await askWith(options, { headers: { 'x-gone': '1', 'x-stays': '1' } });
      const latin = Buffer.from(value).toString('latin1');
      assert.equal(answer.asked?.headers['x-set'], latin);
      assert.equal(answer.asked?.headers['x-gone'], undefined);
      assert.equal(answer.asked?.headers['x-stays'], '1');
      assert.equal(answer.headers['x-frame-options'], 'DENY');
      assert.equal(answer.headers['x-odd'], latin);
      assert.equal(answer.headers['x-powered-by'], undefined);
      const denied = await askWith({ ...options, deny: ['127.0.0.1'] });
      assert.equal(denied.headers['x-frame-options'], 'DENY');
    });

    test('a body that is too large, or that does not say how large it is', async () => {
      const options = { maxBodyBytes: 1_000 };
      assert.equal(
        (await askWith(options, { method: 'POST', body: 'x'.repeat(1_000), headers: { 'content-length': '1000' } }))
          .asked?.bytes,
        1_000,
      );
      assert.equal(
        (await askWith(options, { method: 'POST', body: 'x'.repeat(1_001), headers: { 'content-length': '1001' } }))
          .status,
        413,
      );
      assert.equal(
        (await askWith(options, { method: 'POST', body: 'x', headers: { 'transfer-encoding': 'chunked' } })).status,
        411,
      );
      const session = connectHttp2(`https://127.0.0.1:${host.settings.httpsPort}`, { rejectUnauthorized: false });
      const stream = session.request({ ':method': 'POST', ':path': '/', ':authority': 'it.test' });
      stream.write('the first of many');
      const [headers] = await once(stream, 'response');
      assert.equal(headers[':status'], 411, 'nor one of HTTP/2 without a length');
      session.destroy();
      assert.equal(
        (await askWith({}, { method: 'POST', body: 'x'.repeat(100_000), headers: { 'transfer-encoding': 'chunked' } }))
          .asked?.bytes,
        100_000,
      );
    });

    test('a maintenance page while nobody is ready', async () => {
      const web = backend('shop/web:80', []);
      const page = '<h1>Back soon; 100% "sure" it\'s $HOME</h1>\n'.repeat(20);
      await host.proxy.apply(
        state(
          host,
          { it: route('it.test', '/', web, { maintenancePage: page }), other: route('other.test', '/', web) },
          [web],
        ),
      );
      const answer = await host.ask('it.test');
      assert.equal(answer.status, 503);
      assert.equal(answer.text, page);
      assert.match(String(answer.headers['content-type']), /^text\/html/);
      assert.match((await host.ask('other.test')).text, /no instance/);
      const large = await host.proxy.apply(
        state(host, { it: route('it.test', '/', web, { maintenancePage: 'x'.repeat(20_000) }) }, [web]),
      );
      assert.match(large.problems.get('it') ?? '', /20000 bytes/);
    });

    test('ACME challenges: for every host, before redirects and auth', async () => {
      const web = backend('shop/web:80', [host.instance(1)]);
      const options = { redirectsToHttps: true, basicAuth: { realm: 'x', users: [] }, deny: ['0.0.0.0/0'] };
      const routes = { it: route('it.test', '/', web, options) };
      await host.proxy.apply(state(host, routes, [web]));
      const path = '/.well-known/acme-challenge/tok-en_1';
      assert.equal((await host.ask('it.test', { path })).status, 403);
      const outcome = await host.proxy.apply(
        state(host, routes, [web], { challenges: new Map([['tok-en_1', 'tok-en_1.thumb_print']]) }),
      );
      assert.equal(outcome.by, 'runtime');
      for (const name of ['it.test', 'nobody.knows']) {
        const answer = await host.ask(name, { path });
        assert.equal(`${answer.status} ${answer.text}`, '200 tok-en_1.thumb_print');
      }
    });

    test('the client’s address: ours alone, unless a proxy is trusted', async () => {
      const forged = {
        'x-forwarded-for': '6.6.6.6',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'evil',
        'x-forwarded-port': '1',
        'x-real-ip': '6.6.6.6',
        forwarded: 'for=6.6.6.6',
      };
      const { asked } = await askWith({}, { headers: forged });
      assert.equal(asked?.headers['x-forwarded-for'], '127.0.0.1');
      assert.equal(asked?.headers['x-forwarded-proto'], 'http');
      assert.equal(asked?.headers['x-forwarded-host'], 'it.test');
      assert.equal(asked?.headers['x-forwarded-port'], String(host.settings.httpPort));
      assert.equal(asked?.headers['x-real-ip'], undefined);
      assert.equal(asked?.headers.forwarded, 'for=127.0.0.1;host="it.test";proto=http');
      const web = backend('shop/web:80', [host.instance(1)]);
      const settings = { ...host.settings, trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'], healthPath: '/healthy' };
      const routes = {
        it: route('it.test', '/', web),
        safe: route('safe.test', '/', web, { redirectsToHttps: true, allow: ['203.0.113.7'] }),
      };
      await host.proxy.apply(state({ settings }, routes, [web]));
      const chain = { 'x-forwarded-for': '6.6.6.6, 203.0.113.7, 10.1.1.1', 'x-forwarded-proto': 'https' };
      const trusted = await host.ask('safe.test', { headers: chain });
      assert.equal(trusted.status, 200, 'the last that is not trusted is the client');
      assert.equal(trusted.asked?.headers['x-forwarded-for'], '6.6.6.6, 203.0.113.7, 10.1.1.1, 127.0.0.1');
      assert.equal(trusted.asked?.headers['x-forwarded-proto'], 'https');
      assert.equal((await host.ask('safe.test', { headers: { ...chain, 'x-forwarded-proto': 'http' } })).status, 308);
      assert.equal((await host.ask('safe.test', { headers: { ...chain, 'x-forwarded-for': '6.6.6.6' } })).status, 403);
      assert.equal((await host.ask('any.thing', { path: '/healthy' })).status, 200);
    });

    test('a path that climbs, or a host that is none, is refused', async () => {
      await askWith({});
      for (const path of ['/a/../b', '/a/%2e%2e/b', '/a/..', '/%2E%2e/'])
        assert.equal((await host.ask('it.test', { path })).status, 400, path);
      for (const name of ['it.test"', 'it.test;x', '*.test']) assert.equal((await host.ask(name)).status, 400, name);
      for (const name of ['it.test.', 'IT.test', `it.test:${host.settings.httpPort}`])
        assert.equal((await host.ask(name)).status, 200, name);
    });
  });

  describe('options of backends', { concurrency: 1 }, () => {
    let host: HaproxyHost;
    const servers: (Server | Http2SecureServer)[] = [];
    before(async () => {
      host = await openHaproxy();
    });
    after(async () => {
      await host.close();
      for (const server of servers) server.close();
    });

    const applyWith = async (options: BackendOptions, numbers: readonly number[] = [1, 2, 3]) => {
      const web = backend('shop/web:80', numbers.map(host.instance), options);
      const outcome = await host.proxy.apply(state(host, { it: route('it.test', '/', web) }, [web]));
      assert.deepEqual([...outcome.problems], []);
      return outcome;
    };
    const whoAnswers = async (asked: AskOptions = {}) => (await host.ask('it.test', asked)).asked?.instance ?? 0;
    const many = async (count: number, asked: AskOptions = {}) => {
      const found: number[] = [];
      for (let at = 0; at < count; at++) found.push(await whoAnswers(asked));
      return found;
    };

    test('balance: in turn, by source, by path', async () => {
      await applyWith({});
      assert.deepEqual([...(await many(6))].sort(), [1, 1, 2, 2, 3, 3]);
      await applyWith({ balance: 'source' });
      assert.equal(new Set(await many(6)).size, 1);
      await applyWith({ balance: 'uri' });
      const byPath = new Map<string, number>();
      for (const path of Array.from({ length: 20 }, (_, at) => `/item-${at}`))
        byPath.set(path, await whoAnswers({ path }));
      assert.equal(new Set(byPath.values()).size, 3);
      // Another instance comes at run time: most paths stay with theirs.
      assert.equal((await applyWith({ balance: 'uri' }, [1, 2, 3, 4])).by, 'runtime');
      let moved = 0;
      for (const [path, before] of byPath) if ((await whoAnswers({ path })) !== before) moved++;
      assert(moved < 12, `${moved} of 20 moved`);
      // And a proxy that has had all four from its start chooses alike.
      const other = await openHaproxy();
      try {
        const four = backend('shop/web:80', [1, 2, 3, 4].map(host.instance), { balance: 'uri' });
        await other.proxy.apply(state(other, { it: route('it.test', '/', four) }, [four]));
        for (const path of byPath.keys()) {
          assert.equal((await other.ask('it.test', { path })).asked?.instance, await whoAnswers({ path }), path);
        }
      } finally {
        await other.close();
      }
      await applyWith({ balance: 'leastconn' });
      assert.equal(new Set(await many(3)).size, 3);
      await applyWith({ balance: 'random' });
      assert((await many(3)).every((one) => one > 0));
    });

    test('a cookie keeps a client with its instance, through any proxy, until that one leaves', async () => {
      const cookie = { name: 'SERVED_BY', secret: 'a "secret"; with\\ $odd #characters' };
      await applyWith({ cookie });
      const first = await host.ask('it.test');
      const [pair = ''] = String(first.headers['set-cookie']).split(';');
      assert.match(pair, /^SERVED_BY=[0-9a-f]+$/);
      const mine = first.asked?.instance ?? 0;
      assert.deepEqual(new Set(await many(5, { headers: { cookie: pair } })), new Set([mine]));
      // One that was added at run time has a cookie too, and the same as on a host that started with it.
      assert.equal((await applyWith({ cookie }, [1, 2, 3, 4])).by, 'runtime');
      const cookies = new Map<number, string>();
      for (let at = 0; at < 8; at++) {
        const answer = await host.ask('it.test');
        cookies.set(answer.asked?.instance ?? 0, String(answer.headers['set-cookie']).split(';')[0] ?? '');
      }
      assert.equal(cookies.size, 4);
      const other = await openHaproxy();
      try {
        const four = backend('shop/web:80', [1, 2, 3, 4].map(host.instance), { cookie });
        await other.proxy.apply(state(other, { it: route('it.test', '/', four) }, [four]));
        for (const [instance, value] of cookies) {
          assert.equal((await other.ask('it.test', { headers: { cookie: value } })).asked?.instance, instance);
        }
      } finally {
        await other.close();
      }
      await applyWith(
        { cookie },
        [1, 2, 3, 4].filter((one) => one !== mine),
      );
      const after = await host.ask('it.test', { headers: { cookie: pair } });
      assert.notEqual(after.asked?.instance, mine);
      assert.equal(after.status, 200);
      assert.match(String(after.headers['set-cookie']), /^SERVED_BY=/);
    });

    test('time limits', async () => {
      await applyWith({ serverTimeoutMs: 200 });
      assert.equal((await host.ask('it.test', { headers: { 'x-wait-ms': '2000' } })).status, 504);
      await applyWith({ tunnelTimeoutMs: 200, serverTimeoutMs: 5_000 });
      const socket = await openWebSocket(host.settings.httpPort, 'it.test');
      assert.equal(await socket.send('hello'), 'hello');
      await until('a WebSocket on which nobody speaks is closed', () => !socket.isOpen());
    });

    test('connect failures are retried with another instance, and so is a POST: nothing was sent', async () => {
      const dead = { address: '127.0.0.1', port: await freePort() };
      const endpoints = [dead, host.instance(1)];
      const web = backend('shop/web:80', endpoints, { healthCheck: { type: 'none' } });
      await host.proxy.apply(state(host, { it: route('it.test', '/', web) }, [web]));
      for (let at = 0; at < 6; at++) assert.equal(await whoAnswers({ method: 'POST', body: 'x' }), 1);
      const once = backend('shop/web:80', endpoints, { healthCheck: { type: 'none' }, retries: 0 });
      await host.proxy.apply(state(host, { it: route('it.test', '/', once) }, [once]));
      const found = await Promise.all([1, 2, 3, 4].map(() => host.ask('it.test')));
      assert.deepEqual(new Set(found.map(({ status }) => status)), new Set([200, 503]));
    });

    test('health checks: one that does not answer as it should gets nothing, and comes back', async () => {
      const check = {
        type: 'http',
        path: '/up?x=1',
        host: 'check.test',
        intervalMs: 50,
        timeoutMs: 500,
        fall: 1,
        rise: 1,
      } as const;
      const seen: string[] = [];
      let status = 200;
      const { createServer } = await import('node:http');
      const app = createServer((request, response) => {
        if (request.url?.startsWith('/up')) seen.push(`${request.url} ${request.headers.host}`);
        response.writeHead(request.url?.startsWith('/up') ? status : 200).end('app');
      }).listen(0, '127.0.0.1');
      servers.push(app);
      await new Promise<void>((resolve) => app.once('listening', () => resolve()));
      const { port } = app.address() as AddressInfo;
      const web = backend('shop/web:80', [{ address: '127.0.0.1', port }], { healthCheck: check });
      await host.proxy.apply(state(host, { it: route('it.test', '/', web) }, [web]));
      await until('it is asked', () => seen.length > 0);
      assert.equal(seen[0], '/up?x=1 check.test');
      status = 500;
      await until('it is out', async () => (await host.ask('it.test')).status === 503);
      const stats = await host.proxy.stats();
      assert.equal(stats.backends.get('shop/web:80')?.endpoints.get(`127.0.0.1:${port}`)?.state, 'down');
      status = 204;
      await until('it is back', async () => (await host.ask('it.test')).status === 200);
    });

    test('at most so many at a time to one instance: the others wait', async () => {
      await applyWith({ maxConnectionsPerEndpoint: 1 }, [1]);
      const startMs = performance.now();
      const answers = await Promise.all([1, 2, 3].map(() => host.ask('it.test', { headers: { 'x-wait-ms': '100' } })));
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200],
      );
      assert(performance.now() - startMs >= 290, 'one after the other');
    });

    test('instances that speak h2, HTTPS, or both', async () => {
      const { chain, key } = selfSigned(['app.internal']);
      const answer = (request: { httpVersion: string }, response: { end(text: string): unknown }) =>
        void response.end(`v${request.httpVersion}`);
      const plain = createHttp2Server(answer);
      const secure = createSecureServer({ cert: chain, key, allowHTTP1: true }, answer);
      for (const server of [plain, secure]) {
        servers.push(server as Http2SecureServer);
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
      }
      const at = (server: { address(): unknown }) => ({
        address: '127.0.0.1',
        port: (server.address() as AddressInfo).port,
      });
      const check = async (options: BackendOptions, endpoint: { address: string; port: number }) => {
        const web = backend('shop/web:80', [endpoint], options);
        const outcome = await host.proxy.apply(state(host, { it: route('it.test', '/', web) }, [web]));
        assert.deepEqual([...outcome.problems], []);
        const { status, text } = await host.ask('it.test');
        return `${status} ${status === 200 ? text : ''}`.trim();
      };
      assert.equal(await check({ protocol: 'h2' }, at(plain)), '200 v2.0');
      assert.equal(await check({ protocol: 'https' }, at(secure)), '200 v1.1');
      assert.equal(await check({ protocol: 'h2s' }, at(secure)), '200 v2.0');
      const trusting = { protocol: 'https', serverName: 'app.internal', caCertificate: chain } as const;
      assert.equal(await check(trusting, at(secure)), '200 v1.1');
      const other = { ...trusting, serverName: 'other.internal', healthCheck: { type: 'none' } } as const;
      assert.equal(await check(other, at(secure)), '503');
    });

    test('the PROXY protocol, towards instances and from those who are trusted', async () => {
      const heard: Buffer[] = [];
      const app = createTcpServer((socket) => {
        socket.on('data', (chunk) => {
          heard.push(chunk);
          if (Buffer.concat(heard).includes('\r\n\r\n'))
            socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
        });
        socket.on('error', () => {});
      });
      servers.push(app);
      await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', () => resolve()));
      const { port } = app.address() as AddressInfo;
      const web = backend('shop/web:80', [{ address: '127.0.0.1', port }], {
        sendsProxyProtocol: true,
        healthCheck: { type: 'none' },
      });
      const settings = { ...host.settings, trustedProxies: ['127.0.0.0/8'], acceptsProxyProtocol: true };
      await host.proxy.apply(state({ settings }, { it: route('it.test', '/', web) }, [web]));
      const line = await openConnection(settings.httpPort);
      const answer = await line.send(
        'PROXY TCP4 203.0.113.9 192.0.2.1 5555 80\r\nGET / HTTP/1.1\r\nHost: it.test\r\nConnection: close\r\n\r\n',
      );
      assert.match(answer, /^HTTP\/1\.1 200/);
      const sent = Buffer.concat(heard);
      assert.equal(sent.subarray(0, 12).toString('latin1'), '\r\n\r\n\0\r\nQUIT\n');
      assert.deepEqual([...sent.subarray(16, 20)], [203, 0, 113, 9]);
      assert.match(sent.toString('latin1'), /x-forwarded-for: 203\.0\.113\.9\r\n/);
      line.close();
    });
  });

  describe('TLS and plain TCP', { concurrency: 1 }, () => {
    let host: HaproxyHost;
    before(async () => {
      host = await openHaproxy();
    });
    after(() => host.close());

    test('certificates by name, exchanged and removed without a reload; TLS from 1.2 on; HTTP/2', async () => {
      const { httpsPort } = host.settings;
      const web = backend('shop/web:80', [host.instance(1)]);
      const routes = { it: route('it.test', '/', web) };
      const show = (certificates: Readonly<Record<string, IngressCertificate>>) =>
        host.proxy.apply(state(host, routes, [web], { certificates: new Map(Object.entries(certificates)) }));
      await show({});
      assert.deepEqual(await handshake(httpsPort, 'it.test'), {
        subject: 'no host of this name here',
        protocol: 'TLSv1.3',
        alpn: 'h2',
      });
      const exact = selfSigned(['it.test']);
      const wild = selfSigned(['*.it.test']);
      const spare = { ...selfSigned(['fallback.test']), isDefault: true };
      assert.equal((await show({ exact, wild, spare })).by, 'runtime');
      assert.equal((await handshake(httpsPort, 'it.test')).subject, 'it.test');
      assert.equal((await handshake(httpsPort, 'x.it.test')).subject, '*.it.test');
      assert.equal((await handshake(httpsPort, 'x.y.it.test')).subject, 'fallback.test');
      const named = { ...selfSigned(['renewed']), hosts: ['it.test'] };
      assert.equal((await show({ exact: named, wild })).by, 'runtime');
      assert.equal((await handshake(httpsPort, 'it.test')).subject, 'renewed');
      assert.equal((await handshake(httpsPort, 'else.test')).subject, 'no host of this name here');
      assert.equal((await handshake(httpsPort, 'it.test', { maxVersion: 'TLSv1.2' })).protocol, 'TLSv1.2');
      await assert.rejects(handshake(httpsPort, 'it.test', { maxVersion: 'TLSv1.1' }));
      const mismatched = { ...exact, key: wild.key };
      const outcome = await show({ exact: mismatched, wild });
      assert.match(outcome.problems.get('exact') ?? '', /private key belongs to another certificate/);
      assert.equal((await handshake(httpsPort, 'it.test')).subject, 'renewed', 'the last good one stays');
      // They are the same after a reload.
      const own = backend('shop/web:80', [host.instance(1)], { balance: 'random' });
      await host.proxy.apply(
        state(host, routes, [own], { certificates: new Map(Object.entries({ exact: named, wild })) }),
      );
      assert.equal((await handshake(httpsPort, 'it.test')).subject, 'renewed');
      assert.equal((await handshake(httpsPort, 'x.it.test')).subject, '*.it.test');
    });

    test('plain TCP, for some addresses alone; TLS passed through beside HTTPS', async () => {
      const { httpsPort } = host.settings;
      const { chain, key } = selfSigned(['inside.test']);
      const inside = createSecureServer(
        { cert: chain, key, allowHTTP1: true },
        (_request, response) => void response.end('inside'),
      );
      const echo = createTcpServer((socket) => {
        socket.on('error', () => {});
        socket.pipe(socket);
      });
      try {
        for (const server of [inside, echo])
          await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
        const at = (server: { address(): unknown }) => ({
          address: '127.0.0.1',
          port: (server.address() as AddressInfo).port,
        });
        const web = backend('shop/web:80', [host.instance(1)]);
        const tcp = { ...backend('shop/echo:7', [at(echo)]), mode: 'tcp' } as const;
        const tls = { ...backend('shop/inside:443', [at(inside)]), mode: 'tcp' } as const;
        const [port, closed, denied] = [await freePort(), await freePort(), await freePort()];
        const listeners = new Map<string, TcpListener>([
          ['open', { port, backend: tcp.name }],
          ['closed', { port: closed, backend: tcp.name, allow: ['10.0.0.0/8'] }],
          ['denied', { port: denied, backend: tcp.name, allow: ['127.0.0.0/8'], deny: ['127.0.0.1'] }],
          ['named', { port: denied, backend: tls.name, serverNames: ['beside.test'] }],
          ['no list', { port: 4_000, backend: tcp.name, deny: ['nobody'] }],
          ['shut', { port: httpsPort, serverNames: ['shut.test'], backend: tls.name, deny: ['127.0.0.0/8'] }],
          ['through', { port: httpsPort, serverNames: ['inside.test', '*.deep.test'], backend: tls.name }],
          ['wrong', { port: host.settings.httpPort, backend: tcp.name }],
        ]);
        const outcome = await host.proxy.apply(
          state(host, { it: route('it.test', '/', web) }, [web, tcp, tls], { listeners }),
        );
        assert.deepEqual([...outcome.problems.keys()].sort(), ['named', 'no list', 'wrong']);
        const line = await openConnection(port);
        assert.equal(await line.send('bytes\n'), 'bytes\n');
        line.close();
        await assert.rejects(openConnection(denied).then((refused) => refused.send('x')));
        await assert.rejects(handshake(httpsPort, 'shut.test'));
        await assert.rejects(openConnection(closed).then((refused) => refused.send('x')));
        assert.equal((await handshake(httpsPort, 'inside.test')).subject, 'inside.test');
        assert.equal((await handshake(httpsPort, 'a.deep.test')).subject, 'inside.test');
        assert.equal((await handshake(httpsPort, 'it.test')).subject, 'no host of this name here');
        const secure = await host.ask('it.test', { isTls: true });
        assert.equal(secure.asked?.headers['x-forwarded-for'], '127.0.0.1');
        assert.equal(secure.asked?.headers['x-forwarded-proto'], 'https');
        assert.equal(secure.asked?.headers['x-forwarded-port'], String(httpsPort));
        // Who serves a TCP port changes without a reload.
        const moved = { ...tcp, endpoints: [at(inside)] };
        assert.equal(
          (await host.proxy.apply(state(host, { it: route('it.test', '/', web) }, [web, moved, tls], { listeners })))
            .by,
          'runtime',
        );
        assert.equal((await handshake(port, 'inside.test')).subject, 'inside.test');
      } finally {
        inside.close();
        echo.close();
      }
    });
  });
});
