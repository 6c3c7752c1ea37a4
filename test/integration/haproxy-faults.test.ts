// What goes wrong around HAProxy, what is done to it from outside, and what users write into options.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { backend, route, state } from '../../src/adapters/ingress/contract.ts';
import { createHaproxy } from '../../src/adapters/ingress/haproxy/haproxy.ts';
import type { AccessEntry, IngressBackend, RouteOptions, TcpListener } from '../../src/adapters/ingress/port.ts';
import { hasCode, messageOf } from '../../src/lib/errors.ts';
import { exec } from '../../src/lib/exec.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { freePort } from './free-port.ts';
import { type HaproxyHost, openConnection, openHaproxy } from './haproxy-host.ts';
import { until } from './until.ts';

/** Of what HAProxy's language is made, and what else may surprise it. */
const nasty = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '"',
        "'",
        '\\',
        '%',
        '%[src]',
        '%%',
        '$HOME',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: HAProxy knows it, this language does not mean it
        '${HOME}',
        ' ',
        '  ',
        '#',
        ';',
        '{',
        '}',
        ',',
        '(',
        ')',
        '<<',
        'é',
        '\\n',
        '|',
        '-f',
        ' if TRUE',
        '*',
      ),
      fc.string({ minLength: 1, maxLength: 3, unit: 'grapheme-ascii' }),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => `v${parts.join('')}v`);

describe('faults around HAProxy', { concurrency: true }, () => {
  describe('what users write', { concurrency: 1 }, () => {
    let host: HaproxyHost;
    before(async () => {
      host = await openHaproxy();
    });
    after(() => host.close());

    test('arrives as it is written, and is never configuration', async () => {
      const web = backend('shop/web:80', [host.instance(1)]);
      for (const seed of [1, 2, 3]) {
        const values = fc.sample(nasty, { seed, numRuns: 40 });
        const routes = values.map((value, at) => {
          const path = `/${encodeURI(value).replace(/[?#]/g, '_')}`;
          const options: RouteOptions = {
            setRequestHeaders: { 'X-Value': value },
            setResponseHeaders: { 'X-Value': value },
            rewritePath: path,
            basicAuth: { realm: value, users: [`${value.replaceAll(':', '_')}:$6$salt$${'x'.repeat(86)}`] },
          };
          return [
            `r${at}`,
            {
              ...route(`h${at}.test`, '/', web),
              options: at % 2 === 0 ? { ...options, basicAuth: undefined } : options,
            },
          ] as const;
        });
        const clean = routes.map(
          ([
            key,
            {
              options: { basicAuth, ...options },
              ...rest
            },
          ]) => [key, { ...rest, options: basicAuth ? { ...options, basicAuth } : options }] as const,
        );
        const outcome = await host.proxy.apply(state(host, Object.fromEntries(clean), [web]));
        assert.deepEqual([...outcome.problems], []);
        for (const [at, value] of values.entries()) {
          const answer = await host.ask(`h${at}.test`);
          const latin = Buffer.from(value).toString('latin1');
          if (at % 2 === 1) {
            assert.equal(answer.status, 401, value);
            continue;
          }
          assert.equal(answer.asked?.headers['x-value'], latin);
          assert.equal(answer.headers['x-value'], latin);
          assert.equal(answer.asked?.path, `/${encodeURI(value).replace(/[?#]/g, '_')}/`);
        }
      }
    });

    for (const [what, evil] of Object.entries({
      'a line': 'x\n  http-request deny\r\n',
      'a carriage return': 'x\ry',
      'a null': 'x\0y',
      'a delete': 'x\u007fy',
    }))
      test(`with ${what} in it is refused, in every option that is text; all other routes work`, async () => {
        const web = backend('shop/web:80', [host.instance(1)]);
        const hash = `$6$salt$${'x'.repeat(86)}`;
        const options: readonly RouteOptions[] = [
          { setRequestHeaders: { 'X-A': evil } },
          { setRequestHeaders: { [evil]: 'x' } },
          { setResponseHeaders: { 'X-A': evil } },
          { setResponseHeaders: { [evil]: 'x' } },
          { removeRequestHeaders: [evil] },
          { removeResponseHeaders: [evil] },
          { rewritePath: `/${evil}` },
          { allow: [evil] },
          { deny: [evil] },
          { basicAuth: { realm: evil, users: [] } },
          { basicAuth: { realm: 'x', users: [`${evil}:${hash}`] } },
          { basicAuth: { realm: 'x', users: [`a:${hash}${evil}`] } },
        ];
        const backends: readonly IngressBackend[] = [
          backend('b1', web.endpoints, { cookie: { name: evil, secret: 'x' } }),
          backend('b2', web.endpoints, { cookie: { name: 'x', secret: evil } }),
          backend('b3', web.endpoints, { healthCheck: { type: 'http', path: `/${evil}` } }),
          backend('b4', web.endpoints, { healthCheck: { type: 'http', host: evil } }),
          backend('b5', web.endpoints, { protocol: 'https', serverName: evil }),
          backend('b6', web.endpoints, { protocol: 'https', serverName: 'x', caCertificate: evil }),
        ];
        const routes = Object.fromEntries([
          ...options.map((one, at) => [`o${at}`, route(`o${at}.test`, '/', web, one)] as const),
          ...backends.map((one) => [one.name, route(`${one.name}.test`, '/', one)] as const),
          ['host', route(`x${evil}`, '/', web)] as const,
          ['path', route('path.test', `/${evil}`, web)] as const,
          ['good', route('good.test', '/', web)] as const,
        ]);
        const outcome = await host.proxy.apply(state(host, routes, [web, ...backends]));
        const refused = [...outcome.problems.keys()].sort();
        assert.deepEqual(
          refused,
          Object.keys(routes)
            .filter((key) => key !== 'good')
            .sort(),
        );
        assert.equal((await host.ask('good.test')).status, 200);
        for (const why of outcome.problems.values()) assert.doesNotMatch(why, /\p{Cc}/u);
      });

    test('that HAProxy alone can judge is found by its own check, and named', async () => {
      const web = backend('shop/web:80', [host.instance(1)]);
      const broken = '-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n';
      const bad = [1, 2].map((at) =>
        backend(`shop/bad-${at}:443`, web.endpoints, {
          protocol: 'https',
          serverName: `x${at}`,
          caCertificate: broken,
        }),
      );
      const routes = Object.fromEntries([
        ['good', route('good.test', '/', web)],
        ...bad.map((one, at) => [`bad${at}`, route('good.test', `/staff${at}`, one)] as const),
      ]);
      const outcome = await host.proxy.apply(state(host, routes, [web, ...bad]));
      assert.deepEqual([...outcome.problems.keys()].sort(), ['bad0', 'bad1']);
      assert.match(outcome.problems.get('bad0') ?? '', /HAProxy refuses it: .*ca-file/);
      assert.equal((await host.ask('good.test')).status, 200);
      assert.equal(
        (await host.ask('good.test', { path: '/staff0' })).status,
        503,
        'the route around it does not take its place',
      );
    });
  });

  describe('around HAProxy', { concurrency: 1 }, () => {
    let host: HaproxyHost;
    before(async () => {
      host = await openHaproxy({ commandTimeoutMs: 1_000 });
    });
    after(() => host.close());
    const apply = (number: number, options = {}, listeners = new Map<string, TcpListener>()) => {
      const web = backend('shop/web:80', [host.instance(number)], options);
      const tcp = { ...backend('shop/tcp:1', [host.instance(number)]), mode: 'tcp' } as const;
      return host.proxy.apply(state(host, { web: route('web.test', '/', web) }, [web, tcp], { listeners }));
    };

    test('a port that is taken, that of HTTP or of HTTPS: who has it is named', async () => {
      for (const port of [host.settings.httpPort, host.settings.httpsPort]) {
        const other = createServer().listen(port, '127.0.0.1');
        await new Promise<void>((resolve) => other.once('listening', () => resolve()));
        try {
          await assert.rejects(apply(1), (error) => {
            assert(hasCode(error, 'HostToolFailed'));
            assert.match(error.message, new RegExp(`port ${port} is taken by .* \\(process ${process.pid}\\)`));
            return true;
          });
        } finally {
          other.close();
        }
      }
      assert.equal((await apply(1)).by, 'start');
      assert.equal((await host.ask('web.test')).status, 200);
    });

    test('a TCP port that is taken costs that listener alone, until it is free', async () => {
      const port = await freePort();
      const other = createServer().listen(port, '127.0.0.1');
      await new Promise<void>((resolve) => other.once('listening', () => resolve()));
      const listeners = new Map([['mine', { port, backend: 'shop/tcp:1' }]]);
      const outcome = await apply(2, {}, listeners);
      assert.match(outcome.problems.get('mine') ?? '', new RegExp(`port ${port} is taken by .*process ${process.pid}`));
      assert.equal((await host.ask('web.test')).asked?.instance, 2);
      await new Promise((resolve) => other.close(resolve));
      assert.equal((await apply(2, {}, listeners)).problems.size, 0);
      assert.equal((await host.ask('web.test')).asked?.instance, 2);
      const line = await openConnection(port);
      assert.match(await line.send('GET / HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200/);
      line.close();
    });

    test('a worker that hangs: the failure names it, and is over when it goes on', async () => {
      await apply(1);
      const { worker = 0 } = await host.processes();
      process.kill(worker, 'SIGSTOP');
      try {
        await assert.rejects(apply(2), (error) => {
          assert(hasCode(error, 'HostToolFailed'));
          assert.match(
            error.message,
            new RegExp(`worker ${worker} of HAProxy gives no answer within 1000 ms on .*master\\.sock`),
          );
          return true;
        });
        assert.equal(await host.proxy.hasDrifted(), true);
      } finally {
        process.kill(worker, 'SIGCONT');
      }
      await apply(2);
      assert.equal(await host.proxy.hasDrifted(), false);
      assert.equal((await host.ask('web.test')).asked?.instance, 2);
      assert.equal((await host.processes()).worker, worker);
    });

    test('header lines that are too large are refused, and nobody else notices', async () => {
      await apply(1);
      assert.equal((await host.ask('web.test', { headers: { 'x-large': 'x'.repeat(20_000) } })).status, 400);
      assert.equal((await host.ask('web.test', { headers: { 'x-large': 'x'.repeat(12_000) } })).status, 200);
      const line = await openConnection(host.settings.httpPort);
      const crowd = Array.from({ length: 200 }, (_, at) => `X-${at}: y\r\n`).join('');
      assert.match(await line.send(`GET / HTTP/1.1\r\nHost: web.test\r\n${crowd}\r\n`), /^HTTP\/1\.1 400/);
      line.close();
      const smuggled = await openConnection(host.settings.httpPort);
      const both = 'POST / HTTP/1.1\r\nHost: web.test\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbody';
      assert.match(await smuggled.send(both), /^HTTP\/1\.1 400/);
      smuggled.close();
    });

    test('a full disk: the failure says so, HAProxy goes on, and endpoints still change', async () => {
      const mount = await mkdtemp(join(tmpdir(), 'fl-full-'));
      await exec(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mount]);
      const full = await openHaproxy();
      const proxy = full.again({ directory: mount });
      const web = (number: number, options = {}) => backend('shop/web:80', [full.instance(number)], options);
      const give = (one: IngressBackend) => proxy.apply(state(full, { web: route('web.test', '/', one) }, [one]));
      try {
        await give(web(1));
        await writeFile(join(mount, 'filler'), Buffer.alloc(1024 * 1024)).catch(() => {});
        await assert.rejects(give(web(2, { balance: 'random' })), (error) => {
          assert(hasCode(error, 'HostToolFailed'));
          assert.match(messageOf(error), /cannot write the configuration .*ENOSPC/);
          return true;
        });
        assert.equal((await full.ask('web.test')).asked?.instance, 1);
        assert.equal((await give(web(3))).by, 'runtime');
        assert.equal((await full.ask('web.test')).asked?.instance, 3);
        await rm(join(mount, 'filler'));
        assert.equal((await give(web(2, { balance: 'random' }))).by, 'reload');
        assert.equal((await full.ask('web.test')).asked?.instance, 2);
      } finally {
        await proxy.end(0);
        await full.close();
        await exec(['umount', mount]);
        await rm(mount, { recursive: true });
      }
    });

    test('HAProxy that is too old, or is not there, is refused with what is needed', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'fl-old-'));
      const old = join(directory, 'haproxy');
      await writeFile(
        old,
        '#!/bin/sh\necho "HAProxy version 2.4.22-1 2023/02/14 - https://haproxy.org/"\necho "Feature list : +OPENSSL +CRYPT_H"\n',
      );
      await chmod(old, 0o755);
      const wanted = state(host, {}, []);
      for (const [program, message] of [
        [old, /HAProxy is 2\.4\.22-1; 2\.6 or later/],
        [join(directory, 'none'), /cannot run HAProxy/],
      ] as const) {
        const proxy = createHaproxy({ directory, log: silentLogger, program });
        await assert.rejects(
          proxy.apply(wanted),
          (error) => hasCode(error, 'HostToolFailed') && message.test(error.message),
        );
      }
      await rm(directory, { recursive: true });
    });
  });

  describe('many clients, and slow ones', { concurrency: true }, () => {
    test('5,000 idle connections and slow headers keep nobody out', async () => {
      const entries: AccessEntry[] = [];
      const host = await openHaproxy({ settings: { maxConnections: 6_000 }, onAccess: (entry) => entries.push(entry) });
      const web = backend('shop/web:80', [host.instance(1)]);
      try {
        await host.proxy.apply(state(host, { web: route('web.test', '/', web) }, [web]));
        const slow = await openConnection(host.settings.httpPort);
        const startMs = performance.now();
        const cut = slow.send('GET / HTTP/1.1\r\nHost: web.test\r\nX-Slow: ');
        const idle = [];
        while (idle.length < 5_000) {
          const more = await Promise.all(Array.from({ length: 250 }, () => openConnection(host.settings.httpPort)));
          idle.push(...more);
        }
        const { worker = 0 } = await host.processes();
        assert(Number(/^CurrConns: (\d+)$/m.exec(await host.client.ask(worker, 'show info'))?.[1]) >= 5_000);
        assert.equal((await host.ask('web.test', { path: '/secret?token=1', isTls: true })).status, 200);
        const other = backend('shop/web:80', [host.instance(2)], { balance: 'random' });
        assert.equal(
          (await host.proxy.apply(state(host, { web: route('web.test', '/', other) }, [other]))).by,
          'reload',
        );
        assert.equal((await host.ask('web.test')).asked?.instance, 2);
        const sample = idle.slice(0, 50);
        const answers = await Promise.all(
          sample.map((line) => line.send('GET / HTTP/1.1\r\nHost: web.test\r\n\r\n').catch(String)),
        );
        assert.deepEqual(new Set(answers.map((answer) => answer.slice(0, 12))), new Set(['HTTP/1.1 200']));
        assert.match(await cut, /^HTTP\/1\.[01] 408/);
        assert(performance.now() - startMs < 60_000);
        for (const line of idle) line.close();
        await until('the access log tells', () => entries.some(({ path }) => path === '/secret'));
        const entry = entries.find(({ path }) => path === '/secret');
        assert.deepEqual(
          {
            ...entry,
            timeMs: 0,
            totalMs: 0,
            requestMs: 0,
            queueMs: 0,
            connectMs: 0,
            responseMs: 0,
            receivedBytes: 0,
            sentBytes: 0,
          },
          {
            kind: 'http',
            client: '127.0.0.1',
            host: 'web.test',
            routeHost: 'web.test',
            method: 'GET',
            path: '/secret',
            protocol: 'HTTP/1.1',
            status: 200,
            tlsVersion: 'TLSv1.3',
            backend: 'shop/web:80',
            endpoint: `127.0.0.1:${host.instance(1).port}`,
            pod: 'shop/pod-1',
            retries: 0,
            end: '----',
            timeMs: 0,
            totalMs: 0,
            requestMs: 0,
            queueMs: 0,
            connectMs: 0,
            responseMs: 0,
            receivedBytes: 0,
            sentBytes: 0,
          },
        );
      } finally {
        await host.close();
      }
    });

    test('who connects ahead and sends nothing is closed without a word: no 408 is there for its next request', async () => {
      const entries: AccessEntry[] = [];
      const host = await openHaproxy({ onAccess: (entry) => entries.push(entry) });
      const web = backend('shop/web:80', [host.instance(1)]);
      /** All that comes until the connection ends. */
      const whole = async (socket: Socket) => {
        const chunks: Buffer[] = [];
        socket.on('data', (chunk) => chunks.push(chunk));
        await once(socket, 'close');
        return Buffer.concat(chunks).toString();
      };
      try {
        await host.proxy.apply(state(host, { web: route('web.test', '/', web) }, [web]));
        const { httpPort, httpsPort } = host.settings;
        const plain = connect(httpPort, '127.0.0.1');
        const secure = connectTls(httpsPort, '127.0.0.1', { rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
        const heard = Promise.all([whole(plain), whole(secure)]);
        await Promise.all([once(plain, 'connect'), once(secure, 'secureConnect')]);
        assert.deepEqual(await heard, ['', '']);
        assert.equal((await host.ask('web.test', { path: '/last' })).status, 200);
        await until('the access log tells', () => entries.some(({ path }) => path === '/last'));
        assert.deepEqual(
          entries.map(({ status }) => status),
          [200],
        );
      } finally {
        await host.close();
      }
    });

    test('nothing of a key can be read by others', async () => {
      const host = await openHaproxy();
      try {
        const web = backend('shop/web:80', [host.instance(1)]);
        await host.proxy.apply(state(host, { web: route('web.test', '/', web) }, [web]));
        const { stdout } = await exec(['find', host.directory, '-type', 'f', '-perm', '/077']);
        assert.equal(stdout, '');
        const { worker = 0 } = await host.processes();
        const status = await readFile(`/proc/${worker}/status`, 'utf8');
        assert.doesNotMatch(status, /^Uid:\s+0\s/m, 'workers have no rights of root');
      } finally {
        await host.close();
      }
    });
  });
});
