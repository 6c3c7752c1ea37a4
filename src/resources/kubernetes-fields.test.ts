// Every field of Kubernetes' own kinds is either implemented or refused by name. test/data/kubernetes-fields.json is a
// digest of the official OpenAPI document: fields, types, merge keys.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decodeValue } from './decode.ts';
import { isObject } from './json.ts';
import type { Kind } from './kind.ts';
import { allKinds } from './kinds.ts';
import type { ApiObject } from './object.ts';
import { type Field, type FieldType, type JsonObject, type Message, messageIn } from './schema.ts';
import { validate } from './validate.ts';
import { warningsOf } from './warnings.ts';

interface Property {
  readonly type: string;
  readonly mergeKey?: string;
  readonly patchStrategy?: string;
  readonly mapKeys?: readonly string[];
}

type Definitions = Readonly<Record<string, Readonly<Record<string, Property>>>>;

const url = new URL('../../test/data/kubernetes-fields.json', import.meta.url);
const definitions: Definitions = JSON.parse(readFileSync(url, 'utf8'));

/** The whole status is written by Flotilla itself; there `any` stands for parts that nobody here writes. */
const ours = new Set(['apiVersion', 'kind', 'metadata']);

const base: Readonly<Record<string, JsonObject>> = {
  Pod: { spec: { containers: [{ name: 'c', image: 'i' }] } },
  ReplicaSet: workload(),
  Deployment: workload(),
  EndpointSlice: { addressType: 'IPv4' },
  Event: { involvedObject: { name: 'x', namespace: 'd' } },
};

function workload(): JsonObject {
  const spec = { containers: [{ name: 'c', image: 'i' }] };
  return { spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec } } };
}

const kubernetesKinds = allKinds.filter((kind) => kind.group !== 'flotilla.dev');

for (const kind of kubernetesKinds) {
  test(`every field of ${kind.kind} is implemented or refused by name`, () => {
    let refused = 0;
    const seen = walk(kind.message, kind.kind, [], (path, one, property) => {
      if (path[0] === 'status') return;
      assert.deepEqual(mergeFacts(one), officialMergeFacts(one, property), `merge keys of ${text(path)}`);
      if (one.unsupported === undefined) {
        assertAccepted(kind, path, sampleOf(one.type, one));
        // An empty message asks for nothing.
        const isMessage = typeof one.type !== 'string' && one.type.form === 'message';
        if (one.ignored !== undefined && !isMessage) assertWarned(kind, path, sampleOf(one.type, one));
        return;
      }
      refused += 1;
      assertRefused(kind, path, one);
    });
    assert.ok(seen > 0, `no field of ${kind.kind} was seen`);
    if (kind.kind === 'Pod') assert.ok(seen > 150 && refused > 60, `${seen} fields, ${refused} refused`);
  });
}

test('metadata has every field that Kubernetes gives it', () => {
  const metadata = messageIn(kubernetesKinds[0]?.message.fields.get('metadata')?.type ?? 'any');
  assert.ok(metadata);
  const seen = walk(metadata, 'ObjectMeta', [], (path, one, property) => {
    assert.deepEqual(mergeFacts(one), officialMergeFacts(one, property), `merge keys of ${text(path)}`);
  });
  assert.ok(seen > 20, `${seen} fields`);
});

type Visit = (path: readonly (string | 0)[], one: Field, property: Property) => void;

/** Visits each field of a definition that the table knows, and fails for each that it does not. */
function walk(table: Message, definition: string, path: readonly (string | 0)[], visit: Visit): number {
  let seen = 0;
  for (const [name, property] of Object.entries(definitions[definition] ?? {})) {
    if (path.length === 0 && ours.has(name)) continue;
    const one = table.fields.get(name);
    assert.ok(one, `${definition}.${name} is in no table: implement it, or write it down as unsupported`);
    const itemPath = property.type.startsWith('[]') ? [...path, name, 0 as const] : [...path, name];
    visit([...path, name], one, property);
    seen += 1;
    if (one.unsupported !== undefined) continue;
    const inner = messageIn(one.type);
    const innerDefinition = property.type.replace(/^(\[\]|map )/, '');
    if (innerDefinition === 'ObjectMeta') continue;
    assert.equal(wireType(one.type), officialType(property.type, one.type), `type of ${definition}.${name}`);
    if (inner && !property.type.startsWith('map ')) seen += walk(inner, innerDefinition, itemPath, visit);
  }
  return seen;
}

function wireType(type: FieldType): string {
  if (typeof type === 'string') return type;
  return type.form === 'message' ? 'message' : `${type.form} of ${wireType(type.of)}`;
}

function officialType(type: string, ourType: FieldType): string {
  if (type.startsWith('[]')) return `list of ${officialType(type.slice(2), innerOf(ourType))}`;
  if (type.startsWith('map ')) return `map of ${officialType(type.slice(4), innerOf(ourType))}`;
  const names: Readonly<Record<string, string>> = {
    string: 'string',
    boolean: 'bool',
    'integer int32': 'int32',
    'integer int64': 'int64',
    'string byte': 'bytes',
    Time: 'time',
    'string date-time': 'time',
    MicroTime: 'microTime',
    FieldsV1: 'fieldsV1',
    RawExtension: 'fieldsV1',
    Quantity: 'quantity',
    IntOrString: 'intOrString',
    'string int-or-string': 'intOrString',
  };
  if (ourType === 'any') return 'any';
  if ((type === 'string date-time' || type === 'Time') && ourType === 'microTime') return 'microTime';
  if (type === 'string' && ourType === 'quantity') return 'quantity';
  return names[type] ?? 'message';
}

function innerOf(type: FieldType): FieldType {
  return typeof type !== 'string' && type.form !== 'message' ? type.of : type;
}

function mergeFacts(one: Field) {
  // Only what is merged item by item has to be known of a field that is refused.
  const strategy = one.patchStrategy ?? (one.mergeKey === undefined ? undefined : 'merge');
  return { mergeKey: one.mergeKey, strategy, mapKeys: one.unsupported === undefined ? one.mapKeys : undefined };
}

function officialMergeFacts(one: Field, property: Property) {
  const { mergeKey, patchStrategy: strategy, mapKeys } = property;
  return { mergeKey, strategy, mapKeys: one.unsupported === undefined ? mapKeys : undefined };
}

function assertAccepted(kind: Kind, path: readonly (string | 0)[], sample: unknown): void {
  const { warnings } = decodeValue<ApiObject>(kind, objectWith(kind, path, sample), { strictness: 'Warn' });
  assert.deepEqual(warnings, [], `decoding ${text(path)}`);
}

function assertWarned(kind: Kind, path: readonly (string | 0)[], sample: unknown): void {
  const { object } = decodeValue<ApiObject>(kind, objectWith(kind, path, sample), { strictness: 'Strict' });
  const prefix = `${text(path)}: accepted, and not done: `;
  assert.ok(
    warningsOf(kind, object).some((warning) => warning.startsWith(prefix)),
    `${text(path)} is not warned about`,
  );
}

function assertRefused(kind: Kind, path: readonly (string | 0)[], one: Field): void {
  const samples = [sampleOf(one.type, one), true, false, 'x', 7].filter((sample) => fits(one.type, sample));
  const refusals = samples.map((sample) => {
    const { object } = decodeValue<ApiObject>(kind, objectWith(kind, path, sample), { strictness: 'Strict' });
    return validate(kind, object).find((error) => error.field === text(path));
  });
  const refusal = refusals.find((error) => error !== undefined);
  assert.ok(refusal, `${text(path)} is refused with none of ${JSON.stringify(samples)}`);
  assert.match(refusal.message, /^Forbidden: not supported by Flotilla: .{5}/);
}

/** A right object of the kind with one value somewhere in it. */
function objectWith(kind: Kind, path: readonly (string | 0)[], value: unknown): JsonObject {
  const object: JsonObject = {
    ...structuredClone(base[kind.kind] ?? {}),
    metadata: { name: 'x', ...(kind.namespaced ? { namespace: 'd' } : {}) },
  };
  let at: JsonObject | unknown[] = object;
  for (const [depth, part] of path.entries()) {
    const isLast = depth === path.length - 1;
    const container = at as Record<string | number, unknown>;
    container[part] = isLast ? value : (container[part] ?? (path[depth + 1] === 0 ? [] : {}));
    at = container[part] as JsonObject;
  }
  return object;
}

function fits(type: FieldType, sample: unknown): boolean {
  if (typeof type !== 'string') {
    return type.form === 'list' ? Array.isArray(sample) : isObject(sample);
  }
  if (type === 'any') return isObject(sample);
  if (type === 'bool') return typeof sample === 'boolean';
  return typeof sample === (type === 'int32' || type === 'int64' ? 'number' : 'string');
}

function sampleOf(type: FieldType, one: Field): unknown {
  if (typeof type !== 'string') {
    if (type.form === 'message') return {};
    return type.form === 'list' ? [sampleOf(type.of, one)] : { x: sampleOf(type.of, one) };
  }
  const samples: Readonly<Record<string, unknown>> = {
    bool: true,
    int32: 7,
    int64: 7,
    bytes: 'eA==',
    time: '2026-01-01T00:00:00Z',
    microTime: '2026-01-01T00:00:00.000000Z',
    quantity: '1',
    any: { x: 'x' },
  };
  return samples[type] ?? 'x';
}

function text(path: readonly (string | 0)[]): string {
  return path.reduce<string>((all, part) => (part === 0 ? `${all}[0]` : all === '' ? part : `${all}.${part}`), '');
}
