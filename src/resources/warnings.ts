import { isEmpty, isObject, jsonEqual } from './json.ts';
import type { Kind } from './kind.ts';
import type { ApiObject } from './object.ts';
import { type Field, type FieldType, type JsonObject, type Message, messageHasWarnings } from './schema.ts';

/** Nobody reads more of them at once. */
const maxWarnings = 20;

/** Sentences about what an object asks for and will not get, or gets in another way; they stop nothing. */
export function warningsOf<T extends ApiObject>(kind: Kind<T>, object: T): string[] {
  const warnings: string[] = [];
  warnMessage(kind.message, object as unknown as JsonObject, '', warnings);
  return warnings.slice(0, maxWarnings);
}

function warnMessage(type: Message, object: JsonObject, path: string, warnings: string[]): void {
  for (const one of type.withWarnings) {
    const value = object[one.name];
    if (value === undefined) continue;
    const at = path === '' ? one.name : `${path}.${one.name}`;
    if (one.ignored === undefined) warnValue(one.type, value, at, warnings);
    else if (asksForMore(one, value)) warnings.push(`${at}: accepted, and not done: ${one.ignored}`);
  }
  type.options.warn?.(object as never, path, warnings);
}

function asksForMore(one: Field, value: unknown): boolean {
  return !isEmpty(value) && !one.harmless?.some((harmless) => jsonEqual(harmless, value));
}

function warnValue(type: FieldType, value: unknown, path: string, warnings: string[]): void {
  if (typeof type === 'string') return;
  if (type.form === 'message') {
    if (isObject(value) && messageHasWarnings(type)) warnMessage(type, value, path, warnings);
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) warnValue(type.of, item, `${path}[${index}]`, warnings);
  } else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) warnValue(type.of, item, `${path}[${key}]`, warnings);
  }
}
