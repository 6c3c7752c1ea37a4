import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import type { AskPeers } from '../liveness.ts';
import { createPeerProbes } from './peer-probes.ts';

const settle = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

function setUp(askPeers: AskPeers, addressesOf = (name: string): readonly string[] => [`10.0.0.${name.slice(1)}`]) {
  const clock = new ManualClock();
  const state = { rounds: 0 };
  const probes = createPeerProbes({
    ...{ grid: 'main', askPeers, addressesOf, clock, log: silentLogger },
    onFindings: () => {
      state.rounds += 1;
    },
  });
  return { clock, probes, state };
}

test('keeps what each asked node found about each silent one', async () => {
  const { probes } = setUp(async (_grid, asker, addresses) => {
    if (asker === 'h5') throw new Error('not connected');
    return new Map(addresses.map((address) => [address, asker === 'h4' && address === '10.0.0.2']));
  });
  probes.ask(['h1', 'h2'], ['h3', 'h4', 'h5']);
  await settle();
  assert.deepEqual(
    [...probes.findings],
    [
      ['h1', { atMs: 0, reachedBy: [], missedBy: ['h3', 'h4'] }],
      ['h2', { atMs: 0, reachedBy: ['h4'], missedBy: ['h3'] }],
    ],
  );
  await probes.stop();
});

test('one round at a time, not more often than every second and a half, and not without anybody to ask', async () => {
  let asked = 0;
  const { clock, probes, state } = setUp(async () => {
    asked += 1;
    return new Map();
  });
  probes.ask(['h1'], []);
  probes.ask([], ['h2']);
  assert.equal(asked, 0);
  probes.ask(['h1'], ['h2']);
  probes.ask(['h1'], ['h2']);
  await settle();
  probes.ask(['h1'], ['h2']);
  assert.deepEqual([asked, state.rounds], [1, 1]);
  await clock.advance(1_500);
  probes.ask(['h1'], ['h2']);
  await settle();
  assert.deepEqual([asked, state.rounds], [2, 2]);
  await probes.stop();
});

test('nobody has tried a node whose address is not known', async () => {
  const { probes } = setUp(
    async () => new Map(),
    () => [],
  );
  probes.ask(['h1'], ['h2']);
  await settle();
  assert.deepEqual(probes.findings.get('h1'), { atMs: 0, reachedBy: [], missedBy: [] });
  await probes.stop();
});

test('of very many silent ones some are called, and stand for the others', async () => {
  const called = new Set<string>();
  const { probes } = setUp(async (_grid, _asker, addresses) => {
    for (const address of addresses) called.add(address);
    return new Map(addresses.map((address) => [address, false]));
  });
  const many = Array.from({ length: 200 }, (_, at) => `h${at}`);
  probes.ask(many, ['x']);
  await settle();
  assert.equal(called.size, 64);
  assert.deepEqual(probes.findings.get('h199'), { atMs: 0, reachedBy: [], missedBy: ['x'] });
  await probes.stop();
});
