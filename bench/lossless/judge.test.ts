import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judge } from './judge.ts';

const answer = (status: number, body: string) => judge('0-7', { status, body, setCookies: ['F=a'] });

describe('what counts as answered', () => {
  it('is a 200 that repeats the id, and says who did it', () => {
    assert.deepEqual(answer(200, '0-7 web-1\n'), { instance: 'web-1', setCookies: ['F=a'] });
  });

  for (const [status, body, stage] of [
    [503, 'no instance is ready to answer\n', 'status'],
    [201, '0-7 web-1\n', 'status'],
    [200, '0-8 web-1\n', 'wrong'],
    [200, '0-7\n', 'wrong'],
    [200, '', 'wrong'],
  ] as const) {
    it(`is not ${status} with ${JSON.stringify(body)}`, () => {
      const verdict = answer(status, body);
      assert.equal('stage' in verdict && verdict.stage, stage);
    });
  }

  it('is nothing that broke on the way; what no connection took had no connection', () => {
    assert.deepEqual(judge('0-7', { stage: 'cut', error: 'closed' }), { stage: 'cut', error: 'closed' });
    const unsent = judge('0-7', { stage: 'unsent', error: 'GOAWAY' });
    assert.equal('stage' in unsent && unsent.stage, 'connect');
  });
});
