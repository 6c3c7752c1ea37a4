/**
 * Kubernetes' strategic merge patch: like a merge patch, but lists whose items have a key are merged item by item.
 * Directives: `$patch: replace|delete|merge` in an object or list item, `$retainKeys: [names]`,
 * `$setElementOrder/<list>: [keys or values]`, `$deleteFromPrimitiveList/<list>: [values]`.
 */
import { badRequest } from './api-error.ts';
import { isObject, jsonEqual, ownValue } from './json.ts';
import type { Kind } from './kind.ts';
import { refuseDeep, refusePrototype } from './merge-patch.ts';
import type { Field, FieldType, JsonObject, Message } from './schema.ts';

const orderPrefix = '$setElementOrder/';
const deletePrefix = '$deleteFromPrimitiveList/';

/** Throws ApiError 400 when the patch cannot be understood. `original` and `patch` are not changed. */
export function applyStrategicMerge(kind: Kind, original: JsonObject, patch: unknown): JsonObject {
  if (!isObject(patch)) throw badRequest('a strategic merge patch is an object');
  refuseDeep(patch);
  return mergeObject(kind.message, original, patch);
}

function mergeObject(type: FieldType | undefined, original: JsonObject, patch: JsonObject): JsonObject {
  const directive = patch.$patch;
  if (directive === 'replace') return withoutDirectives(patch);
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge') {
    throw badRequest(`unknown value ${JSON.stringify(directive)} of $patch: use replace, delete or merge`);
  }
  const result: JsonObject = { ...original };
  retainKeys(result, patch);
  for (const [key, value] of Object.entries(patch)) {
    refusePrototype(key);
    if (key.startsWith('$')) continue;
    if (value === null) delete result[key];
    else result[key] = mergeValue(fieldOf(type, key), key, ownValue(result, key), value, patch);
  }
  for (const key of Object.keys(patch)) {
    if (key.startsWith(orderPrefix)) orderOnly(type, key.slice(orderPrefix.length), result, patch);
    if (key.startsWith(deletePrefix)) deleteValues(key.slice(deletePrefix.length), result, original, patch);
  }
  return result;
}

function fieldOf(
  type: FieldType | undefined,
  key: string,
): Pick<Field, 'type' | 'mergeKey' | 'patchStrategy'> | undefined {
  if (type === undefined || typeof type === 'string') return undefined;
  if (type.form === 'message') return (type as Message).fields.get(key);
  return type.form === 'map' ? { type: type.of } : undefined;
}

function mergeValue(
  one: Pick<Field, 'type' | 'mergeKey' | 'patchStrategy'> | undefined,
  key: string,
  old: unknown,
  value: unknown,
  patch: JsonObject,
): unknown {
  if (isObject(value) && one?.patchStrategy === 'replace') return withoutDirectives(value);
  if (isObject(value)) return mergeObject(one?.type, isObject(old) ? old : {}, value);
  if (!Array.isArray(value)) return value;
  const order = patch[`${orderPrefix}${key}`];
  const oldList: readonly unknown[] = Array.isArray(old) ? old : [];
  if (one?.mergeKey !== undefined) return mergeItems(itemType(one.type), one.mergeKey, oldList, value, order);
  if (one?.patchStrategy === 'merge') return mergePrimitives(oldList, value, order, patch[`${deletePrefix}${key}`]);
  return structuredClone(value);
}

function itemType(type: FieldType): FieldType | undefined {
  return typeof type !== 'string' && type.form === 'list' ? type.of : undefined;
}

function mergeItems(
  type: FieldType | undefined,
  mergeKey: string,
  old: readonly unknown[],
  patch: readonly unknown[],
  order: unknown,
): unknown[] {
  const items = patch.map((item) => {
    if (!isObject(item)) throw badRequest(`items of a list that is merged by ${mergeKey} are objects`);
    return item;
  });
  if (items.some((item) => item.$patch === 'replace')) {
    return items.filter((item) => Object.keys(item).some((key) => key !== '$patch')).map(withoutDirectives);
  }
  let merged = [...old];
  for (const item of items) {
    const key = item[mergeKey];
    if (key === undefined)
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
    const has = (other: unknown) => isObject(other) && other[mergeKey] === key;
    if (item.$patch === 'delete') merged = merged.filter((other) => !has(other));
    else {
      const index = merged.findIndex(has);
      const base = merged[index];
      const next = mergeObject(type, isObject(base) ? base : {}, item);
      if (index < 0) merged.push(next);
      else merged[index] = next;
    }
  }
  // Without an order of its own, a patch names the items that it has: new ones come before those that only the server knows.
  const named = order ?? items.filter((item) => item.$patch !== 'delete');
  return inOrder(merged, old, named, (item) => (isObject(item) ? item[mergeKey] : item));
}

function mergePrimitives(
  old: readonly unknown[],
  patch: readonly unknown[],
  order: unknown,
  deleted: unknown,
): unknown[] {
  const gone: readonly unknown[] = Array.isArray(deleted) ? deleted : [];
  const kept = old.filter((value) => !gone.includes(value));
  return inOrder([...kept, ...patch.filter((value) => !kept.includes(value))], old, order ?? patch, (value) => value);
}

/** `$setElementOrder` without a change of the list itself. */
function orderOnly(type: FieldType | undefined, name: string, result: JsonObject, patch: JsonObject): void {
  const list = result[name];
  if (Object.hasOwn(patch, name) || !Array.isArray(list)) return;
  const mergeKey = fieldOf(type, name)?.mergeKey;
  const keyOf = (item: unknown) => (mergeKey !== undefined && isObject(item) ? item[mergeKey] : item);
  result[name] = inOrder(list, list, patch[`${orderPrefix}${name}`], keyOf);
}

function deleteValues(name: string, result: JsonObject, original: JsonObject, patch: JsonObject): void {
  const list = original[name];
  const gone = patch[`${deletePrefix}${name}`];
  if (Object.hasOwn(patch, name) || !Array.isArray(list)) return;
  if (!Array.isArray(gone)) throw badRequest(`${deletePrefix}${name} is a list of values`);
  result[name] = list.filter((value) => !gone.includes(value));
}

/**
 * Items that the client names come in its order; those that only the server knows keep their place among the items that
 * stood in `old`.
 */
function inOrder(
  items: unknown[],
  old: readonly unknown[],
  order: unknown,
  keyOf: (item: unknown) => unknown,
): unknown[] {
  if (order === undefined) return items;
  if (!Array.isArray(order)) throw badRequest(`${orderPrefix}… is a list`);
  const wanted = order.map((item: unknown) => keyOf(item));
  const rank = (item: unknown) => wanted.findIndex((key) => jsonEqual(key, keyOf(item)));
  const place = (item: unknown) => old.findIndex((other) => jsonEqual(keyOf(other), keyOf(item)));
  const named = items.filter((item) => rank(item) >= 0).sort((left, right) => rank(left) - rank(right));
  const others = items.filter((item) => rank(item) < 0);
  const result: unknown[] = [];
  for (const item of named) {
    while (others[0] !== undefined && place(item) >= 0 && place(others[0]) >= 0 && place(others[0]) < place(item)) {
      result.push(others.shift());
    }
    result.push(item);
  }
  return [...result, ...others];
}

function retainKeys(result: JsonObject, patch: JsonObject): void {
  const keys = patch.$retainKeys;
  if (keys === undefined) return;
  if (!Array.isArray(keys)) throw badRequest('$retainKeys is a list of names');
  const surplus = Object.keys(patch).find((key) => !key.startsWith('$') && patch[key] !== null && !keys.includes(key));
  if (surplus !== undefined)
    throw badRequest(`$retainKeys does not name ${JSON.stringify(surplus)}, which the patch sets`);
  for (const key of Object.keys(result)) if (!keys.includes(key)) delete result[key];
}

/** What is left when there is nothing to merge with: no directives, and no nulls. */
function withoutDirectives(patch: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const [key, value] of Object.entries(patch)) {
    refusePrototype(key);
    if (!key.startsWith('$') && value !== null) result[key] = clean(value);
  }
  return result;
}

function clean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(clean);
  return isObject(value) ? withoutDirectives(value) : value;
}
