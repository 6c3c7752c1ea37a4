import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { LogPosition } from './log-position.ts';

const time = (ns: number) => `2026-01-02T03:04:05.${String(ns).padStart(9, '0')}Z`;

describe('a log that is read again after its stream broke', () => {
  test('shows each line once, also lines of the same instant and older than the one before, wherever it broke', () => {
    // Times that stand still now and then, or go back: stdout and stderr meet in one log. `--since` gives the instant itself, too.
    const log = fc.array(fc.integer({ min: -2, max: 3 }), { maxLength: 30 }).map((steps) => {
      let now = 100;
      return steps.map((step, index) => {
        now += step;
        return `${time(now)} line ${index}`;
      });
    });
    fc.assert(
      fc.property(log, fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 5 }), (lines, breaks) => {
        const position = new LogPosition();
        const shown: string[] = [];
        for (const length of [...breaks, lines.length]) {
          const { sinceTime } = position.resume();
          // Older than the first line that was shown ever is as if it were not there.
          const from = lines.filter((line) => sinceTime === undefined || line.slice(0, 30) >= sinceTime);
          for (const line of from.slice(0, length)) {
            const taken = position.take(line);
            if (taken) shown.push(taken.text);
          }
        }
        const first = lines[0]?.slice(0, 30) ?? '';
        const all = lines.map((line) => ({ line, text: line.slice(31) }));
        assert.equal(new Set(shown).size, shown.length);
        const due = all.filter(({ line }) => line.slice(0, 30) >= first).map(({ text }) => text);
        assert.deepEqual(
          due.filter((text) => !shown.includes(text)),
          [],
        );
      }),
    );
  });

  test('a line of stderr written down late: neither it nor the newer one before it comes twice', () => {
    const position = new LogPosition();
    position.resume();
    for (const ns of [1, 2, 9, 8]) position.take(`${time(ns)} ${ns}`);
    assert.deepEqual(position.resume(), { sinceTime: time(1) });
    const again = [1, 2, 9, 8, 7, 10].map((ns) => position.take(`${time(ns)} ${ns}`)?.text);
    assert.deepEqual(again, [undefined, undefined, undefined, undefined, '7', '10']);
  });

  test('remembers a second, and ten thousand instants of it at most', () => {
    const position = new LogPosition();
    position.take('2026-01-02T03:04:05Z first');
    position.take('2026-01-02T03:04:06.5Z second');
    assert.deepEqual(position.resume(), { sinceTime: '2026-01-02T03:04:06.5Z' });
    assert.equal(position.take('2026-01-02T03:04:05.000000000Z first'), undefined);
    for (let ns = 600_000_000; ns < 600_020_000; ns++) position.take(`2026-01-02T03:04:06.${ns}Z`);
    assert.deepEqual(position.resume(), { sinceTime: '2026-01-02T03:04:06.600010000Z' });
    assert.equal(position.take('2026-01-02T03:04:06.600009999Z '), undefined);
    assert.equal(position.take('2026-01-02T03:04:06.600010000Z '), undefined);
  });

  test('a clock that is set back leaves no line out', () => {
    const position = new LogPosition();
    for (let ns = 0; ns < 20_000; ns++) position.take(`2026-01-02T04:00:00.${String(ns).padStart(9, '0')}Z`);
    assert.equal(position.take('2026-01-02T03:00:00Z back')?.text, 'back');
    assert.deepEqual(position.resume(), { sinceTime: '2026-01-02T03:00:00Z' });
    const again = ['back', 'on'].map((text, at) => position.take(`2026-01-02T03:00:0${at}Z ${text}`)?.text);
    assert.deepEqual(again, [undefined, 'on']);
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
