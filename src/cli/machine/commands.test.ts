import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode } from '../../lib/errors.ts';
import { storeOf } from './commands.ts';

describe('--store', () => {
  it('is a file, or the members of an etcd with what TLS needs', () => {
    assert.equal(storeOf({ store: [] }), 'sqlite');
    assert.equal(storeOf({ store: ['sqlite'] }), 'sqlite');
    assert.deepEqual(storeOf({ store: ['http://a:1', 'http://b:1'] }), { etcd: ['http://a:1', 'http://b:1'] });
    const files = { storeCa: 'ca.crt', storeCert: 'own.crt', storeKey: 'own.key' };
    assert.deepEqual(storeOf({ store: ['https://a:1'], ...files }), {
      etcd: ['https://a:1'],
      caFile: 'ca.crt',
      certFile: 'own.crt',
      keyFile: 'own.key',
    });
  });

  const refused: readonly (readonly [string, Parameters<typeof storeOf>[0], RegExp])[] = [
    ['no URL', { store: ['postgres'] }, /"postgres" is neither/],
    ['a mixture', { store: ['https://a:1', 'http://b:1'], storeCa: 'x' }, /some with http:/],
    ['TLS without an authority', { store: ['https://a:1'] }, /needs --store-ca/],
    ['an authority without TLS', { store: ['http://a:1'], storeCa: 'x' }, /needs https/],
    ['TLS of a file', { store: [], storeKey: 'x' }, /are for an etcd/],
    ['half a certificate', { store: ['https://a:1'], storeCa: 'x', storeCert: 'y' }, /belong together/],
  ];
  for (const [what, flags, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => storeOf(flags),
        (error) => hasCode(error, 'BadUsage') && message.test(error.message) && error.hint !== undefined,
      );
    });
  }
});
