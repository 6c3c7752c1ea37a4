import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Probe } from 'kubernetes-types/core/v1.js';
import { createFakeRuntime } from '../../adapters/runtime/fake.ts';
import { runProbe } from './prober.ts';
import { podOf } from './test-objects.ts';

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
    const pod = podOf({ ports: [{ name: 'web', containerPort: port }] });
    return runProbe({ timeoutSeconds: 1, ...probe }, { pod, containerId: 'c', address: '127.0.0.1' }, runtime);
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

  it('a command in a container that is gone has failed, in words', async () => {
    const result = await ask({ exec: { command: ['true'] } });
    assert.equal(result.isSuccess, false);
    assert.notEqual(result.message, '');
  });
});
