import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { commandWord, isMapKey, quote, quoteFormat } from './quote.ts';

/** Words of a line as HAProxy reads them (configuration.txt, 2.2): only what single quotes and backslashes do is needed. */
function read(line: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let isQuoted = false;
  for (let at = 0; at < line.length; at++) {
    const character = line[at] ?? '';
    if (isQuoted && character !== "'") word = (word ?? '') + character;
    else if (character === "'") {
      isQuoted = !isQuoted;
      word ??= '';
    } else if (character === '\\') word = (word ?? '') + (line[++at] ?? '');
    else if (character === '#') break;
    else if (character === ' ') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      assert(!/["$]/.test(character), `${character} stands unquoted in ${line}`);
      word = (word ?? '') + character;
    }
  }
  return word === undefined ? words : [...words, word];
}

const printable = fc.string({
  unit: fc
    .integer({ min: 0x20, max: 0x2fff })
    .filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
});

test('whatever a user writes is one word, and that word', () => {
  fc.assert(
    fc.property(fc.array(printable, { minLength: 1 }), (texts) => {
      assert.deepEqual(read(texts.map(quote).join(' ')), texts);
    }),
  );
});

test('a log format shows it as it is', () => {
  fc.assert(
    fc.property(printable, (text) => {
      const [word = ''] = read(`${quoteFormat(text)} end`);
      assert.equal(word.replaceAll('%%', '%'), text);
      assert.doesNotMatch(word.replaceAll('%%', ''), /%/);
    }),
  );
});

test('a command takes it as one word', () => {
  assert.equal(commandWord('shop_web:80/10.0.0.1:80'), 'shop_web:80/10.0.0.1:80');
  assert.equal(commandWord('a b;c\\d<<"'), 'a\\ b\\;c\\\\d\\<\\<\\"');
  assert.equal(commandWord('é'), '\\é');
});

test('what ends a line is refused everywhere', () => {
  for (const text of ['a\nb', 'a\rb', 'a\u0000b', '\u001b[31m']) {
    assert.throws(() => quote(text), /control character/);
    assert.throws(() => quoteFormat(text), /control character/);
    assert.throws(() => commandWord(text), /control character/);
    assert.equal(isMapKey(text), false);
  }
  assert.equal(isMapKey('# x'), false);
  assert.equal(isMapKey(''), false);
  assert.equal(isMapKey('web.test/a;b'), true);
});
