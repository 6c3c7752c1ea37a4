import type { Random } from './random.ts';

const oddValues: readonly unknown[] = [
  null,
  '',
  0,
  -1,
  1.5,
  1e21,
  true,
  [],
  {},
  [null],
  [[]],
  { '': null },
  'x'.repeat(70_000),
  '\u0000',
  '\ud800',
  '../../etc',
  '$patch',
  { $patch: 'replace' },
  { $patch: 'delete' },
  { $retainKeys: ['a'] },
];
const oddKeys = [
  '__proto__',
  'constructor',
  'toString',
  '',
  'a/b',
  '~1',
  '$patch',
  '$setElementOrder/containers',
  '😀',
];

/** One place of a JSON value is replaced, dropped, doubled, or gets a key that nobody expects. */
export function mutateValue(random: Random, value: unknown): unknown {
  if (random.chance(0.15)) return random.pick(oddValues);
  if (Array.isArray(value)) {
    const copy = [...value];
    const at = random.below(copy.length + 1);
    if (at === copy.length) copy.push(random.pick(oddValues));
    else if (random.chance(0.6)) copy[at] = mutateValue(random, copy[at]);
    else copy.splice(at, random.below(2), ...(random.chance(0.5) ? [copy[at]] : []));
    return copy;
  }
  if (typeof value !== 'object' || value === null) return random.pick(oddValues);
  const entries = Object.entries(value);
  if (entries.length === 0 || random.chance(0.15)) {
    return Object.fromEntries([...entries, [random.pick(oddKeys), random.pick(oddValues)]]);
  }
  const chosen = random.below(entries.length);
  return Object.fromEntries(
    entries.flatMap(([key, inner], at) => {
      if (at !== chosen) return [[key, inner]];
      if (random.chance(0.1)) return [];
      if (random.chance(0.1)) return [[random.pick(oddKeys), inner]];
      return [[key, mutateValue(random, inner)]];
    }),
  );
}

const oddTexts = [
  '{',
  '}',
  '[',
  ']',
  '"',
  '\\',
  '\\u0000',
  '\\ud800',
  ':',
  ',',
  '&a ',
  '*a',
  '!!binary ',
  '---\n',
  '1e999',
];

/** Some bytes of a text are changed, dropped, doubled, or something is put between them. */
export function mutateBytes(random: Random, bytes: Buffer): Buffer {
  let result = bytes;
  for (let times = 1 + random.below(4); times > 0; times -= 1) {
    const at = random.below(result.length + 1);
    const to = Math.min(result.length, at + 1 + random.below(20));
    const [before, part, after] = [result.subarray(0, at), result.subarray(at, to), result.subarray(to)];
    switch (random.below(5)) {
      case 0:
        result = Buffer.concat([before, after]);
        break;
      case 1:
        result = Buffer.concat([before, part, part, after]);
        break;
      case 2:
        result = Buffer.concat([before, Buffer.from(random.pick(oddTexts)), part, after]);
        break;
      case 3:
        result = Buffer.concat([before, Buffer.from([random.below(256)]), after]);
        break;
      default:
        result = before;
    }
  }
  return result;
}

/** As deep as it takes to exhaust a stack. */
export function nested(random: Random): string {
  const depth = random.pick([50, 100, 5_000, 100_000]);
  return random.chance(0.5)
    ? `${'['.repeat(depth)}${']'.repeat(depth)}`
    : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
}
