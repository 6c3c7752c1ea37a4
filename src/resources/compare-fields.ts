import { childOf, type FieldSet, type FieldSetBuilder, newSet } from './field-set.ts';
import { childShape, elementsOf, type Shape } from './field-shape.ts';
import { isObject, jsonEqual, ownValue } from './json.ts';
import type { JsonObject } from './schema.ts';

/** What a write did, by field. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** All fields that a value states: what its writer owns who applies it. */
export function fieldsIn(shape: Shape, value: unknown): FieldSet {
  const set = newSet();
  collect(shape, value, set);
  return set;
}

function collect(shape: Shape, value: unknown, into: FieldSetBuilder): void {
  if (Array.isArray(value)) {
    const elements = elementsOf(shape, value);
    for (const [index, item] of value.entries()) {
      const child = childOf(into, elements[index]!);
      child.isMember = true;
      if (shape.form === 'list' && shape.of.form !== 'leaf') collect(shape.of, item, child);
    }
  } else if (isObject(value)) {
    for (const name of Object.keys(value)) {
      const inner = childShape(shape, name);
      const item = value[name];
      if (!inner || item === undefined) continue;
      // A shared list without items states nothing.
      if (inner.form !== 'leaf' && Array.isArray(item) && item.length === 0) continue;
      const child = newSet();
      if (inner.form === 'leaf' || shape.form === 'map' || isEmptyContainer(item)) child.isMember = true;
      if (inner.form !== 'leaf') collect(inner, item, child);
      if (child.isMember || child.children.size > 0) into.set(`f:${name}`, child);
    }
  }
}

/** Undefined on a side means that it is not there. */
export function compareFields(shape: Shape, old: unknown, next: unknown): Comparison {
  const result = { added: newSet(), modified: newSet(), removed: newSet() };
  compare(shape, old, next, result);
  return result;
}

interface Builders {
  readonly added: FieldSetBuilder;
  readonly modified: FieldSetBuilder;
  readonly removed: FieldSetBuilder;
}

function compare(shape: Shape, old: unknown, next: unknown, into: Builders): void {
  if (old === next) return;
  // Parts of a struct are owned, not the struct: it is there whenever one of them is.
  if (old === undefined) whole(shape, next, into.added, false);
  else if (next === undefined) whole(shape, old, into.removed, true);
  else if (shape.form === 'leaf' || (isEmptyContainer(old) && isEmptyContainer(next))) {
    if (!jsonEqual(old, next)) into.modified.isMember = true;
  } else if (shape.form === 'list' || shape.form === 'set') compareLists(shape, listOf(old), listOf(next), into);
  else compareObjects(shape, isObject(old) ? old : {}, isObject(next) ? next : {}, into);
}

/** Everything of a value that came or went as a whole. */
function whole(shape: Shape, value: unknown, into: FieldSetBuilder, hasStructs: boolean): void {
  if (shape.form !== 'struct' || hasStructs || isEmptyContainer(value)) into.isMember = true;
  if (shape.form === 'leaf') return;
  if (Array.isArray(value)) {
    const elements = elementsOf(shape, value);
    for (const [index, item] of value.entries()) {
      const child = childOf(into, elements[index]!);
      child.isMember = true;
      if (shape.form === 'list') whole(shape.of, item, child, hasStructs);
    }
  } else if (isObject(value)) {
    for (const name of Object.keys(value)) {
      const inner = childShape(shape, name);
      if (!inner || value[name] === undefined) continue;
      const child = childOf(into, `f:${name}`);
      if (shape.form === 'map') child.isMember = true;
      whole(inner, value[name], child, hasStructs);
    }
  }
}

function compareObjects(shape: Shape, old: JsonObject, next: JsonObject, into: Builders): void {
  const visit = (name: string) => {
    const inner = childShape(shape, name);
    if (!inner) return;
    const [before, after] = [ownValue(old, name), ownValue(next, name)];
    if (before !== after) descend(into, `f:${name}`, inner, shape.form === 'map', before, after);
  };
  for (const name of Object.keys(next)) visit(name);
  for (const name of Object.keys(old)) if (ownValue(next, name) === undefined) visit(name);
}

function compareLists(shape: Shape, old: readonly unknown[], next: readonly unknown[], into: Builders): void {
  const before = grouped(shape, old);
  const after = grouped(shape, next);
  const item: Shape = shape.form === 'list' ? shape.of : { form: 'leaf' };
  for (const element of new Set([...after.keys(), ...before.keys()])) {
    const [lefts = [], rights = []] = [before.get(element), after.get(element)];
    const isSingle = lefts.length <= 1 && rights.length <= 1;
    if (isSingle) descend(into, element, item, true, lefts[0], rights[0]);
    // Items that are there twice are told apart by nothing: they are one.
    else descend(into, element, { form: 'leaf' }, true, orAbsent(lefts), orAbsent(rights));
  }
}

function orAbsent(list: readonly unknown[]): readonly unknown[] | undefined {
  return list.length === 0 ? undefined : list;
}

function grouped(shape: Shape, list: readonly unknown[]): Map<string, unknown[]> {
  const groups = new Map<string, unknown[]>();
  for (const [index, element] of elementsOf(shape, list).entries()) {
    const group = groups.get(element);
    if (group) group.push(list[index]);
    else groups.set(element, [list[index]]);
  }
  return groups;
}

/** `isItem`: items of maps and lists are owned themselves, besides what is in them. */
function descend(into: Builders, element: string, shape: Shape, isItem: boolean, old: unknown, next: unknown): void {
  const child: Builders = { added: newSet(), modified: newSet(), removed: newSet() };
  compare(shape, old, next, child);
  if (isItem && old === undefined) child.added.isMember = true;
  for (const part of ['added', 'modified', 'removed'] as const) {
    const set = child[part];
    if (set.isMember || set.children.size > 0) into[part].set(element, set);
  }
}

function isEmptyContainer(value: unknown): boolean {
  if (value === undefined) return true;
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
