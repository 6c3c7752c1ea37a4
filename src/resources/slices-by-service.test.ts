import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice } from './kinds.ts';
import { SlicesByService } from './slices-by-service.ts';

const slice = (service?: string): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'any', ...(service === undefined ? {} : { labels: { 'kubernetes.io/service-name': service } }) },
  addressType: 'IPv4',
  endpoints: [],
});

test('slices are found by their service, and whose are others is told', () => {
  const slices = new SlicesByService();
  const [first, second] = [slice('web'), slice('web')];
  assert.deepEqual(slices.set('shop/a', first), ['shop/web']);
  assert.deepEqual(slices.set('shop/b', second), ['shop/web']);
  assert.deepEqual(slices.set('bank/a', slice('web')), ['bank/web']);
  assert.deepEqual([...slices.of('shop/web').keys()], ['shop/a', 'shop/b']);
  assert.equal(slices.of('shop/web').get('shop/a'), first);
  assert.deepEqual(slices.set('shop/a', slice('db')), ['shop/web', 'shop/db'], 'it belongs to another one now');
  assert.deepEqual(slices.set('shop/b', slice()), ['shop/web'], 'it belongs to none now');
  assert.equal(slices.of('shop/web').size, 0);
  assert.deepEqual(slices.set('shop/a', undefined), ['shop/db']);
  assert.deepEqual(slices.set('shop/a', undefined), []);
  assert.deepEqual([...slices.keys()], ['bank/a']);
});
