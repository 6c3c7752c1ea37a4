import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { createMemoryStore } from '../../store/memory.ts';
import { startServerList } from './server-list.ts';

const settle = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

test('a further server is told of once, not at each of its signs of life', async () => {
  const clock = new ManualClock();
  const store = createMemoryStore({ clock });
  let changes = 0;
  const start = (serverId: string, onChange?: () => void) =>
    startServerList({
      ...{ store, serverId, urls: [`https://${serverId}:1`], clock, log: silentLogger },
      ...(onChange ? { onChange } : {}),
    });
  const first = await start('a', () => changes++);
  assert.deepEqual([first.others(), changes], [[], 0]);
  const second = await start('b');
  await settle();
  assert.deepEqual([first.others(), changes], [['https://b:1'], 1]);
  assert.deepEqual(second.others(), ['https://a:1']);
  await clock.advance(3_600_000);
  await settle();
  assert.deepEqual([first.others(), changes], [['https://b:1'], 1]);
  await first.stop();
  await second.stop();
  await store.close();
});
