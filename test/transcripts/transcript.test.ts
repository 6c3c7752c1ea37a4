import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isFor, matches, parseTranscript } from './transcript.ts';

describe('parseTranscript', () => {
  it('reads commands, what they print and how they end', () => {
    const [first, second] = parseTranscript('# remark\n$ a b\none\ntwo\n? 3\n\n$~(>=31) c \\\n    d\n', 'file');
    assert.deepEqual(first, { line: 2, command: 'a b', expected: ['one', 'two'], code: 3, mode: 'once' });
    assert.deepEqual(second, {
      ...{ line: 7, command: 'c d', expected: [], code: 0, mode: 'until' },
      versions: { how: '>=', minor: 31 },
    });
  });

  it('refuses output without a command, naming the line', () => {
    assert.throws(() => parseTranscript('# remark\nhello\n', 'file'), /file:2: output before/);
  });
});

describe('isFor', () => {
  for (const [how, wanted] of [
    ['>=', [false, true, true]],
    ['<', [true, false, false]],
    ['=', [false, true, false]],
  ] as const) {
    it(`${how}31`, () => {
      const step = {
        line: 1,
        command: 'x',
        mode: 'once',
        expected: [],
        code: 0,
        versions: { how, minor: 31 },
      } as const;
      assert.deepEqual(
        [28, 31, 35].map((minor) => isFor(step, minor)),
        wanted,
      );
    });
  }
});

describe('matches', () => {
  it('takes blanks in a row for one, and `{{…}}` for a pattern', () => {
    assert.ok(matches(['NAME  READY', 'web-{{\\w+}} 1/1'], 'NAME     READY\nweb-x9 1/1\n'));
    assert.ok(!matches(['web-{{\\w+}}'], 'web-x9 1/1'));
    assert.ok(!matches(['a.c'], 'abc'));
  });

  it('lets `...` stand for any lines, none too', () => {
    assert.ok(matches(['...', 'b', '...'], 'a\na\nb'));
    assert.ok(!matches(['...', 'b'], 'a\nb\nc'));
  });

  it('wants nothing printed where nothing is expected', () => {
    assert.ok(matches([], '\n'));
    assert.ok(!matches([], 'x'));
  });
});
