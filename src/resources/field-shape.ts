// How several writers share a value, read from the tables: what is owned as a whole, and what item by item.
import { badRequest } from './api-error.ts';
import { pathTextOf } from './field-set.ts';
import { isObject } from './json.ts';
import type { Field, FieldType, JsonObject, Message } from './schema.ts';

export type Shape =
  /** Owned as a whole: scalars, atomic lists, maps and messages. */
  | { readonly form: 'leaf' }
  | { readonly form: 'struct'; readonly message: Message }
  | { readonly form: 'map'; readonly of: Shape }
  /** Items are told apart by their keys. */
  | { readonly form: 'list'; readonly of: Shape; readonly keys: readonly ListKey[] }
  /** Items are plain values, each there once. */
  | { readonly form: 'set' };

export interface ListKey {
  readonly name: string;
  /** Of the item that does not say it. */
  readonly default: unknown;
}

const leaf: Shape = { form: 'leaf' };
const set: Shape = { form: 'set' };
const shapes = new WeakMap<Field, Shape>();
const structs = new WeakMap<Message, Shape>();

export function shapeOfMessage(message: Message): Shape {
  if (message.options.isAtomic) return leaf;
  let shape = structs.get(message);
  if (!shape) {
    shape = { form: 'struct', message };
    structs.set(message, shape);
  }
  return shape;
}

export function shapeOfField(field: Field): Shape {
  let shape = shapes.get(field);
  if (!shape) {
    shape = makeShape(field);
    shapes.set(field, shape);
  }
  return shape;
}

function makeShape({ type, isAtomic, listType, mapKeys, unsupported }: Field): Shape {
  if (isAtomic || unsupported !== undefined || typeof type === 'string') return leaf;
  if (type.form !== 'list') return shapeOfType(type);
  if (listType === 'set') return set;
  if (!mapKeys) return leaf;
  return { form: 'list', of: shapeOfType(type.of), keys: mapKeys.map((name) => listKey(type.of, name)).sort(byName) };
}

function listKey(item: FieldType, name: string): ListKey {
  const field = typeof item !== 'string' && item.form === 'message' ? item.fields.get(name) : undefined;
  return { name, default: field?.default };
}

function byName(left: ListKey, right: ListKey): number {
  return left.name < right.name ? -1 : 1;
}

/** Of what stands in a list or map: lists there are always owned as a whole. */
function shapeOfType(type: FieldType): Shape {
  if (typeof type === 'string' || type.form === 'list') return leaf;
  return type.form === 'message' ? shapeOfMessage(type) : { form: 'map', of: shapeOfType(type.of) };
}

/** Of one child of a struct or map; undefined: the table does not have it. */
export function childShape(shape: Shape, name: string): Shape | undefined {
  if (shape.form === 'map') return shape.of;
  if (shape.form !== 'struct') return undefined;
  const field = shape.message.fields.get(name);
  return field && shapeOfField(field);
}

/** Elements of a list's items in order. An item without a key that has no default stands by its position. */
export function elementsOf(shape: Shape, list: readonly unknown[]): string[] {
  if (shape.form === 'set') return list.map((value) => `v:${JSON.stringify(value)}`);
  if (shape.form !== 'list') return [];
  return list.map((item, index) => {
    const key = isObject(item) ? itemKey(item, shape.keys) : 'not an object';
    return typeof key === 'string' ? `i:${index}` : `k:${JSON.stringify(key)}`;
  });
}

/** The keys of an item, or the name of the one that is missing. */
function itemKey(item: JsonObject, keys: readonly ListKey[]): JsonObject | string {
  const result: JsonObject = {};
  for (const key of keys) {
    const value = Object.hasOwn(item, key.name) ? item[key.name] : key.default;
    if (value === undefined) return key.name;
    result[key.name] = value;
  }
  return result;
}

/** What is applied must say which item is meant, each once. Throws ApiError 400. */
export function checkApplied(shape: Shape, value: unknown, what: string, path: readonly string[] = []): void {
  if (shape.form === 'leaf') return;
  if (Array.isArray(value)) {
    const problem = listProblem(shape, value);
    if (problem !== undefined) {
      throw badRequest(`failed to create typed patch object (${what}): ${pathTextOf(path)}: ${problem}`);
    }
    if (shape.form !== 'list') return;
    const elements = elementsOf(shape, value);
    for (const [index, item] of value.entries()) checkApplied(shape.of, item, what, [...path, elements[index]!]);
  } else if (isObject(value)) {
    for (const [name, child] of Object.entries(value)) {
      const inner = childShape(shape, name);
      if (inner) checkApplied(inner, child, what, [...path, `f:${name}`]);
    }
  }
}

function listProblem(shape: Shape, list: readonly unknown[]): string | undefined {
  if (shape.form === 'list') {
    for (const [index, item] of list.entries()) {
      const key = isObject(item) ? itemKey(item, shape.keys) : undefined;
      if (typeof key !== 'string') continue;
      return `element ${index}: associative list with keys has an element that omits key field "${key}" (and doesn't have default value)`;
    }
  }
  const elements = elementsOf(shape, list);
  const twice = elements.find((element, index) => elements.indexOf(element) < index);
  return twice === undefined ? undefined : `duplicate entries for key ${pathTextOf([twice])}`;
}
