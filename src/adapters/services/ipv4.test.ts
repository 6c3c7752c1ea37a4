import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRangeCheck, hostAddresses } from './ipv4.ts';

test('addresses of a range', () => {
  for (const [cidr, inside, outside] of [
    ['10.80.0.0/12', ['10.80.0.0', '10.95.255.255'], ['10.79.255.255', '10.96.0.0']],
    ['192.0.2.5/24', ['192.0.2.0', '192.0.2.255'], ['192.0.3.0', '10.0.0.1']],
    ['0.0.0.0/0', ['0.0.0.0', '255.255.255.255'], []],
    ['203.0.113.7/32', ['203.0.113.7'], ['203.0.113.6', '203.0.113.8']],
  ] as const) {
    const isInside = createRangeCheck(cidr);
    for (const address of inside) assert.equal(isInside(address), true, `${address} in ${cidr}`);
    for (const address of outside) assert.equal(isInside(address), false, `${address} in ${cidr}`);
  }
  assert.deepEqual(hostAddresses('10.80.1.0/30'), ['10.80.1.1', '10.80.1.2']);
  assert.deepEqual(hostAddresses('200.80.1.7/32'), ['200.80.1.7']);
  assert.equal(hostAddresses('10.80.1.0/24').at(-1), '10.80.1.254');
  assert.equal(hostAddresses('10.80.0.0/20').length, 4_094);
});
