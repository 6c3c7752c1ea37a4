/**
 * Who owns which field, after each write: the rules of Kubernetes' server-side apply (KEP-555). Whoever writes a field
 * owns it. Writers other than appliers take what they change. An applier owns exactly what it states: it takes over only
 * by force, and what it no longer states goes when nobody else owns it. Pure.
 */
import type { ManagedFieldsEntry } from 'kubernetes-types/meta/v1.js';
import { compareFields, fieldsIn } from './compare-fields.ts';
import {
  difference,
  emptySet,
  equalSets,
  type FieldSet,
  intersection,
  isEmptySet,
  membersOf,
  pathTextOf,
  union,
} from './field-set.ts';
import { checkApplied, shapeOfMessage } from './field-shape.ts';
import { apiVersionOf, type Kind } from './kind.ts';
import {
  isReset,
  isSameManager,
  type Manager,
  type ManagerKey,
  parseManagedFields,
  renderManagedFields,
  withFields,
} from './managed-fields.ts';
import { mergeApplied, removeFields, withStructs } from './merge-applied.ts';
import type { ApiObject } from './object.ts';

/** Fields of another owner that an applier would change. */
export interface Conflict {
  readonly manager: Manager;
  /** Elements of FieldsV1. */
  readonly path: readonly string[];
}

export interface Write {
  readonly kind: Kind;
  readonly manager: ManagerKey;
  /** RFC 3339. */
  readonly time: string;
}

/** So many that are no appliers are kept apart; the oldest beyond become one. */
const maxUpdaters = 10;
const ancient = 'ancient-changes';
const beforeFirstApply = 'before-first-apply';

/**
 * The owners after a create, update or patch. `old` is undefined for a create. `sent` is what the writer says of the
 * owners: one who knows them may change them, or forget them all. Without owners nothing is tracked but a create.
 */
export function ownersAfterUpdate(
  write: Write,
  old: ApiObject | undefined,
  next: ApiObject,
  sent: readonly ManagedFieldsEntry[] | undefined,
): ManagedFieldsEntry[] | undefined {
  const managers = sentOrOld(write, old, sent);
  if (managers.length === 0 && old) return undefined;
  return renderManagedFields(capped(afterUpdate(write, managers, old, next)));
}

function sentOrOld(
  write: Write,
  old: ApiObject | undefined,
  sent: readonly ManagedFieldsEntry[] | undefined,
): readonly Manager[] {
  const before = old?.metadata.managedFields;
  if (write.manager.subresource === '' && sent !== before) {
    if (isReset(sent)) return [];
    const read = parseManagedFields(sent);
    // Who does not know the field must not forget the owners by leaving it out.
    if (read && read.length > 0) return read;
  }
  return parseManagedFields(before) ?? [];
}

function afterUpdate(
  { kind, manager, time }: Write,
  managers: readonly Manager[],
  old: ApiObject | undefined,
  next: ApiObject,
): readonly Manager[] {
  const { added, modified, removed } = compareFields(shapeOfMessage(kind.message), owned(old), owned(next));
  const taken = withoutServers(union(added, modified));
  const gone = withoutServers(removed);
  if (isEmptySet(taken) && isEmptySet(gone)) return managers;
  const lost = union(taken, gone);
  const others = managers.filter((one) => !isSameManager(one, manager)).map((one) => without(one, lost));
  const self = managers.find((one) => isSameManager(one, manager));
  if (isEmptySet(taken)) return self ? [...others, without(self, gone)] : others;
  const fields = union(difference(self?.fields ?? emptySet, gone), taken);
  return [...others, { ...manager, time, fields, entry: undefined }];
}

function without(manager: Manager, lost: FieldSet): Manager {
  const common = intersection(manager.fields, lost);
  return isEmptySet(common) ? manager : withFields(manager, difference(manager.fields, common));
}

export interface Applied {
  /** The object to write, `metadata.managedFields` included. */
  readonly object: ApiObject;
  readonly conflicts: readonly Conflict[];
}

/**
 * What `config` makes of `live` (undefined: it makes the object). With conflicts and without `isForced` the object is
 * not to be written. Throws ApiError 400 when a list of `config` does not say which items it means.
 */
export function applyConfig(write: Write, live: ApiObject | undefined, config: ApiObject, isForced: boolean): Applied {
  const { kind, manager, time } = write;
  const shape = shapeOfMessage(kind.message);
  checkApplied(shape, config, describe(kind, config));
  const before = live && managersBefore(write, live);
  const stated = fieldsIn(shape, config);
  const lastSet = before?.find((one) => isSameManager(one, manager))?.fields;
  const others = (before ?? []).filter((one) => !isSameManager(one, manager));
  const base = owned(live);
  const merged = mergeApplied(shape, base, config);
  const kept = [stated, ...others.map((one) => one.fields)].reduce(union, emptySet);
  const dropped = lastSet ? difference(withStructs(shape, lastSet), withStructs(shape, kept)) : emptySet;
  const pruned = removeFields(shape, merged, dropped) as ApiObject;
  const { added, modified, removed } = compareFields(shape, base, pruned);
  const changed = union(added, modified);
  const conflicts = others.flatMap((one) =>
    [...membersOf(intersection(one.fields, changed))].map((path): Conflict => ({ manager: one, path })),
  );
  if (conflicts.length > 0 && !isForced) return { object: pruned, conflicts };
  const lost = union(changed, removed);
  const fields = withoutServers(stated);
  const isSame = lastSet !== undefined && isEmptySet(lost) && equalSets(lastSet, fields);
  const old = before?.find((one) => isSameManager(one, manager));
  const self: Manager = isSame && old ? old : { ...manager, time, fields, entry: undefined };
  const managedFields = renderManagedFields(capped([...others.map((one) => without(one, lost)), self]));
  // Defaults are filled in below: neither `live` nor `config` may get them.
  const object = structuredClone(pruned);
  if (managedFields) object.metadata.managedFields = managedFields;
  return { object, conflicts };
}

/** An object that nobody tracked belongs, as it is, to those who wrote it before. */
function managersBefore({ kind, time }: Write, live: ApiObject): readonly Manager[] {
  const managers = parseManagedFields(live.metadata.managedFields) ?? [];
  if (managers.length > 0) return managers;
  const rest: Record<string, unknown> = { ...owned(live) };
  delete rest.status;
  const fields = withoutServers(compareFields(shapeOfMessage(kind.message), undefined, rest).added);
  const key: ManagerKey = {
    name: beforeFirstApply,
    operation: 'Update',
    apiVersion: apiVersionOf(kind),
    subresource: '',
  };
  return [{ ...key, time, fields, entry: undefined }];
}

/** Of the fields of an earlier client-side apply those that are still as it left them: they may be taken over. */
export function unchangedSince(kind: Kind, live: ApiObject, lastApplied: unknown): FieldSet {
  const shape = shapeOfMessage(kind.message);
  const { added, modified, removed } = compareFields(shape, owned(live), lastApplied);
  return difference(fieldsIn(shape, lastApplied), [added, modified, removed].reduce(union, emptySet));
}

export function isIn(set: FieldSet, path: readonly string[]): boolean {
  let node: FieldSet | undefined = set;
  for (const element of path) node = node?.children.get(element);
  return node?.isMember ?? false;
}

/** `conflict with "m" using v1: .data.a`; several are listed by manager. */
export function conflictSentence(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (conflicts.length === 1 && first) {
    return `Apply failed with 1 conflict: conflict with ${managerText(first.manager)}: ${pathTextOf(first.path)}`;
  }
  const byManager = new Map<string, string[]>();
  for (const { manager, path } of conflicts) {
    const text = managerText(manager);
    const paths = byManager.get(text) ?? [];
    byManager.set(text, [...paths, `- ${pathTextOf(path)}`]);
  }
  const parts = [...byManager.keys()]
    .sort()
    .map((text) => `conflicts with ${text}:\n${byManager.get(text)?.join('\n')}`);
  return `Apply failed with ${conflicts.length} conflicts: ${parts.join('\n')}`;
}

export function managerText({ name, operation, subresource, apiVersion }: Manager): string {
  const who = subresource === '' ? JSON.stringify(name) : `${JSON.stringify(name)} with subresource "${subresource}"`;
  return operation === 'Apply' ? who : `${who} using ${apiVersion}`;
}

/** The oldest updaters beyond the bound become one, so that objects do not grow with the number of their writers. */
function capped(managers: readonly Manager[]): readonly Manager[] {
  const updaters = managers.filter((one) => one.operation === 'Update');
  if (updaters.length <= maxUpdaters) return managers;
  const byAge = updaters.toSorted((left, right) => ((left.time ?? '') < (right.time ?? '') ? -1 : 1));
  const old = byAge.slice(0, updaters.length - maxUpdaters + 1);
  const merged: Manager = {
    name: ancient,
    operation: 'Update',
    apiVersion: old[0]!.apiVersion,
    subresource: '',
    time: old.at(-1)?.time,
    fields: old.map((one) => one.fields).reduce(union, emptySet),
    entry: undefined,
  };
  return [merged, ...managers.filter((one) => !old.includes(one))];
}

/** The object without what says who owns it. */
function owned(object: ApiObject | undefined): object | undefined {
  if (!object) return undefined;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

const serversFields: ReadonlySet<string> = new Set([
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'selfLink',
  'managedFields',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
]);

/** Of metadata. */
export function isServersField(name: string): boolean {
  return serversFields.has(name);
}

/** Nobody owns what the server decides, and what identifies the object. */
function withoutServers(set: FieldSet): FieldSet {
  const metadata = set.children.get('f:metadata');
  if (!metadata) return set;
  const inner = new Map([...metadata.children].filter(([element]) => !isServersField(element.slice(2))));
  const children = new Map(set.children);
  if (inner.size === 0) children.delete('f:metadata');
  else children.set('f:metadata', { isMember: false, children: inner });
  return { isMember: set.isMember, children };
}

function describe(kind: Kind, { metadata }: ApiObject): string {
  const version = kind.group === '' ? `/${kind.version}` : apiVersionOf(kind);
  return `${metadata.namespace ?? ''}/${metadata.name}; ${version}, Kind=${kind.kind}`;
}
