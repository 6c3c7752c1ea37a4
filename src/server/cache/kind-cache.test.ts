import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pods } from '../../resources/kinds.ts';
import { CachedObject } from './cached-object.ts';
import { KindCache } from './kind-cache.ts';

const prefix = '/o/main/core/pods/';

function item(name: string, nodeName: string, revision: number): CachedObject {
  const metadata = { name, namespace: 'default', resourceVersion: String(revision) };
  const object = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName } };
  return new CachedObject(`${prefix}default/${name}`, object, revision);
}

function feed(cache: KindCache, revision: number, next: CachedObject | undefined, previous: CachedObject | undefined) {
  const event = { revision, resourceVersion: String(revision), receivedMs: revision, shared: { lines: {} } };
  cache.apply({ ...event, item: next, previous });
}

test('the history of a node goes with that of the kind', () => {
  const cache = new KindCache(pods, 'main', prefix, 0, { minEvents: 10, maxEvents: 100, maxAgeMs: 50 });
  const first = item('a', 'h1', 1);
  feed(cache, 1, first, undefined);
  const onNode = { nodeName: 'h1' };
  assert.equal(cache.ringFor(onNode).positionAfter(0), 0);
  let last = item('b', 'h2', 2);
  feed(cache, 2, last, undefined);
  for (let revision = 3; revision < 400; revision++) {
    const next = item('b', 'h2', revision);
    feed(cache, revision, next, last);
    last = next;
  }
  assert.ok(cache.ring.size <= 164, String(cache.ring.size));
  assert.equal(cache.ringFor(onNode).size, 0);
  assert.equal(cache.ringFor(onNode).positionAfter(0), undefined, 'too old here as there');
  assert.equal(cache.ringFor(onNode).floor, cache.ring.floor);
  assert.deepEqual([...cache.onNode('h1')], [first]);
  cache.trim(1_000_000);
  assert.ok(cache.ring.size < 10 + 64 + 64);
});

test('a pod that changes its node leaves the one and enters the other', () => {
  const cache = new KindCache(pods, 'main', prefix, 0);
  const before = item('a', 'h1', 1);
  feed(cache, 1, before, undefined);
  const after = item('a', 'h2', 2);
  feed(cache, 2, after, before);
  assert.deepEqual([...cache.onNode('h1')], []);
  assert.deepEqual([...cache.onNode('h2')], [after]);
  assert.equal(cache.ringFor({ nodeName: 'h1' }).from(0, 10)?.length, 2);
  feed(cache, 3, undefined, after);
  assert.deepEqual([...cache.onNode('h2')], []);
  assert.equal(cache.size, 0);
});
