import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { pods } from '../resources/kinds.ts';
import { createHttpClient, type HttpClient, type HttpClientOptions } from './http-client.ts';
import { type LoopbackServer, startLoopbackServer } from './loopback-server.ts';

describe('the HTTP client', () => {
  let server: LoopbackServer;
  let client: HttpClient;
  const deadServer = 'https://127.0.0.1:1';
  const ref = { namespace: 'shop', name: 'a' };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: ref, spec: { containers: [] } };

  const clientWith = (more: Partial<HttpClientOptions> = {}): HttpClient =>
    createHttpClient({
      servers: [deadServer, server.url],
      grid: 'main',
      token: 'fl1.x.y',
      caCertificate: server.certificate,
      userAgent: 'flotilla/test',
      ...more,
    });

  before(async () => {
    server = await startLoopbackServer();
    client = clientWith();
  });
  beforeEach(() => {
    server.handler = (_request, response) => void response.end('{}');
  });
  after(() => {
    client.close();
    server.close();
  });

  test('creates below grid and namespace, with token, user agent and request id; passes over a dead server', async () => {
    let seen: unknown;
    server.handler = (request, response, body) => {
      const { authorization, 'user-agent': agent, 'x-request-id': id, 'content-type': type } = request.headers;
      seen = { line: `${request.method} ${request.url}`, authorization, agent, id, type };
      response.writeHead(201).end(body);
    };
    assert.deepEqual(await client.create(pods, pod, { requestId: 'r-1' }), pod);
    assert.deepEqual(seen, {
      line: 'POST /grids/main/api/v1/namespaces/shop/pods',
      authorization: 'Bearer fl1.x.y',
      agent: 'flotilla/test',
      id: 'r-1',
      type: 'application/json',
    });
    assert.equal(client.server, server.url);
  });

  test('every call has its method, path, type and body', async () => {
    const seen: string[] = [];
    server.handler = (request, response, body) => {
      seen.push(`${request.method} ${request.url} ${request.headers['content-type'] ?? ''} ${body}`);
      response.end('{}');
    };
    await client.delete(pods, ref, { uid: 'u', gracePeriodSeconds: 0 });
    await client.patch(pods, ref, { type: 'strategic', body: { x: 1 }, subresource: 'status' });
    await client.updateStatus(pods, pod);
    await client.bindPod(ref, 'h1', { uid: 'u' });
    await client.forGrid('other').get(pods, ref);
    assert.deepEqual(seen, [
      'DELETE /grids/main/api/v1/namespaces/shop/pods/a application/json {"apiVersion":"v1","kind":"DeleteOptions","gracePeriodSeconds":0,"preconditions":{"uid":"u"}}',
      'PATCH /grids/main/api/v1/namespaces/shop/pods/a/status application/strategic-merge-patch+json {"x":1}',
      `PUT /grids/main/api/v1/namespaces/shop/pods/a/status application/json ${JSON.stringify(pod)}`,
      'POST /grids/main/api/v1/namespaces/shop/pods/a/binding application/json {"apiVersion":"v1","kind":"Binding","metadata":{"name":"a","uid":"u"},"target":{"kind":"Node","name":"h1"}}',
      'GET /grids/other/api/v1/namespaces/shop/pods/a  ',
    ]);
    await assert.rejects(client.delete(pods, { namespace: 'shop', name: '' }), /empty name/);
  });

  test('lists with selectors; items get their type', async () => {
    let path = '';
    server.handler = (request, response) => {
      path = request.url;
      response.end(JSON.stringify({ metadata: { resourceVersion: '7' }, items: [{ metadata: { name: 'a' } }] }));
    };
    const list = await client.list(pods, { labelSelector: 'a=b,c', fieldSelector: 'spec.nodeName=h1' });
    assert.equal(path, '/grids/main/api/v1/pods?labelSelector=a%3Db%2Cc&fieldSelector=spec.nodeName%3Dh1');
    assert.deepEqual(list.items, [{ metadata: { name: 'a' }, apiVersion: 'v1', kind: 'Pod' }]);
    assert.equal(list.resourceVersion, '7');
    server.handler = (_request, response) => void response.end('{"metadata":{"resourceVersion":"8"},"items":null}');
    assert.deepEqual(await client.list(pods), { resourceVersion: '8', items: [] });
  });

  test('a Status becomes an ApiError, anything else is Unavailable with its words', async () => {
    const status = { kind: 'Status', code: 404, reason: 'NotFound', message: 'pods "a" not found' };
    server.handler = (_request, response) => void response.writeHead(404).end(JSON.stringify(status));
    await assert.rejects(client.get(pods, ref), { name: 'ApiError', message: 'pods "a" not found' });
    server.handler = (_request, response) => void response.writeHead(502).end('<html>');
    await assert.rejects(client.get(pods, ref), { code: 'Unavailable', retryable: true, message: /502: <html>/ });
    server.handler = (_request, response) => void response.end('oops');
    await assert.rejects(client.get(pods, ref), { code: 'ProtocolMismatch', message: /is no JSON/ });
  });

  test('watches line by line, across chunks; ERROR is thrown; leaving cancels', async () => {
    const closed = Promise.withResolvers<void>();
    const line = JSON.stringify({ type: 'ADDED', object: { ...pod, spec: { containers: [], hostname: 'ä' } } });
    const bytes = Buffer.from(line);
    const cut = bytes.indexOf(0xc3) + 1; // in the middle of a character
    server.handler = (_request, response) => {
      response.stream.on('close', closed.resolve);
      response.write(bytes.subarray(0, cut));
      response.write(Buffer.concat([bytes.subarray(cut), Buffer.from('\n')]));
      response.write(`${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } })}\n`);
      response.write(
        `${JSON.stringify({ type: 'ERROR', object: { code: 410, reason: 'Expired', message: 'old' } })}\n`,
      );
    };
    const seen: unknown[] = [];
    await assert.rejects(
      async () => {
        for await (const event of client.watch(pods, { resourceVersion: '7' })) seen.push(event);
      },
      { name: 'ApiError', message: 'old' },
    );
    assert.deepEqual(seen, [JSON.parse(line), { type: 'BOOKMARK', resourceVersion: '9' }]);
    for await (const event of client.watch(pods, { resourceVersion: '7' })) {
      assert.equal(event.type, 'ADDED');
      break;
    }
    await closed.promise;
  });

  test('a watch ends cleanly by signal or by the server, and with Unavailable when nothing comes', async () => {
    const abort = new AbortController();
    server.handler = (_request, response) => {
      response.write(`${JSON.stringify({ type: 'ADDED', object: pod })}\n`);
    };
    for await (const event of client.watch(pods, { resourceVersion: '1', signal: abort.signal })) {
      assert.equal(event.type, 'ADDED');
      abort.abort();
    }
    const impatient = clientWith({ watchIdleMs: 20 });
    await assert.rejects(
      async () => {
        for await (const _ of impatient.watch(pods, { resourceVersion: '1' }));
      },
      { code: 'Unavailable', message: /brought nothing for 20 ms/ },
    );
    impatient.close();
    server.handler = (_request, response) => void response.end();
    for await (const _ of client.watch(pods, { resourceVersion: '1' })) assert.fail('no event was sent');
  });

  test('a broken connection fails the watch and the next call makes a new one', async () => {
    server.handler = (_request, response) => {
      response.write(`${JSON.stringify({ type: 'ADDED', object: pod })}\n`);
    };
    await assert.rejects(
      async () => {
        for await (const _ of client.watch(pods, { resourceVersion: '1' })) {
          for (const session of server.sessions) session.destroy();
        }
      },
      { code: 'Unavailable', retryable: true },
    );
    server.handler = (_request, response) => void response.end(JSON.stringify(pod));
    assert.deepEqual(await client.get(pods, ref), pod);
  });

  test('a silent server is given up after two pings', async () => {
    const cable = await startCable(new URL(server.url).port);
    const nervous = clientWith({ servers: [cable.url], pingMs: 15 });
    server.handler = (_request, response) => {
      response.write(`${JSON.stringify({ type: 'ADDED', object: pod })}\n`);
    };
    await assert.rejects(
      async () => {
        for await (const _ of nervous.watch(pods, { resourceVersion: '1' })) cable.cut();
      },
      { code: 'Unavailable', message: /no sign of life/ },
    );
    nervous.close();
    cable.close();
  });

  test('a call has a deadline, and can be given up', async () => {
    server.handler = () => {};
    const impatient = clientWith({ timeoutMs: 20 });
    await assert.rejects(impatient.list(pods), {
      code: 'DeadlineExceeded',
      message: /GET \/grids\/main\/api\/v1\/pods: no answer within 20 ms/,
    });
    impatient.close();
    await assert.rejects(client.list(pods, { signal: AbortSignal.timeout(10) }), { code: 'DeadlineExceeded' });
    await assert.rejects(client.list(pods, { signal: AbortSignal.abort() }), { code: 'Canceled' });
  });

  test('no server, and one of another CA, are named', async () => {
    const nobody = clientWith({ servers: [deadServer] });
    await assert.rejects(nobody.list(pods), {
      code: 'Unavailable',
      retryable: true,
      message: /127\.0\.0\.1:1: .*REFUSED/,
    });
    const stranger = clientWith({ servers: [server.url], caCertificate: '' });
    await assert.rejects(stranger.list(pods), { code: 'Unavailable', retryable: false, hint: /not from the CA/ });
    await assert.rejects(clientWith({ servers: ['h1:443'] }).list(pods), { code: 'BadUsage' });
    const closed = clientWith();
    closed.close();
    await assert.rejects(closed.list(pods), { code: 'Canceled' });
  });

  test('logs are bytes as they come, errors are a Status', async () => {
    let path = '';
    server.handler = (request, response) => {
      path = request.url;
      response.write('one\n');
      response.end('two\n');
    };
    const chunks: Buffer[] = [];
    for await (const chunk of client.podLogs(ref, { container: 'a', follow: true, tailLines: 5 })) chunks.push(chunk);
    assert.equal(Buffer.concat(chunks).toString(), 'one\ntwo\n');
    assert.equal(path, '/grids/main/api/v1/namespaces/shop/pods/a/log?container=a&follow=true&tailLines=5');
    const status = { kind: 'Status', code: 400, reason: 'BadRequest', message: 'container is not running' };
    server.handler = (_request, response) => void response.writeHead(400).end(JSON.stringify(status));
    await assert.rejects(async () => {
      for await (const _ of client.podLogs(ref));
    }, /container is not running/);
  });

  describe('exec', () => {
    let webSockets: WebSocketServer;
    let answer: Record<string, unknown>;
    before(() => {
      webSockets = new WebSocketServer({ noServer: true });
      server.server.on('upgrade', (request, socket, head) => {
        if (request.url?.includes('refused')) {
          const body = JSON.stringify({ kind: 'Status', code: 403, reason: 'Forbidden', message: 'not you' });
          socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
          return;
        }
        webSockets.handleUpgrade(request, socket, head, (webSocket) => {
          webSocket.on('message', (data: Buffer) => {
            if (data[0] === 0) webSocket.send(Buffer.concat([Buffer.of(1), data.subarray(1)]));
            if (data[0] === 4) webSocket.send(Buffer.concat([Buffer.of(2), data.subarray(1)]));
            if (data[0] === 255) {
              webSocket.send(Buffer.concat([Buffer.of(3), Buffer.from(JSON.stringify(answer))]));
              webSocket.close(1000);
            }
          });
        });
      });
    });

    test('carries stdin, outputs, size and exit code', async () => {
      const causes = [{ reason: 'ExitCode', message: '7' }];
      answer = { status: 'Failure', reason: 'NonZeroExitCode', message: 'exit 7', details: { causes } };
      const session = await client.podExec(ref, { command: ['cat'], stdin: true });
      session.resize(80, 24);
      const text = 'x'.repeat(100_000);
      session.stdin.end(text);
      const [stdout, stderr] = await Promise.all([session.stdout.toArray(), session.stderr.toArray()]);
      assert.equal(Buffer.concat(stdout).toString(), text);
      assert.equal(Buffer.concat(stderr).toString(), '{"Width":80,"Height":24}');
      assert.equal(await session.exitCode, 7);
    });

    test('a command that could not run, and a refusal, are ApiErrors', async () => {
      answer = { status: 'Failure', reason: 'InternalError', message: 'no such file: cta', code: 500 };
      const session = await client.podExec(ref, { command: ['cta'], stdin: true });
      session.stdin.end();
      session.stdout.resume();
      session.stderr.resume();
      await assert.rejects(session.exitCode, { name: 'ApiError', message: 'no such file: cta' });
      const refused = client.podExec({ ...ref, name: 'refused' }, { command: ['cat'] });
      await assert.rejects(refused, { name: 'ApiError', message: 'not you' });
    });
  });
});

/** A TCP relay to `port` that can be cut without either end noticing. */
async function startCable(port: string): Promise<{ url: string; cut(): void; close(): void }> {
  const sockets: Socket[] = [];
  const relay = createServer((near) => {
    const far = connect(Number(port), '127.0.0.1');
    sockets.push(near, far);
    for (const socket of [near, far]) socket.on('error', () => {});
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    cut: () => {
      for (const socket of sockets) socket.unpipe();
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      relay.close();
    },
  };
}
