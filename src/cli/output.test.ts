import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../client/api-error.ts';
import { FlotillaError } from '../lib/errors.ts';
import { parseDurationMs } from './durations.ts';
import { printList, printObject, renderTable, withoutOwners } from './output.ts';
import { renderError } from './render-error.ts';

test('columns are aligned, the last one is not padded', () => {
  assert.equal(
    renderTable(
      ['A', 'LONG', 'C'],
      [
        ['wide cell', 'x', 'y'],
        ['', '', 'z'],
      ],
    ),
    'A           LONG   C\nwide cell   x      y\n                   z',
  );
});

test('an unknown output format is refused, also for one object', async () => {
  const refused = { code: 'BadUsage', message: 'unknown output format "xml"' };
  await assert.rejects(printObject({}, 'xml'), { ...refused, hint: 'one of json, yaml' });
  await assert.rejects(printList({ items: [], columns: [], name: String, empty: '' }, { output: 'xml' }), refused);
});

test('who wrote which field is not shown', () => {
  const owned = { kind: 'Pod', metadata: { name: 'a', managedFields: [{ manager: 'm' }] } };
  const plain = { kind: 'Pod', metadata: { name: 'a' } };
  assert.deepEqual(withoutOwners([owned, 'x', null, { a: 1 }]), [plain, 'x', null, { a: 1 }]);
});

test('durations', () => {
  assert.equal(parseDurationMs('90s', '--timeout'), 90_000);
  assert.equal(parseDurationMs('1h30m', '--timeout'), 5_400_000);
  assert.equal(parseDurationMs('500ms', '--timeout'), 500);
  for (const bad of ['', '5', 'm', '5 m', '-5m', '5mx']) {
    assert.throws(() => parseDurationMs(bad, '--timeout'), {
      code: 'BadUsage',
      message: `--timeout "${bad}" is no duration`,
    });
  }
});

test('errors say what and what next; wrong usage exits with 2', () => {
  assert.deepEqual(
    renderError(new FlotillaError('NotFound', 'there is no stack "x"', { hint: 'flotilla stack ls' }), false),
    {
      text: 'error: there is no stack "x"\nhint: flotilla stack ls\n',
      exitCode: 1,
    },
  );
  assert.equal(renderError(new FlotillaError('BadUsage', 'no'), false).exitCode, 2);
  const refused = new ApiError({
    code: 422,
    reason: 'Invalid',
    message: 'Stack "x" is invalid',
    details: { causes: [{ field: 'spec.services', message: 'Required value' }] },
  });
  assert.equal(renderError(refused, false).text, 'error: Stack "x" is invalid\n  spec.services: Required value\n');
  assert.match(renderError(new Error('a bug'), false).text, /^error: a bug\nError: a bug\n {4}at /);
});
