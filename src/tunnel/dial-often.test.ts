import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../lib/clock.ts';
import { dialOften } from './dial-often.ts';

interface Socket {
  readonly id: number;
  isDestroyed: boolean;
  destroy(): void;
}

/** A line on which tries get no answer at all before `worksFromMs`; each is given up after a second. */
function setUp(worksFromMs: number, answer: () => Promise<void> = async () => {}) {
  const clock = new ManualClock();
  const beganMs: number[] = [];
  const sockets: Socket[] = [];
  const dial = async (signal: AbortSignal): Promise<Socket> => {
    const startMs = clock.monotonicMs();
    beganMs.push(startMs);
    if (startMs < worksFromMs) {
      await clock.sleep(1_000, signal);
      throw new Error('no connection within 1000 ms');
    }
    await answer();
    const socket: Socket = {
      id: startMs,
      isDestroyed: false,
      destroy: () => {
        socket.isDestroyed = true;
      },
    };
    sockets.push(socket);
    return socket;
  };
  const abort = new AbortController();
  return { clock, beganMs, sockets, abort, dialled: dialOften(dial, { clock, signal: abort.signal }) };
}

async function advance(clock: ManualClock, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 100) await clock.advance(100);
}

test('tries overlap: the first one after the line works again is the one', async () => {
  const { clock, dialled, beganMs } = setUp(1_000);
  await advance(clock, 1_300);
  assert.equal((await dialled).id, 1_200);
  assert.deepEqual(beganMs, [0, 400, 800, 1_200]);
});

test('what is refused at once fails at once, with the reason', async () => {
  const { dialled } = setUp(0, async () => {
    throw new Error('connection refused');
  });
  await assert.rejects(dialled, /connection refused/);
});

test('after five seconds the caller hears why', async () => {
  const { clock, dialled, beganMs } = setUp(Number.POSITIVE_INFINITY);
  const ended = assert.rejects(dialled, /no connection within 1000 ms/);
  await advance(clock, 6_500);
  await ended;
  const tries = beganMs.length;
  await advance(clock, 2_000);
  assert.equal(beganMs.length, tries);
});

test('whoever stops it ends all tries', async () => {
  const { clock, dialled, beganMs, abort } = setUp(Number.POSITIVE_INFINITY);
  const ended = assert.rejects(dialled, /the agent stops/);
  await advance(clock, 500);
  abort.abort(new Error('the agent stops'));
  await ended;
  await advance(clock, 2_000);
  assert.equal(beganMs.length, 2);
});
