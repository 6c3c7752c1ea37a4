import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { LogPosition } from './log-position.ts';

const time = (ns: number) => `2026-01-02T03:04:05.${String(ns).padStart(9, '0')}Z`;

describe('a log that is read again after its stream broke', () => {
  test('shows each line once, also lines of the same instant, wherever it broke', () => {
    // Times that stand still now and then; `--since` of the engine gives the instant itself, too.
    const log = fc.array(fc.nat(1), { maxLength: 30 }).map((steps) => {
      let now = 1;
      return steps.map((step, index) => {
        now += step;
        return { at: now, line: `${time(now)} line ${index}` };
      });
    });
    fc.assert(
      fc.property(log, fc.array(fc.nat(30), { maxLength: 5 }), (lines, breaks) => {
        const position = new LogPosition();
        const shown: string[] = [];
        for (const length of [...breaks, lines.length]) {
          const { sinceTime } = position.resume();
          const from = lines.filter(({ line }) => sinceTime === undefined || line.slice(0, 30) >= sinceTime);
          for (const { line } of from.slice(0, length)) {
            const taken = position.take(line);
            if (taken) shown.push(taken.text);
          }
        }
        assert.deepEqual(
          shown,
          lines.map((_one, index) => `line ${index}`),
        );
      }),
    );
  });

  test('a server that knows only whole seconds repeats lines: they are not shown again', () => {
    const position = new LogPosition();
    position.resume();
    for (const ns of [1, 2, 3]) position.take(`${time(ns)} ${ns}`);
    position.resume();
    const again = [1, 2, 3, 4].map((ns) => position.take(`${time(ns)} ${ns}`)?.text);
    assert.deepEqual(again, [undefined, undefined, undefined, '4']);
  });

  test('empty lines, lines with blanks, and pieces without a time stay as they are', () => {
    const position = new LogPosition();
    assert.equal(position.take(`${time(1)} `)?.text, '');
    assert.equal(position.take(`${time(2)}`)?.text, '');
    assert.equal(position.take(`${time(3)}   indented`)?.text, '  indented');
    assert.equal(position.take('rest of a long line')?.text, 'rest of a long line');
  });

  test('another container begins anew', () => {
    const position = new LogPosition();
    position.take(`${time(5)} old`);
    position.reset();
    assert.deepEqual(position.resume(), {});
    assert.equal(position.take(`${time(1)} new`)?.text, 'new');
  });
});
