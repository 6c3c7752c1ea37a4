import { ageColumn, column, defineKind, nameColumn } from '../define-kind.ts';
import { forbidden, invalid, tooLong } from '../field-errors.ts';
import { jsonEqual } from '../json.ts';
import type { ConfigMap } from '../kinds.ts';
import { objectMeta } from '../meta.ts';
import { configKey } from '../name-checks.ts';
import { type FieldError, field, mapOf, message } from '../schema.ts';

/** All values together, as in Kubernetes. */
export const maxDataBytes = 1_048_576;

export const configMaps = defineKind<ConfigMap>({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  encrypted: true,
  message: message('ConfigMap', {
    metadata: field(1, objectMeta),
    data: field(2, mapOf('string')),
    binaryData: field(3, mapOf('bytes'), { description: 'Base64.' }),
    immutable: field(4, 'bool', { optional: true }),
  }),
  columns: [
    nameColumn(),
    column('Data', 'How many keys it has.', (one) => count(one.data) + count(one.binaryData), { type: 'integer' }),
    ageColumn(),
  ],
  validate: (one, errors) => {
    checkKeys(one.data, 'data', errors);
    checkKeys(one.binaryData, 'binaryData', errors);
    for (const key of Object.keys(one.binaryData ?? {})) {
      if (!one.data || !Object.hasOwn(one.data, key)) continue;
      errors.push(invalid(`data[${key}]`, key, 'duplicate of key present in binaryData'));
      errors.push(invalid(`binaryData[${key}]`, key, 'duplicate of key present in data'));
    }
    if (bytesOf(one.data) + decodedBytesOf(one.binaryData) > maxDataBytes) errors.push(tooLong('', maxDataBytes));
  },
  validateUpdate: (one, old, errors) => {
    requireMutable(old.immutable, one.immutable, errors);
    if (!old.immutable) return;
    for (const part of ['data', 'binaryData'] as const) {
      if (!jsonEqual(one[part] ?? {}, old[part] ?? {})) errors.push(immutableData(part));
    }
  },
});

export function count(map: object | undefined): number {
  return Object.keys(map ?? {}).length;
}

export function checkKeys(map: object | undefined, path: string, errors: FieldError[]): void {
  for (const key of Object.keys(map ?? {})) {
    for (const problem of configKey(key)) errors.push(invalid(`${path}[${key}]`, key, problem));
  }
}

/** Once immutable, for ever. */
export function requireMutable(old: boolean | undefined, next: boolean | undefined, errors: FieldError[]): void {
  if (old && !next) errors.push(forbidden('immutable', 'field is immutable when `immutable` is set'));
}

/** Without the values: they may be secret. */
export function immutableData(path: string): FieldError {
  return forbidden(path, 'field is immutable when `immutable` is set');
}

function bytesOf(map: Readonly<Record<string, string>> | undefined): number {
  return Object.values(map ?? {}).reduce((sum, value) => sum + Buffer.byteLength(value), 0);
}

export function decodedBytesOf(map: Readonly<Record<string, string>> | undefined): number {
  return Object.values(map ?? {}).reduce((sum, value) => sum + Math.floor((value.length * 3) / 4), 0);
}
