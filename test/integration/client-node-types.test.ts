// Our tables against the model classes of @kubernetes/client-node, which are generated from another release's OpenAPI
// document than test/data/kubernetes-fields.json: whatever it can send, we know by name and type.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as k8s from '@kubernetes/client-node';
import type { Kind } from '../../src/resources/kind.ts';
import { allKinds } from '../../src/resources/kinds.ts';
import { type FieldType, type Message, messageIn } from '../../src/resources/schema.ts';

interface Attribute {
  readonly baseName: string;
  readonly type: string;
  readonly format: string;
}

interface Model {
  getAttributeTypeMap(): readonly Attribute[];
}

const models = new Map(Object.entries(k8s as unknown as Record<string, unknown>));

function modelOf(name: string): Model | undefined {
  const model = models.get(name);
  return typeof model === 'function' && 'getAttributeTypeMap' in model ? (model as unknown as Model) : undefined;
}

/** `Array<V1Container>` → `V1Container`; also of maps. */
function innerModel(type: string): string {
  return /(?:Array|Set)<(.+)>$/.exec(type)?.[1] ?? /^\{ \[key: string\]: (.+); \}$/.exec(type)?.[1] ?? type;
}

const scalars: Readonly<Record<string, readonly string[]>> = {
  string: ['string', 'quantity', 'bytes', 'time', 'microTime'],
  boolean: ['bool'],
  number: ['int32', 'int64'],
  Date: ['time', 'microTime'],
  V1MicroTime: ['microTime', 'time'],
  IntOrString: ['intOrString'],
};

/** What is wrong with our type; undefined: it can hold all that theirs can. */
function mismatch(type: FieldType, theirs: string): string | undefined {
  if (type === 'any' || type === 'fieldsV1') return undefined;
  if (typeof type === 'string') {
    return scalars[theirs]?.includes(type) ? undefined : `${type} cannot hold ${theirs}`;
  }
  const isList = /^(Array|Set)</.test(theirs);
  const isMap = theirs.startsWith('{ [key');
  if (type.form === 'message') return modelOf(theirs) ? undefined : `message ${type.name} cannot hold ${theirs}`;
  if (type.form === 'list' ? !isList : !isMap) return `${type.form} cannot hold ${theirs}`;
  return mismatch(type.of, innerModel(theirs));
}

function walk(message: Message, modelName: string, path: string, seen: Set<string>): number {
  const model = modelOf(modelName);
  assert.ok(model, `${path}: client-node has no ${modelName}`);
  if (seen.has(modelName)) return 0;
  seen.add(modelName);
  let count = 0;
  for (const { baseName, type } of model.getAttributeTypeMap()) {
    if (path === '' && (baseName === 'apiVersion' || baseName === 'kind')) continue;
    const at = `${modelName}.${baseName}`;
    const one = message.fields.get(baseName);
    assert.ok(one, `${at} is in no table`);
    count += 1;
    if (one.unsupported !== undefined) continue;
    assert.equal(mismatch(one.type, type), undefined, at);
    const inner = messageIn(one.type);
    if (inner && modelOf(innerModel(type))) count += walk(inner, innerModel(type), at, seen);
  }
  return count;
}

function modelNameOf(kind: Kind): string {
  return kind.kind === 'Event' ? 'CoreV1Event' : `V1${kind.kind}`;
}

for (const kind of allKinds.filter(({ group }) => group !== 'flotilla.dev')) {
  test(`client-node sends no field of ${kind.kind} that we do not know`, () => {
    const count = walk(kind.message, modelNameOf(kind), '', new Set());
    assert.ok(count > 20, `${count} fields`);
  });
}
