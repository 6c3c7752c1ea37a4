import type { FieldSet } from './field-set.ts';
import { childShape, elementsOf, type Shape } from './field-shape.ts';
import { isObject, ownValue } from './json.ts';
import type { JsonObject } from './schema.ts';

/** `live` with everything that `config` states. Neither is changed. `config` has passed `checkApplied`. */
export function mergeApplied(shape: Shape, live: unknown, config: unknown): unknown {
  if (shape.form === 'leaf' || live === undefined) return config;
  if (Array.isArray(config)) return mergeLists(shape, Array.isArray(live) ? live : [], config);
  if (!isObject(config) || !isObject(live)) return config;
  const result: JsonObject = { ...live };
  for (const [name, value] of Object.entries(config)) {
    const inner = childShape(shape, name);
    result[name] = inner ? mergeApplied(inner, ownValue(live, name), value) : value;
  }
  return result;
}

/**
 * Items of `config` in its order. Items that only `live` has keep their place: each stands behind the item of `live`
 * that both have before it, or at the beginning.
 */
function mergeLists(shape: Shape, live: readonly unknown[], config: readonly unknown[]): unknown[] {
  const item: Shape = shape.form === 'list' ? shape.of : { form: 'leaf' };
  const wanted = new Set(elementsOf(shape, config));
  const shared = new Map<string, { readonly value: unknown; readonly followers: unknown[] }>();
  const result: unknown[] = [];
  let followers = result;
  for (const [index, element] of elementsOf(shape, live).entries()) {
    const value = live[index];
    if (!wanted.has(element)) followers.push(value);
    else if (!shared.has(element)) {
      followers = [];
      shared.set(element, { value, followers });
    }
  }
  for (const [index, element] of elementsOf(shape, config).entries()) {
    const before = shared.get(element);
    result.push(mergeApplied(item, before?.value, config[index]), ...(before?.followers ?? []));
  }
  return result;
}

/** `value` without the fields of `set`; what lies below a field that goes, goes too. `value` is not changed. */
export function removeFields(shape: Shape, value: unknown, set: FieldSet): unknown {
  if (set.children.size === 0) return value;
  if (Array.isArray(value)) {
    const item: Shape = shape.form === 'list' ? shape.of : { form: 'leaf' };
    const elements = elementsOf(shape, value);
    return value.flatMap((one: unknown, index) => {
      const node = set.children.get(elements[index] ?? '');
      if (node?.isMember) return [];
      return [node ? removeFields(item, one, node) : one];
    });
  }
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [name, one] of Object.entries(value)) {
    const node = set.children.get(`f:${name}`);
    if (node?.isMember) continue;
    result[name] = node ? removeFields(childShape(shape, name) ?? { form: 'leaf' }, one, node) : one;
  }
  return result;
}

/** `set` and every field of a struct that something of it lies in: who owns `spec.replicas` has a part in `spec`. */
export function withStructs(shape: Shape, set: FieldSet): FieldSet {
  if (shape.form === 'leaf' || set.children.size === 0) return set;
  const children = new Map<string, FieldSet>();
  for (const [element, child] of set.children) {
    const inner = element.startsWith('f:') ? childShape(shape, element.slice(2)) : itemShape(shape);
    const whole = withStructs(inner ?? { form: 'leaf' }, child);
    const isNamed = shape.form === 'struct' && inner !== undefined;
    children.set(element, isNamed ? { isMember: true, children: whole.children } : whole);
  }
  return { isMember: set.isMember, children };
}

function itemShape(shape: Shape): Shape | undefined {
  return shape.form === 'list' ? shape.of : undefined;
}
