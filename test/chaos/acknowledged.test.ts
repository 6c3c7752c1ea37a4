import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Acknowledged } from './acknowledged.ts';

describe('Acknowledged', () => {
  it('accepts the acknowledged value only, once nothing is open', () => {
    const history = new Acknowledged();
    history.sending('a', '1');
    history.acknowledged('a', '1');
    assert.equal(history.complaint('a', '1'), undefined);
    assert.match(history.complaint('a', undefined) ?? '', /a is undefined, acknowledged was 1/);
  });

  it('accepts both ways as long as an outcome is unknown, and neither once a later write is acknowledged', () => {
    const history = new Acknowledged();
    history.sending('a', '1');
    history.acknowledged('a', '1');
    history.sending('a', '2');
    history.leftOpen();
    assert.equal(history.complaint('a', '1'), undefined);
    assert.equal(history.complaint('a', '2'), undefined);
    assert.notEqual(history.complaint('a', '3'), undefined);
    history.sending('a', '3');
    history.acknowledged('a', '3');
    assert.notEqual(history.complaint('a', '2'), undefined);
  });

  it('does not take the refusal of one try for that of an earlier one with the same value', () => {
    const history = new Acknowledged();
    history.sending('a', '1');
    history.leftOpen();
    history.sending('a', '1');
    history.refused('a', '1');
    assert.equal(history.complaint('a', '1'), undefined);
  });

  it('remembers deletions and refusals', () => {
    const history = new Acknowledged();
    history.sending('a', '1');
    history.refused('a', '1');
    assert.notEqual(history.complaint('a', '1'), undefined);
    assert.equal(history.complaint('a', undefined), undefined);
  });
});
