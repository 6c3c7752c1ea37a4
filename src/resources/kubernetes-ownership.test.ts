// Which fields have one owner as a whole, and which item by item: the tables against Kubernetes' own.
// test/data/kubernetes-ownership.json is a digest of the list and map types in the official OpenAPI document; `.` is the
// type of the definition itself.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { shapeOfField, shapeOfMessage } from './field-shape.ts';
import { allKinds } from './kinds.ts';
import { type Field, type Message, messageIn } from './schema.ts';

const url = new URL('../../test/data/kubernetes-ownership.json', import.meta.url);
const official: Readonly<Record<string, Readonly<Record<string, string>>>> = JSON.parse(readFileSync(url, 'utf8'));

/** What Kubernetes calls the way in which a field is shared. */
function ownershipOf(one: Field): string {
  const { form } = shapeOfField(one);
  if (form !== 'leaf') return form === 'list' ? 'map' : form === 'set' ? 'set' : 'granular';
  return 'atomic';
}

/** Where the document says nothing, lists are atomic, maps and messages are not. */
function officialOwnership(message: Message, one: Field): string | undefined {
  // One without a number is ours alone.
  if (typeof one.type === 'string' || one.number === 0) return undefined;
  // Of parts of a status that nobody here writes nothing is known.
  if (one.type.form === 'list' && one.type.of === 'any') return undefined;
  const own = official[message.name]?.[one.name];
  if (own) return own;
  if (one.type.form === 'list') return 'atomic';
  if (one.type.form === 'map') return 'granular';
  return official[one.type.name]?.['.'] ?? 'granular';
}

function walk(message: Message, seen: Set<Message>, visit: (message: Message, one: Field) => void): void {
  if (seen.has(message)) return;
  seen.add(message);
  for (const one of message.fields.values()) {
    if (one.unsupported !== undefined) continue;
    visit(message, one);
    // What lies in something that is owned as a whole is not shared at all.
    const inner = shapeOfField(one).form === 'leaf' ? undefined : messageIn(one.type);
    if (inner) walk(inner, seen, visit);
  }
}

test('lists, maps and messages are shared between writers as in Kubernetes', () => {
  const seen = new Set<Message>();
  let compared = 0;
  for (const kind of allKinds.filter((one) => one.group !== 'flotilla.dev')) {
    walk(kind.message, seen, (message, one) => {
      const expected = officialOwnership(message, one);
      if (expected === undefined) return;
      compared += 1;
      assert.equal(ownershipOf(one), expected, `${message.name}.${one.name}`);
    });
  }
  assert.ok(compared > 80, `${compared} fields`);
});

test('items of shared lists and the keys that they need', () => {
  const messages = new Set<Message>();
  for (const kind of allKinds) walk(kind.message, messages, () => {});
  for (const message of messages) {
    assert.ok(shapeOfMessage(message));
    for (const one of message.fields.values()) {
      for (const key of one.mapKeys ?? []) {
        assert.ok(messageIn(one.type)?.fields.has(key), `${message.name}.${one.name} has no key ${key}`);
      }
    }
  }
});
