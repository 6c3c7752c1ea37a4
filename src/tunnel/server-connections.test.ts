import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/log.ts';
import { ApiError } from '../resources/api-error.ts';
import { keepConnections } from './server-connections.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

function setUp(outcome: (server: string) => Error | undefined) {
  const clock = new ManualClock();
  const tries: Record<string, number> = {};
  const states: string[] = [];
  const ends = new Map<string, () => void>();
  const connections = keepConnections({
    name: 'test',
    servers: ['a', 'b'],
    clock,
    log: silentLogger,
    onState: (server, isConnected) => states.push(`${server} ${isConnected ? 'up' : 'down'}`),
    connect: async (server, onOpen, signal) => {
      tries[server] = (tries[server] ?? 0) + 1;
      const error = outcome(server);
      if (error) throw error;
      onOpen();
      await new Promise<void>((resolve) => {
        ends.set(server, resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    },
  });
  return { clock, tries, states, ends, connections };
}

test('every server has a connection; one that ends is made anew within half a second', async () => {
  const { clock, tries, states, ends, connections } = setUp(() => undefined);
  await settle();
  assert.ok(connections.isConnected('a') && connections.isConnected('b'));
  ends.get('a')?.();
  await settle();
  assert.deepEqual([connections.isConnected('a'), connections.isConnected('b')], [false, true]);
  await clock.advance(500);
  assert.ok(connections.isConnected('a'));
  assert.deepEqual(tries, { a: 2, b: 1 });
  assert.deepEqual(states, ['a up', 'b up', 'a down', 'a up']);
  await connections.stop();
  assert.deepEqual(states.slice(-2).sort(), ['a down', 'b down']);
});

test('a server that is away is tried at least twice a second, for ever', async () => {
  const { clock, tries, connections } = setUp((server) => (server === 'a' ? new Error('away') : undefined));
  await settle();
  await clock.advance(10_000);
  assert.ok((tries.a ?? 0) >= 20, `${tries.a} tries`);
  assert.equal(tries.b, 1);
  await connections.stop();
});

test('a server that refuses is asked much later', async () => {
  const refusal = new ApiError({ code: 403, reason: 'Refused', message: 'upgrade the agent' });
  const { clock, tries, connections } = setUp(() => refusal);
  await settle();
  await clock.advance(10_000);
  assert.equal(tries.a, 1);
  await clock.advance(60_000);
  assert.ok((tries.a ?? 0) >= 2);
  await connections.stop();
});

test('servers come and go', async () => {
  const { tries, connections } = setUp(() => undefined);
  await settle();
  connections.setServers(['b', 'c']);
  await settle();
  assert.deepEqual(tries, { a: 1, b: 1, c: 1 });
  assert.deepEqual(['a', 'b', 'c'].map(connections.isConnected), [false, true, true]);
  await connections.stop();
  connections.setServers(['d']);
  await settle();
  assert.equal('d' in tries, false);
});
