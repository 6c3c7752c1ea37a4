import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { isReachable } from './reach.ts';

test('a host is there when it takes a connection, and when it refuses one', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { signal } = new AbortController();
  assert.equal(await isReachable('127.0.0.1', signal, port), true);
  server.close();
  await once(server, 'close');
  assert.equal(await isReachable('127.0.0.1', signal, port), true);
});

test('what cannot be routed to is not there', async () => {
  assert.equal(await isReachable('255.255.255.255', new AbortController().signal), false);
});
