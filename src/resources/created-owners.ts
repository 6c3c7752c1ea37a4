// Who owns what of a new object: one walk that writes FieldsV1 at once. It says the same as `ownersAfterUpdate`, which
// compares any two states and takes twice as long (`field-ownership.property.test.ts` holds both together).
import type { ManagedFieldsEntry } from 'kubernetes-types/meta/v1.js';
import { isServersField, type Write } from './field-ownership.ts';
import { childShape, elementsOf, type Shape, shapeOfMessage } from './field-shape.ts';
import { isObject } from './json.ts';
import { renderEntry } from './managed-fields.ts';
import type { ApiObject } from './object.ts';
import type { JsonObject } from './schema.ts';

/** Undefined: nobody owns anything. `'unusual'`: ask `ownersAfterUpdate`, a list has items that nothing tells apart. */
export function ownersOfCreated(write: Write, object: ApiObject): ManagedFieldsEntry[] | undefined | 'unusual' {
  const walk: Walk = { members: 0, isUnusual: false };
  const fields: JsonObject = {};
  const shape = shapeOfMessage(write.kind.message);
  const whole = object as unknown as JsonObject;
  for (const name of Object.keys(whole).sort()) {
    const inner = childShape(shape, name);
    const value = whole[name];
    if (!inner || value === undefined) continue;
    if (name !== 'metadata') fields[`f:${name}`] = ownedOf(walk, inner, value, false);
    else if (isObject(value)) addMetadata(walk, fields, inner, value);
  }
  if (walk.isUnusual) return 'unusual';
  return walk.members === 0 ? undefined : [renderEntry(write.manager, write.time, fields)];
}

interface Walk {
  members: number;
  isUnusual: boolean;
}

/** What the server decides belongs to nobody. */
function addMetadata(walk: Walk, fields: JsonObject, shape: Shape, metadata: JsonObject): void {
  const tree: JsonObject = {};
  let isEmpty = true;
  for (const name of Object.keys(metadata).sort()) {
    const inner = isServersField(name) ? undefined : childShape(shape, name);
    if (!inner || metadata[name] === undefined) continue;
    tree[`f:${name}`] = ownedOf(walk, inner, metadata[name], false);
    isEmpty = false;
  }
  if (!isEmpty) fields['f:metadata'] = tree;
}

/** `isItem`: items of lists and maps are owned themselves, besides what is in them. */
function ownedOf(walk: Walk, shape: Shape, value: unknown, isItem: boolean): JsonObject {
  const tree: JsonObject = {};
  if (shape.form !== 'leaf' && Array.isArray(value)) addItems(walk, tree, shape, value);
  else if (shape.form !== 'leaf' && isObject(value)) addFields(walk, tree, shape, value, isItem);
  else if (shape.form !== 'struct' || isItem || value === undefined) walk.members += 1;
  return tree;
}

function addItems(walk: Walk, tree: JsonObject, shape: Shape, list: readonly unknown[]): void {
  const elements = elementsOf(shape, list);
  walk.members += 1;
  if (list.length === 0) return;
  if (new Set(elements).size < list.length) walk.isUnusual = true;
  tree['.'] = {};
  for (const element of elements.toSorted()) {
    const item = list[elements.indexOf(element)];
    if (shape.form === 'list') tree[element] = ownedOf(walk, shape.of, item, true);
    else {
      tree[element] = {};
      walk.members += 1;
    }
  }
}

function addFields(walk: Walk, tree: JsonObject, shape: Shape, value: JsonObject, isItem: boolean): void {
  const names = Object.keys(value).sort();
  const isMember = shape.form !== 'struct' || isItem || names.length === 0;
  if (isMember) walk.members += 1;
  let hasDot = false;
  for (const name of names) {
    const inner = childShape(shape, name);
    if (!inner || value[name] === undefined) continue;
    if (isMember && !hasDot) {
      tree['.'] = {};
      hasDot = true;
    }
    tree[`f:${name}`] = ownedOf(walk, inner, value[name], shape.form === 'map');
  }
}
