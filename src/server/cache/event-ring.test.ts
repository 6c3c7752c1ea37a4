import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CachedObject, type CacheEvent, lineOf } from './cached-object.ts';
import { EventRing } from './event-ring.ts';

function stateOf(revision: number): CachedObject {
  const metadata = { name: 'c', namespace: 'd', resourceVersion: String(revision) };
  return new CachedObject('/c', { apiVersion: 'v1', kind: 'ConfigMap', metadata }, revision);
}

function changes(...atMs: readonly number[]): CacheEvent[] {
  const states = atMs.map((_, index) => stateOf(index + 1));
  return states.map((item, index) => ({
    ...{ revision: index + 1, resourceVersion: String(index + 1), item, previous: states[index - 1] },
    ...{ receivedMs: atMs[index] ?? 0, shared: { lines: {} } },
  }));
}

test('texts of events go after five seconds and are made again for whoever comes late', () => {
  const ring = new EventRing(0);
  const events = changes(0, 1_000, 5_500, 10_000);
  for (const event of events) {
    ring.append(event);
    if (event.item) lineOf(event, 'MODIFIED', event.item);
  }
  assert.deepEqual(
    events.map((event) => event.shared.lines.MODIFIED !== undefined),
    [false, false, true, true],
  );
  const [first] = events;
  assert.ok(first?.item);
  assert.match(lineOf(first, 'MODIFIED', first.item).toString(), /"resourceVersion":"1"/);
  ring.trim(60_000);
  assert.ok(events.slice(1).every((event) => event.shared.lines.MODIFIED === undefined));
});

test('positions stay what they were when the oldest events are dropped', () => {
  const ring = new EventRing(0, { minEvents: 1, maxEvents: 1_000, maxAgeMs: 50 });
  for (const event of changes(...Array.from({ length: 300 }, (_, index) => index))) ring.append(event);
  const position = ring.positionAfter(290);
  assert.equal(position, 290);
  assert.equal(ring.from(position ?? 0, 1)?.[0]?.revision, 291);
  assert.equal(ring.positionAfter(1), undefined);
  assert.equal(ring.from(1, 1), undefined);
});
