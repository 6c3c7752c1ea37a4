import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { errorCodes, FlotillaError, hasCode, messageOf } from './errors.ts';

test('every code has its paragraph in docs/errors.md, and no other has', () => {
  const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const paragraphs = [...text.matchAll(/^### (\w+)\n(.*)$/gm)];
  assert.deepEqual(
    paragraphs.map(([, code]) => code),
    [...errorCodes],
  );
  for (const [, code, sentence = ''] of paragraphs) assert.ok(sentence.length > 20, `${code} is not explained`);
});

test('an error is what its code says, and its words are never lost', () => {
  const error = new FlotillaError('NotFound', 'no pod "x"', { hint: 'flotilla ps' });
  assert.equal(hasCode(error, 'NotFound'), true);
  assert.equal(hasCode(error, 'Invalid'), false);
  assert.equal(hasCode(new Error('NotFound'), 'NotFound'), false);
  assert.deepEqual([error.retryable, error.hint], [false, 'flotilla ps']);
  assert.deepEqual([messageOf(error), messageOf('text'), messageOf({ a: 1 })], ['no pod "x"', 'text', '{"a":1}']);
});
