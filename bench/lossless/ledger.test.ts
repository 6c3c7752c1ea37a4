import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Ledger } from './ledger.ts';

describe('ledger', () => {
  it('has nothing to say where each answered id was done once, and failed ones never', () => {
    const ledger = new Ledger();
    for (const id of ['0-0', '0-2', '1-0']) ledger.record(id, 'web-1');
    const verdict = ledger.check([
      { client: 0, sent: 3, notAnswered: [1], refused: [] },
      { client: 1, sent: 1, notAnswered: [], refused: [] },
    ]);
    assert.deepEqual(verdict, {
      logged: 3,
      answeredNotLogged: [],
      loggedTwice: [],
      failedButLogged: [],
      refusedButLogged: [],
      unknown: [],
    });
  });

  it('names an id that was answered and not done', () => {
    const ledger = new Ledger();
    ledger.record('0-0', 'web-1');
    assert.deepEqual(ledger.check([{ client: 0, sent: 2, notAnswered: [], refused: [] }]).answeredNotLogged, ['0-1']);
  });

  it('names an id that was done twice, and by whom, also where the client saw it fail', () => {
    const ledger = new Ledger();
    for (const instance of ['web-1', 'web-2']) ledger.record('0-0', instance);
    for (const instance of ['web-2', 'web-2', 'web-3']) ledger.record('0-1', instance);
    assert.deepEqual(ledger.check([{ client: 0, sent: 2, notAnswered: [1], refused: [] }]).loggedTwice, [
      { id: '0-0', instances: ['web-1', 'web-2'] },
      { id: '0-1', instances: ['web-2', 'web-2', 'web-3'] },
    ]);
  });

  it('tells what failed and was done all the same, and what nobody has sent', () => {
    const ledger = new Ledger();
    for (const id of ['0-0', '0-7', '3-0', 'what', '0-']) ledger.record(id, 'web-1');
    const verdict = ledger.check([{ client: 0, sent: 1, notAnswered: [0], refused: [] }]);
    assert.deepEqual(verdict.failedButLogged, ['0-0']);
    assert.deepEqual(verdict.unknown.toSorted(), ['0-', '0-7', 'what'], '3-0 is of a client that was not asked about');
  });

  it('tells what was done though the client was told that it was not', () => {
    const ledger = new Ledger();
    for (const id of ['0-0', '0-2']) ledger.record(id, 'web-1');
    const verdict = ledger.check([{ client: 0, sent: 3, notAnswered: [0, 1, 2], refused: [1, 2] }]);
    assert.deepEqual([verdict.failedButLogged, verdict.refusedButLogged], [['0-0'], ['0-2']]);
  });

  it('finds exactly what went wrong, whatever it is', () => {
    const times = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3_000 });
    fc.assert(
      fc.property(times, fc.nat(), (done, salt) => {
        const ledger = new Ledger();
        for (const [number, count] of done.entries())
          for (let turn = 0; turn < count; turn++) ledger.record(`0-${number}`, `web-${turn}`);
        const hasFailed = (number: number) => (number * 7 + salt) % 5 === 0;
        const notAnswered = done.map((_, number) => number).filter(hasFailed);
        const verdict = ledger.check([{ client: 0, sent: done.length, notAnswered, refused: [] }], 10_000);
        const idsOf = (fits: (count: number, number: number) => boolean) =>
          done.flatMap((count, number) => (fits(count, number) ? [`0-${number}`] : []));
        assert.deepEqual(
          verdict.answeredNotLogged,
          idsOf((count, number) => count === 0 && !hasFailed(number)),
        );
        assert.deepEqual(
          verdict.failedButLogged,
          idsOf((count, number) => count > 0 && hasFailed(number)),
        );
        assert.deepEqual(verdict.loggedTwice.map((one) => one.id).toSorted(), idsOf((count) => count > 1).toSorted());
      }),
    );
  });
});
