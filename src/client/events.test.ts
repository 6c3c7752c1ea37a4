import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../lib/clock.ts';
import type { Event } from '../resources/kinds.ts';
import { ApiError } from './api-error.ts';
import type { Client } from './client.ts';
import { createEventRecorder } from './events.ts';

const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', name: 'web-1', uid: 'u1' } };

function recorder(patch: () => void = () => {}) {
  const created: Event[] = [];
  const patched: unknown[] = [];
  const client = {
    create: async (_kind: unknown, event: Event) => created.push(event),
    patch: async (_kind: unknown, ref: { name: string }, { body }: { body: unknown }) => {
      patch();
      patched.push([ref.name, body]);
    },
  } as unknown as Client;
  const clock = new ManualClock();
  return { created, patched, clock, events: createEventRecorder({ client, component: 'agent', host: 'h1', clock }) };
}

describe('the event recorder', () => {
  test('writes a Kubernetes Event beside its object', async () => {
    const { events, created } = recorder();
    events.record(pod, 'Warning', 'Failed', 'no such image');
    await events.flush();
    const [event] = created;
    assert.match(event?.metadata.name ?? '', /^web-1\.[0-9a-f]{16}$/);
    assert.equal(event?.metadata.namespace, 'shop');
    assert.deepEqual(event?.involvedObject, {
      apiVersion: 'v1',
      kind: 'Pod',
      name: 'web-1',
      namespace: 'shop',
      uid: 'u1',
    });
    assert.deepEqual(event?.source, { component: 'agent', host: 'h1' });
    assert.equal(event?.firstTimestamp, '2026-01-01T00:00:00Z');
    assert.deepEqual(
      [event?.type, event?.reason, event?.message, event?.count],
      ['Warning', 'Failed', 'no such image', 1],
    );
  });

  test('repeats raise the count, in one write when they come fast', async () => {
    const { events, created, patched, clock } = recorder();
    for (let i = 0; i < 3; i++) events.record(pod, 'Normal', 'Pulled', 'image is here');
    await events.flush();
    await clock.advance(5_000);
    for (let i = 0; i < 4; i++) events.record(pod, 'Normal', 'Pulled', 'image is here');
    await events.flush();
    const counted = created[0]?.count ?? 0;
    assert.equal(created.length, 1);
    const [name, body] = patched.at(-1) as [string, { count: number; lastTimestamp: string }];
    assert.equal(name, created[0]?.metadata.name);
    assert.equal(body.count, 7);
    assert.ok(counted >= 1);
    assert.equal(body.lastTimestamp, '2026-01-01T00:00:05Z');
  });

  test('one that expired is made again; other failures are dropped', async () => {
    const gone = () => {
      throw new ApiError({ code: 404, reason: 'NotFound', message: 'gone' });
    };
    const { events, created } = recorder(gone);
    events.record(pod, 'Normal', 'Pulled', 'x');
    await events.flush();
    events.record(pod, 'Normal', 'Pulled', 'x');
    await events.flush();
    assert.equal(created.length, 2);
  });

  test('an object cannot flood the store; another one is still heard', async () => {
    const { events, created, clock } = recorder();
    for (let i = 0; i < 500; i++) events.record(pod, 'Normal', 'Noise', `line ${i}`);
    await events.flush();
    assert.ok(created.length <= 30, `${created.length} events`);
    events.record({ ...pod, metadata: { ...pod.metadata, name: 'db-1', uid: 'u2' } }, 'Normal', 'Started', 'x');
    await events.flush();
    assert.equal(created.at(-1)?.involvedObject.name, 'db-1');
    await clock.advance(60_000);
    events.record(pod, 'Normal', 'Noise', 'later');
    await events.stop();
    assert.equal(created.at(-1)?.message, 'later');
    events.record(pod, 'Normal', 'Noise', 'after stop');
    await events.flush();
    assert.equal(created.at(-1)?.message, 'later');
  });

  test('a flood about many objects is written by several at once, each object in its order, and bounded', async () => {
    const waiting: (() => void)[] = [];
    const created: Event[] = [];
    const client = {
      create: async (_kind: unknown, event: Event) => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        created.push(event);
      },
    } as unknown as Client;
    const events = createEventRecorder({ client, component: 'scheduler', writersAtOnce: 3, maxPending: 4 });
    const say = (name: string, reason: string) =>
      events.record({ ...pod, metadata: { ...pod.metadata, name, uid: name } }, 'Normal', reason, 'x');
    say('a', 'First');
    say('a', 'Second');
    for (const name of ['b', 'c', 'd', 'e', 'f', 'dropped']) say(name, 'First');
    assert.equal(waiting.length, 3, 'one about each of three objects');
    const flushed = events.flush();
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      next();
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(waiting.length <= 3);
    }
    await flushed;
    const told = created.map(({ involvedObject, reason }) => `${involvedObject.name} ${reason}`);
    assert.deepEqual(told.toSorted(), ['a First', 'a Second', 'b First', 'c First', 'd First', 'e First', 'f First']);
    assert.ok(told.indexOf('a First') < told.indexOf('a Second'));
  });
});
