import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Client } from '../client/client.ts';
import { ManualClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/log.ts';
import { ApiError } from '../resources/api-error.ts';
import type { Lease } from '../resources/kinds.ts';
import { type LeaderElection, startLeaderElection } from './leader.ts';

/** One lease, with conditional updates, as the API keeps it. */
class LeaseStore {
  lease: Lease | undefined;
  #version = 0;

  write(lease: Lease): Lease {
    this.#version += 1;
    this.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(this.#version) } };
    return this.lease;
  }
}

type Weather = (call: string) => { delayMs: number; fails: boolean; answerLost: boolean };
const fine: Weather = () => ({ delayMs: 0, fails: false, answerLost: false });

function clientOf(store: LeaseStore, clock: ManualClock, weather: Weather): Client {
  const call = async <T>(name: string, run: () => T): Promise<T> => {
    const { delayMs, fails, answerLost } = weather(name);
    if (delayMs > 0) await clock.sleep(delayMs);
    if (fails) throw new Error('the store is away');
    const answer = run();
    if (answerLost) throw new Error('the answer was lost');
    return answer;
  };
  const partial = {
    grid: 'system',
    get: () =>
      call('get', () => {
        if (!store.lease) throw new ApiError({ code: 404, reason: 'NotFound', message: 'not found' });
        return store.lease;
      }),
    create: (kind: { plural: string }, object: Lease) =>
      call('create', () => {
        if (kind.plural === 'namespaces') return object;
        if (store.lease) throw new ApiError({ code: 409, reason: 'AlreadyExists', message: 'exists' });
        return store.write(object);
      }),
    update: (_kind: unknown, object: Lease) =>
      call('update', () => {
        if (object.metadata.resourceVersion !== store.lease?.metadata.resourceVersion) {
          throw new ApiError({ code: 409, reason: 'Conflict', message: 'conflict' });
        }
        return store.write(object);
      }),
  };
  return partial as unknown as Client;
}

interface Candidate {
  election: LeaderElection;
  isRunning: boolean;
}

function startCandidate(
  identity: string,
  store: LeaseStore,
  clock: ManualClock,
  weather: Weather = fine,
  stopMs = 0,
): Candidate {
  const candidate = { isRunning: false } as Candidate;
  candidate.election = startLeaderElection({
    client: clientOf(store, clock, weather),
    identity,
    clock,
    log: silentLogger,
    onStarted: () => {
      candidate.isRunning = true;
    },
    onStopped: async () => {
      if (stopMs > 0) await clock.sleep(stopMs);
      candidate.isRunning = false;
    },
  });
  return candidate;
}

test('the first leads, the second follows within five seconds of its death', async () => {
  const clock = new ManualClock();
  const store = new LeaseStore();
  let isDead = false;
  const a = startCandidate('a', store, clock, () => ({ delayMs: 0, fails: isDead, answerLost: false }));
  await clock.advance(100);
  const b = startCandidate('b', store, clock);
  await clock.advance(10_000);
  assert.deepEqual([a.isRunning, b.isRunning], [true, false]);
  isDead = true;
  await clock.advance(4_000);
  assert.equal(a.isRunning, false);
  await clock.advance(1_000);
  assert.equal(b.isRunning, true);
  await Promise.all([a.election.stop(), b.election.stop()]);
});

test('a clean stop hands over at once', async () => {
  const clock = new ManualClock();
  const store = new LeaseStore();
  const a = startCandidate('a', store, clock);
  await clock.advance(100);
  const b = startCandidate('b', store, clock);
  await clock.advance(2_000);
  await a.election.stop();
  assert.equal(a.isRunning, false);
  assert.equal(store.lease?.spec.holderIdentity, '');
  await clock.advance(600);
  assert.equal(b.isRunning, true);
  await b.election.stop();
});

test('a lease that was seen to be released is taken in the same moment', async () => {
  const clock = new ManualClock();
  const store = new LeaseStore();
  const a = startCandidate('a', store, clock);
  await clock.advance(100);
  const b = startCandidate('b', store, clock);
  await clock.advance(2_100); // between two looks
  await a.election.stop();
  b.election.noteLease(store.lease);
  await clock.advance(1);
  assert.equal(b.isRunning, true);
  await b.election.stop();
});

test('a leader that is told that another one has begun stops at once, and stands again', async () => {
  const clock = new ManualClock();
  const store = new LeaseStore();
  const a = startCandidate('a', store, clock);
  await clock.advance(100);
  store.write({ ...store.lease!, spec: { ...store.lease!.spec, holderIdentity: 'b' } });
  a.election.stepDown('another server has begun its term');
  await clock.advance(1);
  assert.deepEqual([a.isRunning, a.election.isLeader], [false, false]);
  await clock.advance(5_000);
  assert.equal(a.isRunning, true);
  await a.election.stop();
});

test('a lease that somebody deleted is made again, as a new term', async () => {
  const clock = new ManualClock();
  const store = new LeaseStore();
  const a = startCandidate('a', store, clock);
  await clock.advance(100);
  store.lease = undefined;
  await clock.advance(2_500);
  assert.deepEqual([a.isRunning, store.lease === undefined], [true, false]);
  await a.election.stop();
});

test('a jump of the wall clock changes nothing', async () => {
  const clock = new ManualClock();
  const store = new LeaseStore();
  const a = startCandidate('a', store, clock);
  await clock.advance(100);
  const b = startCandidate('b', store, clock);
  await clock.advance(1_000);
  clock.jumpWall(3_600_000);
  await clock.advance(3_000);
  assert.deepEqual([a.isRunning, b.isRunning], [true, false]);
  await Promise.all([a.election.stop(), b.election.stop()]);
});

test('a store that hangs makes the leader stop before anybody can follow', async () => {
  const clock = new ManualClock();
  const store = new LeaseStore();
  let hangs = false;
  const a = startCandidate('a', store, clock, () => ({ delayMs: hangs ? 60_000 : 0, fails: false, answerLost: false }));
  await clock.advance(100);
  hangs = true;
  await clock.advance(3_900);
  assert.equal(a.isRunning, false);
  const stopped = a.election.stop();
  await clock.advance(2_500);
  await stopped;
});

/** Mostly fine, at times slow, failing, or written without an answer. */
function weatherOf(seed: number): Weather {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  return () => {
    if (random() < 0.6) return fine('');
    const delayMs = Math.floor(random() < 0.5 ? random() * 900 : random() * 6_000);
    return { delayMs, fails: random() < 0.4, answerLost: random() < 0.3 };
  };
}

test('never two leaders, whatever the store does', async () => {
  let led = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), async (left, right) => {
      const clock = new ManualClock();
      const store = new LeaseStore();
      const a = startCandidate('a', store, clock, weatherOf(left), 900);
      const b = startCandidate('b', store, clock, weatherOf(right), 900);
      for (let step = 0; step < 160; step++) {
        await clock.advance(250);
        assert.ok(!(a.isRunning && b.isRunning), `two leaders after ${clock.monotonicMs()} ms`);
        if (a.isRunning || b.isRunning) led += 1;
      }
      let isStopped = false;
      const stopped = Promise.all([a.election.stop(), b.election.stop()]).then(() => {
        isStopped = true;
      });
      for (let step = 0; step < 100 && !isStopped; step++) await clock.advance(250);
      await stopped;
    }),
    { numRuns: 40 },
  );
  assert.ok(led > 1_000, `somebody led most of the time, not ${led} times`);
});
