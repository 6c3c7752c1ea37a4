import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overlayContract } from './contract.ts';
import { createFakeOverlay } from './fake.ts';
import { parseRoutes, planRoutes, renderRouteBatch } from './rules.ts';

overlayContract('fake overlay', async () => createFakeOverlay());

test('only what differs is changed', () => {
  const desired = {
    podRange: '10.80.0.0/12',
    self: { podCIDR: '10.80.0.0/24', gateway: '10.80.0.1', bridgeName: 'fl0' },
    peers: [
      { nodeName: 'h2', podCIDR: '10.80.1.0/24', nodeAddress: '10.99.0.2' },
      { nodeName: 'h3', podCIDR: '10.80.2.0/24', nodeAddress: '10.99.0.3' },
    ],
  };
  const observed = parseRoutes(
    JSON.stringify([
      { dst: '10.80.1.0/24', gateway: '10.99.0.2', prefsrc: '10.80.0.1' },
      { dst: '10.80.2.0/24', gateway: '10.99.0.3' },
      { dst: '10.80.9.0/24', gateway: '10.99.0.9', prefsrc: '10.80.0.1' },
    ]),
  );
  assert.equal(
    renderRouteBatch(planRoutes(desired, observed)),
    'route del 10.80.9.0/24 proto 81\nroute replace 10.80.2.0/24 via 10.99.0.3 src 10.80.0.1 proto 81\n',
  );
  assert.deepEqual(parseRoutes(''), []);
  assert.throws(() => parseRoutes('<html>'), { code: 'HostToolFailed' });
});
