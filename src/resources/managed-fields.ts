import type { ManagedFieldsEntry } from 'kubernetes-types/meta/v1.js';
import { type FieldSet, isEmptySet, parseFieldSet, renderFieldSet } from './field-set.ts';
import type { JsonObject } from './schema.ts';

/** The same fields have been written by this one last. Appliers are told apart by name, others by version too. */
export interface ManagerKey {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** Of which part of the object it writes; '' for the object itself. */
  readonly subresource: string;
}

/** A writer of fields and what it owns. */
export interface Manager extends ManagerKey {
  /** RFC 3339, of its last change; absent when nobody knows. */
  readonly time: string | undefined;
  readonly fields: FieldSet;
  /** As it was read; absent when the fields are not those any more. */
  readonly entry: ManagedFieldsEntry | undefined;
}

/** Throws nothing: undefined when an entry cannot be read. */
export function parseManagedFields(entries: readonly ManagedFieldsEntry[] | undefined): Manager[] | undefined {
  const managers: Manager[] = [];
  for (const entry of entries ?? []) {
    const { manager = '', operation, apiVersion = '', subresource = '', time, fieldsType, fieldsV1 } = entry;
    const fields = fieldsType === 'FieldsV1' ? parsed(fieldsV1 ?? {}) : undefined;
    if (!fields || (operation !== 'Apply' && operation !== 'Update')) return undefined;
    managers.push({
      name: manager,
      operation,
      apiVersion,
      subresource,
      time: time as string | undefined,
      fields,
      entry,
    });
  }
  return managers;
}

/** Trees are shared between objects: what one says needs to be understood once. */
const known = new WeakMap<object, FieldSet>();

function parsed(tree: object): FieldSet | undefined {
  let set = known.get(tree);
  if (!set) {
    set = parseFieldSet(tree);
    if (set) known.set(tree, set);
  }
  return set;
}

/** Appliers first, then by time. Undefined when nobody owns anything: the field is absent then. */
export function renderManagedFields(managers: readonly Manager[]): ManagedFieldsEntry[] | undefined {
  const owners = managers.filter((one) => !isEmptySet(one.fields)).sort(byOperationAndTime);
  return owners.length === 0
    ? undefined
    : owners.map((one) => one.entry ?? renderEntry(one, one.time, renderFieldSet(one.fields)));
}

function byOperationAndTime(left: Manager, right: Manager): number {
  for (const key of ['operation', 'time', 'name', 'apiVersion', 'subresource'] as const) {
    const [one, other] = [left[key] ?? '', right[key] ?? ''];
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

/** `fields` is FieldsV1. */
export function renderEntry(
  { name, operation, apiVersion, subresource }: ManagerKey,
  time: string | undefined,
  fields: JsonObject,
): ManagedFieldsEntry {
  return {
    manager: name,
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time: time as unknown as NonNullable<ManagedFieldsEntry['time']> }),
    fieldsType: 'FieldsV1',
    fieldsV1: fields as NonNullable<ManagedFieldsEntry['fieldsV1']>,
    ...(subresource === '' ? {} : { subresource }),
  };
}

/** `[]` or `[{}]`: whoever writes that wants the owners forgotten. */
export function isReset(entries: readonly ManagedFieldsEntry[] | undefined): boolean {
  if (!entries) return false;
  return entries.length === 0 || (entries.length === 1 && Object.keys(entries[0] ?? {}).length === 0);
}

export function isSameManager(left: ManagerKey, right: ManagerKey): boolean {
  if (left.name !== right.name || left.operation !== right.operation) return false;
  if (left.subresource !== right.subresource) return false;
  return left.operation === 'Apply' || left.apiVersion === right.apiVersion;
}

/** With other fields, from `time` on. */
export function withFields(manager: Manager, fields: FieldSet, time = manager.time): Manager {
  return { ...manager, fields, time, entry: undefined };
}
