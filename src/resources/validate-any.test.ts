import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mutateValue } from '../../scripts/fuzz/mutate.ts';
import { plausibleObject, randomObject } from '../../scripts/fuzz/objects.ts';
import { createRandom } from '../../scripts/fuzz/random.ts';
import { ApiError } from './api-error.ts';
import { decodeValue } from './decode.ts';
import { applyDefaults, prepareForCreate } from './defaults.ts';
import { allKinds } from './kinds.ts';
import { renderTable } from './table.ts';
import { validate, validateUpdate } from './validate.ts';

test('no object of any kind, however odd, is stumbled over on its way in and out', () => {
  let accepted = 0;
  for (let seed = 1; seed <= 4_000; seed += 1) {
    const random = createRandom(seed);
    const kind = random.pick(allKinds);
    const sent = random.chance(0.4) ? plausibleObject(random, kind) : randomObject(random, kind);
    const value = random.chance(0.6) ? mutateValue(random, sent) : sent;
    try {
      const { object } = decodeValue(kind, value, { strictness: 'Ignore' });
      Object.assign(object.metadata, { namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' });
      const prepared = prepareForCreate(kind, applyDefaults(kind, object));
      const errors = validate(kind, prepared);
      const old = decodeValue(kind, plausibleObject(random, kind), { strictness: 'Ignore' }).object;
      validateUpdate(kind, prepared, applyDefaults(kind, old));
      if (errors.length > 0) continue;
      accepted += 1;
      JSON.stringify(renderTable(kind, [prepared], { nowMs: 0 }));
    } catch (error) {
      if (error instanceof ApiError) continue;
      throw new Error(`seed ${seed}: ${kind.kind} ${JSON.stringify(value).slice(0, 2_000)}`, { cause: error });
    }
  }
  assert.ok(accepted > 200, `${accepted} were accepted: too few to say anything`);
});
