import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../client/api-error.ts';
import { ManualClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { unplacedCause } from '../../resources/eviction-surge.ts';
import type { Pod } from '../../resources/kinds.ts';
import { endHost } from './host-end.ts';

const pod = (name: string): Pod => ({
  ...{ apiVersion: 'v1', kind: 'Pod' },
  metadata: {
    ...{ name, uid: name, namespace: 'shop' },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'r', controller: true }],
  },
  spec: { containers: [] },
  status: { phase: 'Running' },
});
const refusal = (reason: string) =>
  new ApiError({ code: 429, reason: 'TooManyRequests', message: 'not yet', details: { causes: [{ reason }] } });

/** Lets the clock run until the promise has settled; gives how long that took. */
async function run(clock: ManualClock, promise: Promise<void>): Promise<number> {
  let isOver = false;
  const done = promise.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
    if (!isOver) await clock.advance(100);
  }
  await done;
  return clock.monotonicMs();
}

test('what others take over is waited for, then the rest stops', async () => {
  const clock = new ManualClock();
  let left = [pod('a'), pod('b')];
  const calls: string[] = [];
  const took = await run(
    clock,
    endHost({
      ...{ clock, log: silentLogger, pods: () => left },
      evictPod: async ({ name }, { uid }) => {
        calls.push(`${name} ${uid} at ${Math.round(clock.monotonicMs())}`);
        if (clock.monotonicMs() < 2_000) throw refusal('Replacement');
        left = left.filter(({ metadata }) => metadata.name !== name);
      },
      stopAll: (atMs) => void calls.push(`stop until ${atMs}`),
      endProxy: async (graceSeconds) => void calls.push(`proxy within ${graceSeconds} s`),
      alive: () => (clock.monotonicMs() < 5_000 ? 1 : 0),
    }),
  );
  assert.deepEqual(calls, [
    'a a at 0',
    'b b at 0',
    'a a at 1000',
    'b b at 1000',
    'a a at 2000',
    'b b at 2000',
    'stop until 75000',
    'proxy within 30 s',
  ]);
  assert.equal(took, 5_000);
});

test('what finds no other node, or no server, is given up within seconds', async () => {
  for (const error of [refusal(unplacedCause), new Error('no server answers')]) {
    const clock = new ManualClock();
    let stoppedMs = 0;
    await run(
      clock,
      endHost({
        ...{ clock, log: silentLogger, pods: () => [pod('a')] },
        evictPod: async () => {
          throw error;
        },
        stopAll: () => {
          stoppedMs = clock.monotonicMs();
        },
        endProxy: async () => {
          throw new Error('it does not answer');
        },
        alive: () => 0,
      }),
    );
    assert.ok(stoppedMs >= 3_000 && stoppedMs < 5_000, `${stoppedMs}`);
  }
});

test('it ends in its time, whatever goes on: a proxy that holds a connection', async () => {
  const clock = new ManualClock();
  const evictPod = async () => {
    throw refusal('DisruptionBudget');
  };
  const common = {
    clock,
    log: silentLogger,
    pods: () => [pod('a')],
    stopAll: () => {},
    endProxy: () => new Promise<void>(() => {}),
  };
  assert.equal(await run(clock, endHost({ ...common, evictPod, alive: () => 0 })), 75_000);
});
