// The rules of ownership on objects of real kinds: whatever their tables allow, made at random.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareFields, fieldsIn } from './compare-fields.ts';
import { ownersOfCreated } from './created-owners.ts';
import { applyConfig, ownersAfterUpdate, type Write } from './field-ownership.ts';
import {
  difference,
  equalSets,
  type FieldSet,
  intersection,
  isEmptySet,
  parseFieldSet,
  renderFieldSet,
  union,
} from './field-set.ts';
import { shapeOfMessage } from './field-shape.ts';
import { apiVersionOf, type Kind } from './kind.ts';
import { deployments, nodes, pods, services } from './kinds.ts';
import { mergeApplied, removeFields } from './merge-applied.ts';
import type { ApiObject } from './object.ts';
import type { Field, FieldType, JsonObject, Message } from './schema.ts';

const maxDepth = 4;
const kinds = [deployments, nodes, pods, services] as unknown as readonly Kind[];

/** A value of a type, as small as a few fields of each message. */
function arbitraryOf(type: FieldType, depth: number): fc.Arbitrary<unknown> {
  if (typeof type === 'string') return scalarOf(type);
  if (type.form === 'message') return depth > maxDepth ? fc.constant({}) : objectOf(type, depth);
  if (type.form === 'map')
    return fc.dictionary(fc.constantFrom('a', 'b', 'c'), arbitraryOf(type.of, depth + 1), {
      maxKeys: 2,
      noNullPrototype: true,
    });
  return fc.array(arbitraryOf(type.of, depth + 1), { maxLength: 2 });
}

function scalarOf(type: string): fc.Arbitrary<unknown> {
  if (type === 'bool') return fc.boolean();
  if (type === 'int32' || type === 'int64') return fc.nat(3);
  return fc.constantFrom('a', 'b', 'c');
}

const arbitraries = new Map<string, fc.Arbitrary<JsonObject>>();

function objectOf(message: Message, depth: number): fc.Arbitrary<JsonObject> {
  const key = `${message.name}/${depth}`;
  let arbitrary = arbitraries.get(key);
  if (!arbitrary) {
    const fields = [...message.fields.values()].filter(
      (one) => one.unsupported === undefined && one.name !== 'metadata',
    );
    arbitrary =
      fields.length === 0
        ? fc.constant({})
        : fc
            .array(
              fc.constantFrom(...fields).chain((field) => fieldOf(field, depth)),
              { maxLength: 4 },
            )
            .map((entries) => Object.fromEntries(entries));
    arbitraries.set(key, arbitrary);
  }
  return arbitrary;
}

/** Lists that are merged have items with all their keys, each once. */
function fieldOf(field: Field, depth: number): fc.Arbitrary<readonly [string, unknown]> {
  const { mapKeys, listType } = field;
  return arbitraryOf(field.type, depth + 1).chain((value) => {
    if (!Array.isArray(value)) return fc.constant([field.name, value] as const);
    if (listType === 'set') return fc.constant([field.name, [...new Set(value)]] as const);
    if (!mapKeys) return fc.constant([field.name, value] as const);
    const items = value.map((item, index) => ({
      ...(item as JsonObject),
      ...Object.fromEntries(mapKeys.map((key) => [key, `k${index}`])),
    }));
    return fc.shuffledSubarray(items).map((some) => [field.name, some] as const);
  });
}

const sample = fc.nat(kinds.length - 1).chain((index) => {
  const kind = kinds[index]!;
  const body = objectOf(kind.message, 0).map((fields) => {
    const { apiVersion: _a, kind: _k, ...rest } = fields;
    return {
      apiVersion: apiVersionOf(kind),
      kind: kind.kind,
      metadata: { name: 'x' },
      ...rest,
    } as unknown as ApiObject;
  });
  return fc.tuple(fc.constant(index), body, body);
});

function write(kind: Kind, name: string, time = 't'): Write {
  return { kind, time, manager: { name, operation: 'Apply', apiVersion: apiVersionOf(kind), subresource: '' } };
}

test('FieldsV1 says exactly what a set has', () => {
  fc.assert(
    fc.property(sample, ([index, one]) => {
      const kind = kinds[index]!;
      const set = fieldsIn(shapeOfMessage(kind.message), one);
      const read = parseFieldSet(JSON.parse(JSON.stringify(renderFieldSet(set))));
      assert.ok(read && equalSets(read, set));
    }),
    { numRuns: 100, endOnFailure: true },
  );
});

test('a comparison with nothing finds everything, with itself nothing, and is undone by its mirror', () => {
  fc.assert(
    fc.property(sample, ([index, one, other]) => {
      const kind = kinds[index]!;
      const shape = shapeOfMessage(kind.message);
      const same = compareFields(shape, one, structuredClone(one));
      assert.ok(isEmptySet(union(union(same.added, same.modified), same.removed)));
      const fromNothing = compareFields(shape, undefined, one).added;
      assert.ok(isEmptySet(difference(fieldsIn(shape, one), fromNothing)), 'what is stated has been added');
      const there = compareFields(shape, one, other);
      const back = compareFields(shape, other, one);
      assert.ok(equalSets(there.modified, back.modified));
      assert.ok(isEmptySet(difference(there.added, back.removed)));
    }),
    { numRuns: 100, endOnFailure: true },
  );
});

/** Structs whose parts were all taken away stay behind, empty. */
function withoutEmptied(set: FieldSet): FieldSet {
  return { isMember: false, children: new Map([...set.children].filter(([, child]) => child.children.size > 0)) };
}

test('what is merged in is there, and merging it again changes nothing', () => {
  fc.assert(
    fc.property(sample, ([index, one, other]) => {
      const kind = kinds[index]!;
      const shape = shapeOfMessage(kind.message);
      const merged = mergeApplied(shape, one, other);
      const { modified, removed } = compareFields(shape, other, merged);
      assert.ok(isEmptySet(union(modified, removed)), JSON.stringify(merged));
      assert.deepEqual(mergeApplied(shape, merged, other), merged);
      const without = removeFields(shape, one, fieldsIn(shape, one));
      const left = fieldsIn(shape, without);
      assert.ok(isEmptySet(intersection(withoutEmptied(left), fieldsIn(shape, one))), 'what is taken away is gone');
    }),
    { numRuns: 100, endOnFailure: true },
  );
});

test('applying twice changes nothing; letting everything go leaves what the others stated', () => {
  fc.assert(
    fc.property(sample, ([index, mine, theirs]) => {
      const kind = kinds[index]!;
      const before = [structuredClone(mine), structuredClone(theirs)];
      const first = applyConfig(write(kind, 'm'), undefined, mine, true).object;
      const second = applyConfig(write(kind, 'n'), first, theirs, true).object;
      // Two who state nothing own nothing: the next one finds an object without owners.
      fc.pre(second.metadata.managedFields !== undefined);
      const again = applyConfig(write(kind, 'n', 'later'), second, theirs, false);
      assert.deepEqual(again.conflicts, []);
      assert.deepEqual(again.object, second);
      const nothing: ApiObject = { apiVersion: mine.apiVersion, kind: mine.kind, metadata: { name: 'x' } };
      const third = applyConfig(write(kind, 'm'), second, nothing, false);
      const shape = shapeOfMessage(kind.message);
      const { modified, removed } = compareFields(
        shape,
        { ...theirs, metadata: {} },
        { ...third.object, metadata: {} },
      );
      assert.ok(
        isEmptySet(intersection(union(modified, removed), fieldsIn(shape, theirs))),
        'what the other states stays',
      );
      assert.deepEqual([mine, theirs], before, 'nobody’s object was changed');
    }),
    { numRuns: 100, endOnFailure: true },
  );
});

const metadata = fc.record(
  {
    name: fc.constant('x'),
    uid: fc.constant('u'),
    labels: fc.dictionary(fc.constantFrom('a', 'b', '.'), fc.constant('1'), { noNullPrototype: true }),
    finalizers: fc.array(fc.constantFrom('f/a', 'f/b'), { maxLength: 2 }),
    ownerReferences: fc.array(fc.record({ uid: fc.constantFrom('1', '2'), name: fc.constant('o') }), { maxLength: 2 }),
  },
  { requiredKeys: ['name'] },
);

test('the owners of a new object are those that comparing it with nothing finds, to the byte', () => {
  let unusual = 0;
  fc.assert(
    fc.property(sample, metadata, ([index, one], meta) => {
      const kind = kinds[index]!;
      const object = { ...one, metadata: meta } as unknown as ApiObject;
      const update = { ...write(kind, 'm'), manager: { ...write(kind, 'm').manager, operation: 'Update' as const } };
      const owners = ownersOfCreated(update, object);
      if (owners === 'unusual') unusual += 1;
      else
        assert.equal(JSON.stringify(owners), JSON.stringify(ownersAfterUpdate(update, undefined, object, undefined)));
    }),
    { numRuns: 300, endOnFailure: true },
  );
  assert.ok(unusual < 150, `${unusual} of 300 were left to the comparison`);
});
