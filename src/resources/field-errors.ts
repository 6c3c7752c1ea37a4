// Kubernetes' words for what is wrong with a field.
import { ApiError } from './api-error.ts';
import type { FieldError } from './schema.ts';

export function required(field: string, detail = ''): FieldError {
  return { field, reason: 'FieldValueRequired', message: withDetail('Required value', detail) };
}

export function invalid(field: string, value: unknown, detail: string): FieldError {
  return { field, reason: 'FieldValueInvalid', message: withDetail(`Invalid value: ${show(value)}`, detail) };
}

export function forbidden(field: string, detail: string): FieldError {
  return { field, reason: 'FieldValueForbidden', message: withDetail('Forbidden', detail) };
}

export function notSupported(field: string, value: unknown, supported: readonly string[], detail = ''): FieldError {
  const list = supported.map((one) => JSON.stringify(one)).join(', ');
  const words = [list === '' ? '' : `supported values: ${list}`, detail].filter((part) => part !== '').join('; ');
  return { field, reason: 'FieldValueNotSupported', message: withDetail(`Unsupported value: ${show(value)}`, words) };
}

export function duplicate(field: string, value: unknown, detail = ''): FieldError {
  return { field, reason: 'FieldValueDuplicate', message: withDetail(`Duplicate value: ${show(value)}`, detail) };
}

export function notFound(field: string, value: unknown): FieldError {
  return { field, reason: 'FieldValueNotFound', message: `Not found: ${show(value)}` };
}

export function tooLong(field: string, maxBytes: number): FieldError {
  return { field, reason: 'FieldValueTooLong', message: `Too long: may not be more than ${maxBytes} bytes` };
}

export function tooMany(field: string, count: number, max: number): FieldError {
  return { field, reason: 'FieldValueTooMany', message: `Too many: ${count}: must have at most ${max} items` };
}

/** 422: `Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: …` with one cause an error. */
export function invalidError(
  kind: { readonly group: string; readonly kind: string },
  name: string,
  errors: readonly FieldError[],
): ApiError {
  const type = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  const sentences = [...new Set(errors.map((one) => `${one.field}: ${one.message}`))];
  const words = sentences.length === 1 ? sentences[0] : `[${sentences.join(', ')}]`;
  return new ApiError({
    code: 422,
    reason: 'Invalid',
    message: `${type} ${JSON.stringify(name)} is invalid: ${words}`,
    details: { name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.kind, causes: errors },
  });
}

const maxShown = 200;

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'null';
  return text.length > maxShown ? `${text.slice(0, maxShown)}…` : text;
}

function withDetail(head: string, detail: string): string {
  return detail === '' ? head : `${head}: ${detail}`;
}
