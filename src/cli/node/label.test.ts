import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../lib/errors.ts';
import { parseLabels } from './label.ts';

test('labels to put and to take away', () => {
  assert.deepEqual(parseLabels(['a=1', 'b=', 'flotilla.dev/ingress-']), {
    a: '1',
    b: '',
    'flotilla.dev/ingress': null,
  });
  assert.deepEqual(parseLabels(['a=x=y-']), { a: 'x=y-' });
  for (const bad of [['a'], ['=x'], ['-'], ['a=1', 'a-']]) {
    assert.throws(
      () => parseLabels(bad),
      (error) => hasCode(error, 'BadUsage'),
    );
  }
});
