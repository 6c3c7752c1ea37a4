import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  contains,
  formatCidr,
  formatIPv4,
  isExactCidr,
  overlaps,
  parseAddressRange,
  parseCidr,
  parseIPv4,
} from './cidr.ts';

describe('IPv4 networks', () => {
  it('addresses are numbers and back', () => {
    const anyAddress = fc.integer({ min: 0, max: 0xffff_ffff });
    fc.assert(fc.property(anyAddress, (address) => assert.equal(parseIPv4(formatIPv4(address)), address)));
  });

  for (const text of ['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '-1.0.0.0', '1.2.3.x', '::1']) {
    it(`${JSON.stringify(text)} is no address`, () => assert.equal(parseIPv4(text), undefined));
  }

  it('a network has all addresses with the same first bits', () => {
    assert.deepEqual(parseCidr('10.80.9.9/12'), { first: 0x0a50_0000, last: 0x0a5f_ffff, prefixLength: 12 });
    assert.equal(formatCidr(parseCidr('10.80.9.9/12')!), '10.80.0.0/12');
    assert.deepEqual([isExactCidr('10.80.0.0/12'), isExactCidr('10.80.9.9/12')], [true, false]);
    assert.deepEqual(parseCidr('0.0.0.0/0'), { first: 0, last: 0xffff_ffff, prefixLength: 0 });
    for (const wrong of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/08', '10.0.0.0/8/8', '::/0']) {
      assert.equal(parseCidr(wrong), undefined, wrong);
    }
  });

  it('a pool is a network, an address, or from one to another', () => {
    const range = (text: string) => {
      const found = parseAddressRange(text);
      return found && [formatIPv4(found.first), formatIPv4(found.last)];
    };
    assert.deepEqual(range('10.0.0.8/30'), ['10.0.0.8', '10.0.0.11']);
    assert.deepEqual(range('10.0.0.8'), ['10.0.0.8', '10.0.0.8']);
    assert.deepEqual(range('10.0.0.8-10.0.1.1'), ['10.0.0.8', '10.0.1.1']);
    for (const wrong of [
      '10.0.0.9-10.0.0.8',
      '10.0.0.8-',
      '-10.0.0.8',
      '10.0.0.1-2',
      'a-b',
      '10.0.0.1-10.0.0.2-10.0.0.3',
    ]) {
      assert.equal(range(wrong), undefined, wrong);
    }
  });

  it('two overlap when some address is in both', () => {
    const anyRange = fc.tuple(fc.nat(60), fc.nat(20)).map(([first, more]) => ({ first, last: first + more }));
    fc.assert(
      fc.property(anyRange, anyRange, (a, b) => {
        const common = Array.from({ length: 100 }, (_, at) => at).some((at) => contains(a, at) && contains(b, at));
        assert.equal(overlaps(a, b), common);
      }),
    );
  });
});
