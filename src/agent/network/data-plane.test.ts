import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import type { Applied } from '../../resources/applied.ts';
import type { EndpointSlice } from '../../resources/kinds.ts';
import { AddressPool } from './address-pool.ts';
import { type ServiceView, startDataPlane } from './data-plane.ts';

const slice = (ready: boolean): EndpointSlice => ({
  ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: 'web-1' }, addressType: 'IPv4' },
  endpoints: [{ addresses: ['10.80.3.2'], conditions: { ready } }],
});

test('a freed address comes back when every node has applied a view without it', async () => {
  const clock = new ManualClock();
  const pool = new AddressPool('10.80.3.0/29', { next: 0, byPod: {} });
  const told: Applied[] = [];
  const applied: number[] = [];
  let rested = 0;
  let view: ServiceView | undefined;
  const plane = startDataPlane({
    view: () => view,
    apply: async ({ revision }) => void applied.push(revision),
    pool: () => pool,
    onApplied: (one) => told.push(one),
    onRested: () => {
      rested++;
    },
    clock,
    log: silentLogger,
  });
  const follow = async (revision: number, isReady: boolean, slicesSince = revision) => {
    view = { services: [], slices: [slice(isReady)], revision, slicesSince };
    plane.changed();
    await clock.advance(10);
    await new Promise(setImmediate);
  };
  pool.assign('a');
  await follow(5, true);
  pool.free('a');
  plane.setAppliedByAll(9);
  assert.deepEqual(pool.resting, ['10.80.3.2']);
  await follow(10, false);
  assert.deepEqual(pool.resting, ['10.80.3.2'], 'not applied by all');
  plane.setAppliedByAll(undefined);
  await follow(11, false, 10);
  plane.setAppliedByAll(10);
  assert.deepEqual([pool.resting, rested], [[], 1]);
  assert.deepEqual(applied, [5, 10, 11]);
  assert.deepEqual(told, [{ revision: 5 }, { revision: 10 }, { revision: 11 }]);
  pool.assign('b');
  pool.free('b');
  plane.setAppliedByAll(10);
  assert.deepEqual(pool.resting, [], 'nobody had it: no later revision has to come to all');
  await plane.stop();
});
