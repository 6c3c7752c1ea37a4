// Sets of fields, as `metadata.managedFields` writes them (FieldsV1): a tree in which `f:name` is a field or the key of
// a map, `k:{"name":"web"}` an item of a list by its keys, `v:"x"` a value of a set, `i:0` a position. `.` says that the
// node itself belongs to the set; a node without children always does.
import { isObject } from './json.ts';
import type { JsonObject } from './schema.ts';

/** Immutable once it was given out. */
export interface FieldSet {
  readonly isMember: boolean;
  /** By element: `f:spec`, `k:{"name":"web"}`. */
  readonly children: ReadonlyMap<string, FieldSet>;
}

/** A set that is being made. */
export interface FieldSetBuilder extends FieldSet {
  isMember: boolean;
  readonly children: ReadonlyMap<string, FieldSetBuilder>;
  set(element: string, child: FieldSetBuilder): void;
}

const noChildren: ReadonlyMap<string, FieldSet> = new Map();

export const emptySet: FieldSet = { isMember: false, children: noChildren };

export function newSet(): FieldSetBuilder {
  return new Builder();
}

/** Most nodes are leaves: their map is made when a child comes. */
class Builder implements FieldSetBuilder {
  isMember = false;
  #children: Map<string, FieldSetBuilder> | undefined;

  get children(): ReadonlyMap<string, FieldSetBuilder> {
    return this.#children ?? noBuilders;
  }

  set(element: string, child: FieldSetBuilder): void {
    this.#children ??= new Map();
    this.#children.set(element, child);
  }
}

const noBuilders: ReadonlyMap<string, FieldSetBuilder> = new Map();

/** The node of `element`, made when it is missing. */
export function childOf(set: FieldSetBuilder, element: string): FieldSetBuilder {
  let child = set.children.get(element);
  if (!child) {
    child = newSet();
    set.set(element, child);
  }
  return child;
}

export function isEmptySet(set: FieldSet): boolean {
  if (set.isMember) return false;
  for (const child of set.children.values()) if (!isEmptySet(child)) return false;
  return true;
}

export function union(left: FieldSet, right: FieldSet): FieldSet {
  if (left.children.size === 0 && (right.isMember || !left.isMember)) return right;
  if (right.children.size === 0 && (left.isMember || !right.isMember)) return left;
  const children = new Map(left.children);
  for (const [element, child] of right.children) {
    const other = children.get(element);
    children.set(element, other ? union(other, child) : child);
  }
  return { isMember: left.isMember || right.isMember, children };
}

/** What is in `left` and not in `right`. Taking away a node leaves what is below it. */
export function difference(left: FieldSet, right: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [element, child] of left.children) {
    const other = right.children.get(element);
    const rest = other ? difference(child, other) : child;
    if (!isEmptySet(rest)) children.set(element, rest);
  }
  return { isMember: left.isMember && !right.isMember, children };
}

export function intersection(left: FieldSet, right: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [element, child] of left.children) {
    const other = right.children.get(element);
    const common = other ? intersection(child, other) : emptySet;
    if (!isEmptySet(common)) children.set(element, common);
  }
  return { isMember: left.isMember && right.isMember, children };
}

export function equalSets(left: FieldSet, right: FieldSet): boolean {
  return isEmptySet(difference(left, right)) && isEmptySet(difference(right, left));
}

/** The paths of all members, each as its elements, in the order of the tree. */
export function* membersOf(set: FieldSet, above: readonly string[] = []): Iterable<readonly string[]> {
  if (set.isMember && above.length > 0) yield above;
  for (const element of [...set.children.keys()].sort()) {
    yield* membersOf(set.children.get(element)!, [...above, element]);
  }
}

/** `.spec.containers[name="web"].image`, as conflicts name it. */
export function pathTextOf(path: readonly string[]): string {
  return path.map(elementText).join('');
}

function elementText(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith('f:')) return `.${rest}`;
  if (element.startsWith('v:')) return `[=${rest}]`;
  if (element.startsWith('i:')) return `[${rest}]`;
  const keys = JSON.parse(rest) as JsonObject;
  const parts = Object.keys(keys).map((key) => `${key}=${JSON.stringify(keys[key])}`);
  return `[${parts.join(',')}]`;
}

/** FieldsV1. */
export function renderFieldSet(set: FieldSet): JsonObject {
  const result: JsonObject = {};
  if (set.isMember && set.children.size > 0) result['.'] = {};
  for (const element of [...set.children.keys()].sort()) result[element] = renderFieldSet(set.children.get(element)!);
  return result;
}

const maxDepth = 64;

/** Undefined when it is no FieldsV1. */
export function parseFieldSet(value: unknown): FieldSet | undefined {
  return isObject(value) ? parseNode(value, 0) : undefined;
}

function parseNode(value: JsonObject, depth: number): FieldSet | undefined {
  const children = new Map<string, FieldSet>();
  let isMember = false;
  for (const [element, child] of Object.entries(value)) {
    if (element === '.') {
      isMember = true;
      continue;
    }
    if (depth >= maxDepth || !isElement(element) || !isObject(child)) return undefined;
    const parsed = parseNode(child, depth + 1);
    if (!parsed) return undefined;
    children.set(element, parsed);
  }
  return { isMember: isMember || (children.size === 0 && depth > 0), children };
}

function isElement(element: string): boolean {
  if (element.startsWith('f:')) return element.length > 2;
  if (element.startsWith('i:')) return /^i:[0-9]{1,9}$/.test(element);
  if (!element.startsWith('k:') && !element.startsWith('v:')) return false;
  try {
    const value: unknown = JSON.parse(element.slice(2));
    return element.startsWith('v:') || isObject(value);
  } catch {
    return false;
  }
}
