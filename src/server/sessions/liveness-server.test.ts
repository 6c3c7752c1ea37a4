import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import { ManualClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { capabilities } from '../../tunnel/protocol.ts';
import { createLivenessServer } from './liveness-server.ts';

const hello = '{"type":"hello","protocolVersion":1,"capabilities":["logs"],"agentVersion":"0.1.0"}\n';

function connect(accept: (socket: Duplex) => void) {
  const [near, far] = duplexPair();
  const heard: unknown[] = [];
  far.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString().trim().split('\n')) heard.push(JSON.parse(line));
  });
  accept(near);
  return { far, near, heard };
}
const settle = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

function setUp(servers: () => readonly string[] = () => ['https://a:1', 'https://b:1']) {
  const clock = new ManualClock();
  const liveness = createLivenessServer({ serverId: 's1', servers, clock, log: silentLogger });
  const changes: string[] = [];
  liveness.onChange((grid, node) => changes.push(`${grid}/${node}`));
  return { clock, liveness, changes };
}

test('a node is heard at its hello and at each ping, by the monotonic clock', async () => {
  const { clock, liveness, changes } = setUp();
  const { far, heard } = connect((socket) => liveness.accept('main', 'h1', socket));
  assert.equal(liveness.lastHeardMs('main', 'h1'), undefined);
  far.write(hello);
  await settle();
  assert.equal(liveness.lastHeardMs('main', 'h1'), 0);
  clock.jumpWall(86_400_000);
  await clock.advance(1_000);
  far.write('{"type":"ping","sequence":1}\n');
  await settle();
  assert.equal(liveness.lastHeardMs('main', 'h1'), 1_000);
  assert.equal(liveness.lastHeardMs('blue', 'h1'), undefined);
  assert.deepEqual(changes, ['main/h1']);
  assert.deepEqual(heard, [
    {
      type: 'hello',
      protocolVersion: 1,
      capabilities,
      serverId: 's1',
      servers: ['https://a:1', 'https://b:1'],
    },
    { type: 'pong', sequence: 1 },
  ]);
});

test('what a node has applied is told to listeners, the least of all to everybody, and begins anew with a new agent', async () => {
  const { clock, liveness } = setUp();
  const told: unknown[] = [];
  liveness.onApplied((grid, node) => told.push([node, liveness.appliedOf(grid, node)]));
  const one = connect((socket) => liveness.accept('main', 'h1', socket));
  const two = connect((socket) => liveness.accept('main', 'h2', socket));
  const old = connect((socket) => liveness.accept('main', 'h3', socket));
  const able = hello.replace('"logs"', '"logs","watermark"');
  one.far.write(`${able}{"type":"applied","revision":12}\n`);
  two.far.write(`${able}{"type":"applied","revision":9,"problem":"nft: no"}\n`);
  old.far.write(hello);
  await settle();
  assert.deepEqual(told, [
    ['h1', { revision: 12 }],
    ['h2', { revision: 9, problem: 'nft: no' }],
  ]);
  assert.equal(liveness.appliedOf('main', 'h3'), undefined);
  old.far.write('{"type":"ping","sequence":1}\n');
  await settle();
  assert.deepEqual(old.heard.at(-1), { type: 'pong', sequence: 1, appliedByAll: 12 });
  const again = connect((socket) => liveness.accept('main', 'h1', socket));
  again.far.write(able);
  await settle();
  assert.deepEqual(liveness.appliedOf('main', 'h1'), { revision: 0 });
  await clock.advance(500);
  old.far.write('{"type":"ping","sequence":2}\n');
  await settle();
  assert.deepEqual(old.heard.at(-1), { type: 'pong', sequence: 2, appliedByAll: 0 });
});

test('a watermark that is no number ends the connection', async () => {
  const { liveness } = setUp();
  const { far, near } = connect((socket) => liveness.accept('main', 'h1', socket));
  far.write(`${hello}{"type":"applied","revision":"12"}\n`);
  await settle();
  assert.ok(near.destroyed);
  assert.equal(liveness.appliedOf('main', 'h1'), undefined);
});

test('what a proxy does not do is told to listeners, stays while the agent is away, and goes with the node', async () => {
  const { liveness } = setUp();
  const told: unknown[] = [];
  liveness.onIngressProblems((grid, ingresses) => told.push([grid, ...ingresses]));
  const { far, near } = connect((socket) => liveness.accept('main', 'h1', socket));
  const problems = [{ ingress: 'shop/web', message: 'there is no Service shop/web' }];
  far.write(`${hello}${JSON.stringify({ type: 'ingressProblems', problems })}\n`);
  await settle();
  assert.deepEqual(liveness.ingressProblemsOf('main', 'h1'), problems);
  near.destroy();
  await settle();
  assert.deepEqual(liveness.ingressProblemsOf('main', 'h1'), problems);
  liveness.drop('main', 'h1');
  assert.deepEqual(liveness.ingressProblemsOf('main', 'h1'), []);
  assert.deepEqual(told, [
    ['main', 'shop/web'],
    ['main', 'shop/web'],
  ]);
  const other = connect((socket) => liveness.accept('main', 'h1', socket));
  other.far.write(`${hello}{"type":"ingressProblems","problems":"none"}\n`);
  await settle();
  assert.ok(other.near.destroyed);
});

test('the end of a connection is told, and when it was last heard stays known', async () => {
  const { clock, liveness, changes } = setUp();
  const { far, near } = connect((socket) => liveness.accept('main', 'h1', socket));
  far.write(hello);
  await settle();
  await clock.advance(500);
  near.destroy();
  await settle();
  assert.deepEqual(changes, ['main/h1', 'main/h1']);
  assert.equal(liveness.lastHeardMs('main', 'h1'), 0);
  assert.equal(liveness.size, 0);
});

test('a ping before the hello counts for nothing', async () => {
  const { liveness } = setUp();
  const { far, heard } = connect((socket) => liveness.accept('main', 'h1', socket));
  far.write('{"type":"ping","sequence":1}\n');
  await settle();
  assert.equal(liveness.lastHeardMs('main', 'h1'), undefined);
  assert.deepEqual(heard, []);
});

test('a silent connection is given up', async () => {
  const { clock, liveness } = setUp();
  const { far, near } = connect((socket) => liveness.accept('main', 'h1', socket));
  far.write(hello);
  await settle();
  await clock.advance(21_000);
  await settle();
  assert.ok(near.destroyed);
});

const bad = ['no json\n', '[1]\n'.replace('[1]', '3'), `${'x'.repeat(70_000)}`];
for (const text of bad) {
  test(`a connection that says "${text.slice(0, 8).trim()}" is ended`, async () => {
    const { liveness } = setUp();
    const { far, near } = connect((socket) => liveness.accept('main', 'h1', socket));
    far.on('error', () => {});
    far.write(text);
    await settle();
    await settle();
    assert.ok(near.destroyed);
  });
}

test('an agent on the machine of the server is told apart from others', async () => {
  const { liveness } = setUp();
  const from = (localAddress: string, remoteAddress: string) => {
    const { far, near } = connect(() => {});
    Object.assign(near, { localAddress, remoteAddress });
    liveness.accept('main', 'h1', near);
    far.write(hello);
  };
  assert.equal(liveness.isLocal('main', 'h1'), false);
  from('10.0.0.1', '10.0.0.1');
  await settle();
  assert.equal(liveness.isLocal('main', 'h1'), true);
  from('10.0.0.1', '10.0.0.2');
  await settle();
  assert.equal(liveness.isLocal('main', 'h1'), false);
});

test('a node that is no longer one loses its connections, and was never heard', async () => {
  const { liveness } = setUp();
  const { far, near } = connect((socket) => liveness.accept('main', 'h1', socket));
  const other = connect((socket) => liveness.accept('main', 'h2', socket));
  for (const one of [far, other.far]) one.write(hello);
  await settle();
  liveness.drop('main', 'h1');
  await settle();
  assert.deepEqual([near.destroyed, other.near.destroyed], [true, false]);
  assert.equal(liveness.lastHeardMs('main', 'h1'), undefined);
  assert.equal(liveness.lastHeardMs('main', 'h2'), 0);
});

test('a change of the servers is told to all that are connected', async () => {
  let known: readonly string[] = [];
  const { liveness } = setUp(() => known);
  const welcome = connect((socket) => liveness.accept('main', 'h1', socket));
  const silent = connect((socket) => liveness.accept('main', 'h2', socket));
  welcome.far.write(hello);
  await settle();
  known = ['https://a:1', 'https://b:1'];
  liveness.tellServers();
  await settle();
  assert.deepEqual(welcome.heard, [
    { type: 'hello', protocolVersion: 1, capabilities, serverId: 's1', servers: [] },
    { type: 'servers', servers: known },
  ]);
  assert.deepEqual(silent.heard, []);
});
