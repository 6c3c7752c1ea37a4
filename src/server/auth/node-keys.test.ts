import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { createMemoryStore } from '../../store/memory.ts';
import { startNodeKeys } from './node-keys.ts';

async function setUp() {
  const clock = new ManualClock();
  const store = createMemoryStore();
  const taken = new Set<string>();
  const hasNode = async (_grid: string, name: string) => taken.has(name);
  const open = () => startNodeKeys({ store, clock, log: silentLogger, hasNode });
  return { clock, taken, open, keys: await open() };
}

test('a name belongs to the first key, and to the same key again', async () => {
  const { keys } = await setUp();
  assert.equal(await keys.claim('main', 'h1', 'aa'), true);
  assert.equal(await keys.claim('main', 'h1', 'aa'), true);
  assert.equal(await keys.claim('main', 'h1', 'bb'), false);
  assert.equal(await keys.claim('blue', 'h1', 'bb'), true);
  keys.stop();
});

test('a name is free again when its Node object is gone, and then the former key is locked out', async () => {
  const { keys, clock, taken } = await setUp();
  await keys.claim('main', 'h1', 'aa');
  taken.add('h1');
  await clock.advance(3_600_000);
  assert.equal(await keys.claim('main', 'h1', 'bb'), false);
  taken.delete('h1');
  assert.equal(await keys.claim('main', 'h1', 'bb'), true);
  assert.deepEqual([keys.isKeyOf('main', 'h1', 'aa'), keys.isKeyOf('main', 'h1', 'bb')], [false, true]);
  keys.stop();
});

test('of two that claim at once one gets the name', async () => {
  const { keys, open } = await setUp();
  const other = await open();
  const results = await Promise.all([keys.claim('main', 'h1', 'aa'), other.claim('main', 'h1', 'bb')]);
  assert.equal(results.filter(Boolean).length, 1);
  keys.stop();
  other.stop();
});

test('after a renewal with a new key the former one stays good, the one before it does not', async () => {
  const { keys, open } = await setUp();
  await keys.claim('main', 'h1', 'aa');
  await keys.replace('main', 'h1', 'bb');
  await keys.replace('main', 'h1', 'bb');
  assert.ok(keys.isKeyOf('main', 'h1', 'aa') && keys.isKeyOf('main', 'h1', 'bb'));
  await keys.replace('main', 'h1', 'cc');
  assert.deepEqual([keys.isKeyOf('main', 'h1', 'aa'), keys.isKeyOf('main', 'h1', 'cc')], [false, true]);
  const restarted = await open();
  assert.equal(restarted.isKeyOf('main', 'h1', 'aa'), false);
  keys.stop();
  restarted.stop();
});

test('a removed node takes its key with it; the name is free for another, and for the same one that joins anew', async () => {
  const { keys, clock, open } = await setUp();
  const madeMs = clock.wallMs();
  await keys.claim('main', 'h1', 'aa');
  await clock.advance(10_000);
  await keys.replace('main', 'h1', 'bb');
  assert.equal(await keys.revoke('main', 'h1', madeMs), true);
  assert.deepEqual([keys.isKeyOf('main', 'h1', 'aa'), keys.isKeyOf('main', 'h1', 'bb')], [false, false]);
  const restarted = await open();
  assert.equal(restarted.isKeyOf('main', 'h1', 'bb'), false);
  assert.equal(await keys.claim('main', 'h1', 'bb'), true);
  assert.equal(keys.isKeyOf('main', 'h1', 'bb'), true);
  keys.stop();
  restarted.stop();
});

test('a revocation that comes late does not touch who has joined since', async () => {
  const { keys, clock } = await setUp();
  const madeMs = clock.wallMs();
  await clock.advance(10_000);
  await keys.claim('main', 'h1', 'bb');
  assert.equal(await keys.revoke('main', 'h1', madeMs), false);
  assert.equal(keys.isKeyOf('main', 'h1', 'bb'), true);
  assert.equal(await keys.revoke('main', 'h9', madeMs), false);
  keys.stop();
});
