import { forbidden, invalid, notSupported, required } from './field-errors.ts';
import { isEmpty, isObject, jsonEqual } from './json.ts';
import type { Kind } from './kind.ts';
import { validateMetadata, validateMetadataUpdate } from './meta-validation.ts';
import { nonNegativeMessage } from './name-checks.ts';
import type { ApiObject } from './object.ts';
import {
  type Field,
  type FieldError,
  type FieldType,
  type JsonObject,
  type Message,
  messageHasChecks,
} from './schema.ts';

export interface ValidateUpdateOptions {
  /**
   * `status`: only metadata is looked at. `binding`: `spec.nodeName` of a pod may be set; the rest is as it was checked
   * before. Absent: the object itself.
   */
  readonly subresource?: 'status' | 'scale' | 'binding';
}

/** Everything that is wrong with an object to be created. Defaults have been applied; `metadata.name` is set. */
export function validate<T extends ApiObject>(kind: Kind<T>, object: T): FieldError[] {
  const errors: FieldError[] = [];
  validateMetadata(kind, object.metadata, errors);
  validateMessage(kind.message, object as unknown as JsonObject, '', errors);
  kind.validate?.(object, errors);
  return errors;
}

/** Everything that is wrong with `object` as the successor of `old`: its own errors, and changes that are not allowed. */
export function validateUpdate<T extends ApiObject>(
  kind: Kind<T>,
  object: T,
  old: T,
  options: ValidateUpdateOptions = {},
): FieldError[] {
  const errors: FieldError[] = [];
  validateMetadata(kind, object.metadata, errors);
  validateMetadataUpdate(object.metadata, old.metadata, errors);
  if (options.subresource === 'status') return errors;
  if (options.subresource !== 'binding') {
    validateMessage(kind.message, object as unknown as JsonObject, '', errors);
    kind.validate?.(object, errors);
  }
  kind.validateUpdate?.(withSpec(object), withSpec(old), errors, options);
  return errors;
}

/** A spec that was left out is an empty one: kinds compare what is in it. */
function withSpec<T extends ApiObject>(object: T): T {
  return (object as { spec?: unknown }).spec === undefined ? { ...object, spec: {} } : object;
}

/** Adds `field is immutable` when the values differ. */
export function requireSame(value: unknown, old: unknown, path: string, errors: FieldError[]): void {
  if (!jsonEqual(value, old) && !(isEmpty(value) && isEmpty(old)))
    errors.push(invalid(path, value, 'field is immutable'));
}

/** `path` is that of `object`, '' for the whole. */
export function validateMessage(type: Message, object: JsonObject, path: string, errors: FieldError[]): void {
  for (const one of type.withChecks) validateField(one, object[one.name], path, errors);
  for (const inlined of type.options.inline ?? []) inlined.message.options.validate?.(object as never, path, errors);
  type.options.validate?.(object as never, path, errors);
}

function validateField(one: Field, value: unknown, parent: string, errors: FieldError[]): void {
  const path = () => (parent === '' ? one.name : `${parent}.${one.name}`);
  if (one.unsupported !== undefined) {
    if (!isHarmless(one, value)) errors.push(forbidden(path(), `not supported by Flotilla: ${one.unsupported}`));
    return;
  }
  if (value === undefined || (value === '' && !one.optional) || (value === 0 && one.zeroIsAbsent)) {
    if (one.required) errors.push(required(path()));
    return;
  }
  if (one.required && isEmpty(value) && typeof value === 'object' && Array.isArray(value))
    errors.push(required(path()));
  if (one.allowed || one.check || one.min !== undefined || one.max !== undefined)
    checkValue(one, value, path(), errors);
  if (typeof one.type !== 'string') validateValue(one.type, value, path(), errors);
}

function isHarmless(one: Field, value: unknown): boolean {
  if (one.harmless?.some((harmless) => jsonEqual(harmless, value))) return true;
  // `false` and 0 are what an absent field means, unless absent means something else.
  const absentAsks = one.harmless !== undefined && (one.optional ?? false);
  return isEmpty(value) && !(absentAsks && value !== undefined && typeof value !== 'object' && value !== '');
}

function checkValue(one: Field, value: unknown, path: string, errors: FieldError[]): void {
  if (one.allowed && !one.allowed.includes(value as string)) errors.push(notSupported(path, value, one.allowed));
  if (typeof value === 'number') {
    const range = rangeProblem(one, value);
    if (range !== undefined) errors.push(invalid(path, value, range));
  }
  const shown = one.secret ? '(not shown)' : value;
  for (const problem of one.check?.(value as never) ?? []) errors.push(invalid(path, shown, problem));
}

function rangeProblem({ min, max }: Field, value: number): string | undefined {
  if ((min === undefined || value >= min) && (max === undefined || value <= max)) return undefined;
  if (min !== undefined && max !== undefined) return `must be between ${min} and ${max}, inclusive`;
  if (max !== undefined) return `must be less than or equal to ${max}`;
  return min === 0 ? nonNegativeMessage : `must be greater than or equal to ${min}`;
}

function validateValue(type: FieldType, value: unknown, path: string, errors: FieldError[]): void {
  if (typeof type === 'string') return;
  if (type.form === 'message') {
    if (isObject(value) && messageHasChecks(type)) validateMessage(type, value, path, errors);
  } else if (typeof type.of === 'string') {
    return;
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) validateValue(type.of, item, `${path}[${index}]`, errors);
  } else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) validateValue(type.of, item, `${path}[${key}]`, errors);
  }
}
