// What another version of a stack would change: objects, their fields, and which instances are made anew.
import { type Deployment, secrets } from '../resources/kinds.ts';
import { annotations } from '../resources/names.ts';
import type { ApiObject } from '../resources/object.ts';
import type { CompiledObject, CompiledStack, CompiledWorkload } from './compile.ts';
import { contentHash } from './pod-template.ts';

export interface ObjectChange {
  readonly verb: 'create' | 'change' | 'delete';
  readonly kind: string;
  readonly name: string;
  /** In the file; of workloads only. */
  readonly service?: string;
  /** Of a change: what of it. */
  readonly fields: readonly FieldChange[];
  /** Instances that run are replaced by new ones (of a `delete`: by none). */
  readonly isReplacing: boolean;
  /** Of a Deployment that is made or changed. */
  readonly deployment?: Deployment;
}

/** Values as people write them; absent: not said. */
export interface FieldChange {
  readonly path: string;
  readonly before?: string;
  readonly after?: string;
}

type Compiled = CompiledObject | CompiledWorkload;

/** Only what differs, in the order in which it would be done; objects that go come last. */
export function diffStacks(before: CompiledStack | undefined, after: CompiledStack): ObjectChange[] {
  const old = new Map(allOf(before).map((one) => [keyOf(one), one]));
  const wanted = allOf(after);
  const kept = new Set(wanted.map(keyOf));
  return [
    ...wanted.flatMap((one) => changeOf(old.get(keyOf(one)), one) ?? []),
    // Volumes stay: their files cannot be made again.
    ...[...old.values()].filter((one) => !kept.has(keyOf(one)) && one.kind.kind !== 'Volume').map(removalOf),
  ];
}

function allOf(stack: CompiledStack | undefined): Compiled[] {
  return stack ? [...stack.prerequisites, ...stack.workloads] : [];
}

function keyOf({ kind, object }: Compiled): string {
  return `${kind.kind}/${object.metadata.name}`;
}

function changeOf(before: Compiled | undefined, after: Compiled): ObjectChange | undefined {
  const what = identityOf(after);
  if (!before) return { verb: 'create', ...what, fields: [], isReplacing: false };
  const isHidden = after.kind === secrets;
  const fields = diffValues('', plain(before.object), plain(after.object)).map((one) => shown(one, isHidden));
  if (fields.length === 0) return undefined;
  return { verb: 'change', ...what, fields, isReplacing: templateHashOf(before) !== templateHashOf(after) };
}

function removalOf(one: Compiled): ObjectChange {
  const { deployment: _, ...what } = identityOf(one);
  return { verb: 'delete', ...what, fields: [], isReplacing: 'service' in one };
}

function identityOf(one: Compiled): Pick<ObjectChange, 'kind' | 'name' | 'service' | 'deployment'> {
  return {
    kind: one.kind.kind,
    name: one.object.metadata.name,
    ...('service' in one ? { service: one.service } : {}),
    ...(one.kind.kind === 'Deployment' ? { deployment: one.object as Deployment } : {}),
  };
}

function templateHashOf({ object }: Compiled): string | undefined {
  return object.metadata.annotations?.[annotations.templateHash];
}

/** Without what follows from the rest. */
function plain(object: ApiObject): unknown {
  const { annotations: own = {}, ...metadata } = object.metadata;
  const derived: string[] = [annotations.appliedHash, annotations.templateHash];
  const kept = Object.entries(own).filter(([key]) => !derived.includes(key));
  return { ...object, metadata: { ...metadata, annotations: Object.fromEntries(kept) } };
}

function shown(change: FieldChange, isHidden: boolean): FieldChange {
  if (change.path.endsWith(`[${contentHash}]`)) return { path: 'contents of its secrets, configs or env files' };
  if (!isHidden) return { ...change, path: shortPath(change.path) };
  return {
    path: shortPath(change.path),
    ...(change.before === undefined ? {} : { before: '(hidden)' }),
    ...(change.after === undefined ? {} : { after: '(hidden)' }),
  };
}

/** `spec.template.spec.containers[web].image` → `image`: a pod of a stack has one container. */
function shortPath(path: string): string {
  return path
    .replace(/^spec\.template\.spec\.containers\[[^\]]*\]\./, '')
    .replace(/^spec\.template\.(spec|metadata)\./, '')
    .replace(/^(spec|metadata)\./, '')
    .replace(/\]\.value$/, ']');
}

function diffValues(path: string, before: unknown, after: unknown): FieldChange[] {
  if (isMap(before) && isMap(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => diffValues(joined(path, key), before[key], after[key]));
  }
  const [ofBefore, ofAfter] = [named(before), named(after)];
  if (ofBefore && ofAfter) {
    const names = [...new Set([...ofBefore.keys(), ...ofAfter.keys()])];
    return names.flatMap((name) => diffValues(`${path}[${name}]`, ofBefore.get(name), ofAfter.get(name)));
  }
  const [textBefore, textAfter] = [textOf(before), textOf(after)];
  if (textBefore === textAfter) return [];
  return [
    {
      path,
      ...(textBefore === undefined ? {} : { before: textBefore }),
      ...(textAfter === undefined ? {} : { after: textAfter }),
    },
  ];
}

/** Names that are no plain words stand in brackets. */
function joined(path: string, key: string): string {
  const isPlain = /^[A-Za-z_]\w*$/.test(key);
  if (!isPlain) return `${path}[${key}]`;
  return path === '' ? key : `${path}.${key}`;
}

/** A list of things with names of their own, by name; undefined when it is none. */
function named(value: unknown): Map<string, unknown> | undefined {
  if (!Array.isArray(value)) return undefined;
  const entries = value.map((item: unknown) => [isMap(item) ? item.name : undefined, item] as const);
  const isNamed = ([name]: readonly [unknown, unknown]): boolean => typeof name === 'string';
  if (!entries.every(isNamed)) return undefined;
  return new Map(entries.map(([name, item]) => [String(name), item]));
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const maxTextLength = 200;

function textOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const text = isMap(value) && typeof value.value === 'string' && 'name' in value ? value.value : value;
  const written = typeof text === 'string' ? text : JSON.stringify(text);
  return written.length > maxTextLength ? `${written.slice(0, maxTextLength)}…` : written;
}
