import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createGrpcServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Probe } from 'kubernetes-types/core/v1.js';
import { createFakeRuntime } from '../../adapters/runtime/fake.ts';
import { runProbe } from './prober.ts';

const runtime = createFakeRuntime();

describe('a probe over the network', () => {
  let server: Server;
  let port = 0;
  const seen: string[] = [];
  before(async () => {
    server = createServer((request, response) => {
      seen.push(`${request.url} ${request.headers.host} ${request.headers['x-probe']}`);
      if (request.url === '/hangs') return;
      response.statusCode = Number(request.url?.slice(1)) || 200;
      response.end('words');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  const ask = (probe: Probe) => {
    const container = { name: 'web', ports: [{ name: 'web', containerPort: port }] };
    return runProbe({ timeoutSeconds: 1, ...probe }, { container, containerId: 'c', address: '127.0.0.1' }, runtime);
  };

  it('http: 200 to 399 are success, the rest is told', async () => {
    for (const [path, isSuccess] of [
      ['/200', true],
      ['/302', true],
      ['/404', false],
      ['/500', false],
    ] as const) {
      const result = await ask({ httpGet: { port, path } });
      assert.equal(result.isSuccess, isSuccess, path);
      if (!isSuccess) assert.match(result.message, new RegExp(`statuscode: ${path.slice(1)}`));
    }
  });

  it('http: the port by name, headers, a path without its slash', async () => {
    const httpHeaders = [
      { name: 'Host', value: 'shop.example' },
      { name: 'X-Probe', value: 'yes' },
    ];
    assert.equal((await ask({ httpGet: { port: 'web', path: 'health', httpHeaders } })).isSuccess, true);
    assert.equal(seen.at(-1), '/health shop.example yes');
    const unknown = await ask({ httpGet: { port: 'nope' } });
    assert.deepEqual(unknown, { isSuccess: false, message: 'no port is named "nope"' });
  });

  it('http: no answer in time has failed', async () => {
    const result = await ask({ timeoutSeconds: 0.02, httpGet: { port, path: '/hangs' } });
    assert.deepEqual(result, { isSuccess: false, message: 'no answer within 20 ms' });
  });

  it('tcp: whoever takes the connection', async () => {
    assert.equal((await ask({ tcpSocket: { port: 'web' } })).isSuccess, true);
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port: free } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, 'close');
    const refused = await ask({ tcpSocket: { port: free } });
    assert.equal(refused.isSuccess, false);
    assert.match(refused.message, /ECONNREFUSED/);
  });

  it('grpc: SERVING is success; anything else is told in words', async () => {
    const answers: Record<string, { readonly body: number[]; readonly status: string }> = {
      '': { body: [0, 0, 0, 0, 2, 0x08, 1], status: '0' },
      db: { body: [0, 0, 0, 0, 2, 0x08, 2], status: '0' },
      nobody: { body: [], status: '5' },
    };
    const grpc = createGrpcServer();
    grpc.on('stream', (stream, headers) => {
      assert.equal(headers[':path'], '/grpc.health.v1.Health/Check');
      stream.once('data', (request: Buffer) => {
        const answer = answers[request.subarray(7).toString('utf8')];
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': answer?.status ?? '13' }));
        stream.end(Buffer.from(answer?.body ?? []));
      });
    });
    grpc.listen(0, '127.0.0.1');
    await once(grpc, 'listening');
    const { port: grpcPort } = grpc.address() as AddressInfo;
    const health = (service?: string) => ask({ grpc: { port: grpcPort, ...(service ? { service } : {}) } });
    assert.deepEqual(await health(), { isSuccess: true, message: '' });
    assert.deepEqual(await health('db'), {
      isSuccess: false,
      message: 'service unhealthy (responded with "NOT_SERVING")',
    });
    assert.match((await health('nobody')).message, /gRPC status 5/);
    grpc.close();
    await once(grpc, 'close');
    assert.match((await health()).message, /ECONNREFUSED/);
    assert.equal((await ask({ timeoutSeconds: 0.2, grpc: { port } })).isSuccess, false, 'no HTTP/2 there');
  });

  it('an engine that is away says nothing about the container', async () => {
    const away = createFakeRuntime();
    away.setAway(true);
    const target = { container: { name: 'web' }, containerId: 'c', address: '127.0.0.1' };
    const result = await runProbe({ exec: { command: ['true'] } }, target, away);
    assert.deepEqual([result.isSuccess, result.isUnknown], [false, true]);
  });

  it('a command in a container that is gone has failed, in words', async () => {
    const result = await ask({ exec: { command: ['true'] } });
    assert.equal(result.isSuccess, false);
    assert.notEqual(result.message, '');
  });
});
