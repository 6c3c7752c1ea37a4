import { cloneJson, isObject } from './json.ts';
import { hasSubresource, type Kind } from './kind.ts';
import type { ApiObject } from './object.ts';
import { type FieldType, type JsonObject, type Message, messageHasDefaults } from './schema.ts';

/**
 * Fills in what the writer left out, as Kubernetes does for the fields that Flotilla accepts. Changes and returns
 * `object`. Doing it twice changes nothing.
 */
export function applyDefaults<T extends ApiObject>(kind: Kind<T>, object: T): T {
  defaultMessage(kind.message, object as unknown as JsonObject);
  return object;
}

/** A new object with what its status has from the start, such as a pod's phase; a status that it came with is dropped. */
export function prepareForCreate<T extends ApiObject>(kind: Kind<T>, object: T): T {
  if (kind.prepareForCreate) return kind.prepareForCreate(object);
  if (!hasSubresource(kind, 'status')) return object;
  const { status: _status, ...rest } = object as T & { status?: unknown };
  return rest as unknown as T;
}

export function defaultMessage(type: Message, object: JsonObject): void {
  for (const one of type.withDefaults) {
    let value = object[one.name];
    if (value === undefined && one.default !== undefined) {
      value = cloneJson(one.default);
      object[one.name] = value;
    } else if (value === '' && typeof one.default === 'string') {
      // Go does not tell an empty string from an absent one.
      object[one.name] = one.default;
    }
    if (typeof value === 'object') defaultValue(one.type, value);
  }
  for (const inlined of type.options.inline ?? []) inlined.message.options.defaults?.(object);
  type.options.defaults?.(object);
}

function defaultValue(type: FieldType, value: unknown): void {
  if (typeof type === 'string') return;
  if (type.form === 'message') {
    if (isObject(value) && messageHasDefaults(type)) defaultMessage(type, value);
  } else if (typeof type.of !== 'string' && typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) defaultValue(type.of, item);
  }
}
