import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../lib/clock.ts';
import { AppliedTable } from './applied-table.ts';

test('the least of those that are heard and can apply, a grid by itself', async () => {
  const clock = new ManualClock();
  const heardMs = new Map<string, number>();
  const table = new AppliedTable({ lastHeardMs: (key) => heardMs.get(key), clock });
  assert.equal(table.byAll('main'), undefined);
  for (const [key, revision] of Object.entries({ 'main/h1': 7, 'main/h2': 5, 'main/h3': 3, 'main2/h1': 1 })) {
    table.set(key, { revision });
    heardMs.set(key, 0);
  }
  assert.equal(table.byAll('main'), undefined, 'as it was a moment ago');
  await clock.advance(1_000);
  assert.equal(table.byAll('main'), 3);
  table.set('main/h3', { revision: 3, problem: 'nft: no' });
  await clock.advance(1_000);
  assert.equal(table.byAll('main'), 5, 'one that cannot apply');
  heardMs.set('main/h1', 2_000);
  await clock.advance(1_500);
  assert.equal(table.byAll('main'), 7, 'one that is silent');
  table.delete('main/h1');
  await clock.advance(1_000);
  assert.equal(table.byAll('main'), undefined);
});
