import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AddressPool, type AddressPoolState } from './address-pool.ts';

const empty = (): AddressPoolState => ({ next: 0, byPod: {} });

describe('addresses of a node', () => {
  it('begin at .2, stay with their pod, and survive a restart', () => {
    const state = empty();
    const pool = new AddressPool('10.80.3.0/24', state);
    assert.equal(pool.gateway, '10.80.3.1');
    assert.equal(pool.assign('a'), '10.80.3.2');
    assert.equal(pool.assign('b'), '10.80.3.3');
    assert.equal(pool.assign('a'), '10.80.3.2');
    const again = new AddressPool('10.80.3.0/24', JSON.parse(JSON.stringify(state)));
    assert.equal(again.assign('a'), '10.80.3.2');
    assert.equal(again.assign('c'), '10.80.3.4');
  });
  it('are not given again at once', () => {
    const pool = new AddressPool('10.80.3.0/24', empty());
    pool.assign('a');
    pool.free('a');
    assert.equal(pool.assign('b'), '10.80.3.3');
  });
  it('run out with a sentence that can be tried again', () => {
    const pool = new AddressPool('10.80.3.0/29', empty());
    for (const pod of ['a', 'b', 'c', 'd', 'e']) pool.assign(pod);
    assert.throws(() => pool.assign('f'), /all 5 addresses of 10\.80\.3\.0\/29 are in use/);
    pool.free('c');
    assert.throws(() => pool.assign('f'), /are in use; 1 of them until every node has forgotten/);
    pool.wake(['10.80.3.4']);
    assert.equal(pool.assign('f'), '10.80.3.4');
  });
  it('rest over a restart, and one that a container turns out to have does not', () => {
    const state = empty();
    new AddressPool('10.80.3.0/29', state).assign('a');
    const pool = new AddressPool('10.80.3.0/29', JSON.parse(JSON.stringify(state)));
    pool.free('a');
    assert.deepEqual(pool.resting, ['10.80.3.2']);
    assert.equal(pool.reserve('b', '10.80.3.2'), true);
    assert.deepEqual(pool.resting, []);
    pool.cancel('b');
    assert.deepEqual([pool.of('b'), pool.resting], [undefined, []]);
  });
  it('of another range are dropped', () => {
    const state = { next: 9, byPod: { a: '10.80.9.2', b: '10.80.3.7' } };
    const pool = new AddressPool('10.80.3.0/24', state);
    assert.deepEqual(state.byPod, { b: '10.80.3.7' });
    assert.equal(pool.reserve('x', '10.80.3.7'), false);
    assert.equal(pool.reserve('x', '10.80.3.8'), true);
  });
  it('are never given to two pods, whatever comes and goes', () => {
    const moves = fc.array(fc.tuple(fc.boolean(), fc.nat(12)), { maxLength: 60 });
    fc.assert(
      fc.property(moves, (list) => {
        const state = empty();
        const pool = new AddressPool('10.80.3.0/28', state);
        const used = () => Object.keys(state.byPod).length + pool.resting.length;
        for (const [isAssign, pod] of list) {
          if (isAssign && (pool.of(String(pod)) || used() < 13)) pool.assign(String(pod));
          else pool.free(String(pod));
          if (pod % 3 === 0) pool.wake(pool.resting);
          const taken = [...Object.values(state.byPod), ...pool.resting];
          assert.equal(new Set(taken).size, taken.length);
          assert.ok(taken.every((address) => pool.has(address)));
        }
      }),
    );
  });
  it('of what is no range are refused', () => {
    for (const cidr of ['10.80.3.0', '10.80.300.0/24', '10.80.3.0/33', 'x/24']) {
      assert.throws(() => new AddressPool(cidr, empty()), /is no usable IPv4 range/);
    }
  });
});
