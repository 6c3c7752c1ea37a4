import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hasCode } from '../../lib/errors.ts';
import { createCipher } from './cipher.ts';

const cipher = createCipher(new Uint8Array(32).fill(1));

test('what was sealed opens under its own key only', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string(), fc.string(), (plain, key, otherKey) => {
      const sealed = cipher.seal(key, plain);
      assert.equal(cipher.open(key, sealed), plain);
      if (key !== otherKey) assert.throws(() => cipher.open(otherKey, sealed), isCorrupt);
    }),
  );
});

test('the same text is sealed differently each time', () => {
  assert.notEqual(cipher.seal('/o/a', 'x'), cipher.seal('/o/a', 'x'));
});

test('a changed, shortened or foreign text does not open', () => {
  const bytes = Buffer.from(cipher.seal('/o/a', 'secret'), 'base64');
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1;
    assert.throws(() => cipher.open('/o/a', changed.toString('base64')), isCorrupt);
  }
  assert.throws(() => cipher.open('/o/a', bytes.subarray(0, 20).toString('base64')), isCorrupt);
  assert.throws(() => createCipher(new Uint8Array(32)).open('/o/a', bytes.toString('base64')), isCorrupt);
});

test('a secret of another length is refused', () => {
  assert.throws(() => createCipher(new Uint8Array(16)), /16 bytes/);
});

function isCorrupt(error: unknown): boolean {
  return hasCode(error, 'StoreCorrupt');
}
