import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../lib/clock.ts';
import { Metrics } from '../../lib/metrics.ts';
import { ApiError } from '../../resources/api-error.ts';
import { nodesGroup } from '../../resources/names.ts';
import type { RequestContext } from '../request.ts';
import { createRequestGate } from './request-gate.ts';

const tight = { running: 2, runningPerFlow: 2, waiting: 3, waitingPerFlow: 2 };

function setUp() {
  const clock = new ManualClock();
  const limits = { userReads: tight, userChanges: tight, long: { ...tight, waiting: 0, waitingPerFlow: 0 } };
  return { clock, gate: createRequestGate({ clock, metrics: new Metrics(), limits }) };
}

function contextOf(name: string, more: { groups?: string[]; signal?: AbortSignal } = {}): RequestContext {
  return {
    requestId: '1',
    user: { name, groups: more.groups ?? [] },
    grid: 'main',
    sourceAddress: '',
    userAgent: '',
    signal: more.signal ?? new AbortController().signal,
  };
}

const isTooMany = (error: unknown) =>
  error instanceof ApiError && error.status.code === 429 && error.status.details?.retryAfterSeconds === 1;

test('a request waits for its turn, and is refused beyond the bound', async () => {
  const { gate } = setUp();
  const ann = contextOf('ann');
  const leave = await gate.enter(ann, 'read');
  await gate.enter(ann, 'read');
  const third = gate.enter(ann, 'read');
  const fourth = gate.enter(ann, 'read');
  await assert.rejects(async () => gate.enter(ann, 'read'), isTooMany, 'two wait already');
  const bob = gate.enter(contextOf('bob'), 'read');
  leave();
  (await bob)(); // before the others of ann
  (await third)();
  (await fourth)();
});

test('who waited in vain is told so', async () => {
  const { clock, gate } = setUp();
  const ann = contextOf('ann');
  await gate.enter(ann, 'change');
  await gate.enter(ann, 'change');
  const late = assert.rejects(gate.enter(ann, 'change'), isTooMany);
  clock.advance(10_000);
  await late;
});

test('a client that goes away gives its place back', async () => {
  const { gate } = setUp();
  await gate.enter(contextOf('ann'), 'read');
  await gate.enter(contextOf('ann'), 'read');
  const abort = new AbortController();
  const gone = assert.rejects(gate.enter(contextOf('ann', { signal: abort.signal }), 'read'), isTooMany);
  abort.abort();
  await gone;
});

test('nodes have seats of their own, and watches do not wait', async () => {
  const { gate } = setUp();
  for (let at = 0; at < 2; at += 1) await gate.enter(contextOf('ann'), 'change');
  await gate.enter(contextOf('system:node:h1', { groups: [nodesGroup] }), 'change');
  for (let at = 0; at < 2; at += 1) await gate.enter(contextOf('ann'), 'long');
  await assert.rejects(async () => gate.enter(contextOf('ann'), 'long'), isTooMany);
});
