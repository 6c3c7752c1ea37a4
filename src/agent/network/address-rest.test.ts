import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressRest } from './address-rest.ts';

const a = '10.80.0.2';
const used = (since: number) => ({ addresses: new Set([a]), since });
const unused = (since: number) => ({ addresses: new Set<string>(), since });

test('an address rests while a service has it, then until all nodes have applied that it is gone', () => {
  const rest = new AddressRest();
  assert.deepEqual(rest.settle([a], used(10), 99), []);
  assert.deepEqual(rest.settle([a], unused(12), 11), []);
  assert.deepEqual(rest.settle([a], unused(20), 11), [], 'later changes are not about it');
  assert.deepEqual(rest.settle([a], unused(20), 12), [a]);
});

test('one that a service takes up again begins anew, and so does the next time it rests', () => {
  const rest = new AddressRest();
  rest.settle([a], unused(12), 11);
  rest.settle([a], used(13), 12);
  assert.deepEqual(rest.settle([a], unused(14), 13), []);
  rest.settle([], unused(15), 13);
  assert.deepEqual(rest.settle([a], unused(16), 14), []);
  assert.deepEqual(rest.settle([a], unused(16), 16), [a]);
});

test('nobody knows: it rests', () => {
  const rest = new AddressRest();
  assert.deepEqual(rest.settle([a], unused(12), undefined), []);
  assert.deepEqual(rest.settle([a], unused(0), 0), [], 'nothing has been listed yet');
});
