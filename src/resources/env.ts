import type { EnvVarSource } from 'kubernetes-types/core/v1.js';
import { invalid, notSupported } from './field-errors.ts';
import { configKey, envName } from './name-checks.ts';
import { field, type JsonObject, message, unsupported } from './schema.ts';

/** What `valueFrom.fieldRef.fieldPath` may name; besides `metadata.labels['x']` and `metadata.annotations['x']`. */
export const downwardFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.podIP',
  'status.podIPs',
  'status.hostIP',
  'status.hostIPs',
] as const;

const subscript = /^metadata\.(labels|annotations)\['([^']+)'\]$/;

/** `metadata.labels['app']` → `{ map: 'labels', key: 'app' }`; undefined for plain paths. */
export function parseDownwardSubscript(
  path: string,
): { readonly map: 'labels' | 'annotations'; readonly key: string } | undefined {
  const match = subscript.exec(path);
  return match ? { map: match[1] as 'labels' | 'annotations', key: match[2] ?? '' } : undefined;
}

/** The same for a file of a volume. */
export const downwardFileFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'metadata.labels',
  'metadata.annotations',
] as const;

function fieldSelector(known: readonly string[]) {
  return message(
    'ObjectFieldSelector',
    {
      apiVersion: field(1, 'string', { default: 'v1', allowed: ['v1'] }),
      fieldPath: field(2, 'string', {
        required: true,
        description: "A field of the pod; also metadata.labels['<key>'] and metadata.annotations['<key>'].",
      }),
    },
    {
      isAtomic: true,
      validate: ({ fieldPath }: { fieldPath?: string }, path, errors) => {
        if (!fieldPath || known.includes(fieldPath) || parseDownwardSubscript(fieldPath)) return;
        errors.push(notSupported(`${path}.fieldPath`, fieldPath, known.toSorted()));
      },
    },
  );
}

const objectFieldSelector = fieldSelector(downwardFields);
export const fileFieldSelector = fieldSelector(downwardFileFields);

const requiredReference = message('LocalObjectReference', { name: field(1, 'string', { required: true }) });

function keySelector(name: string) {
  return message(
    name,
    { key: field(2, 'string', { required: true, check: configKey }), optional: field(3, 'bool', { optional: true }) },
    { inline: [{ number: 1, message: requiredReference }], isAtomic: true },
  );
}

const envVarSource = message(
  'EnvVarSource',
  {
    fieldRef: field(1, objectFieldSelector),
    resourceFieldRef: unsupported(2, 'write the amount as a value'),
    configMapKeyRef: field(3, keySelector('ConfigMapKeySelector')),
    secretKeyRef: field(4, keySelector('SecretKeySelector')),
    fileKeyRef: unsupported(5, 'use configMapKeyRef or secretKeyRef'),
  },
  {
    validate: (source: EnvVarSource & JsonObject, path, errors) => {
      const count = Object.keys(source).length;
      if (count === 0) {
        const names = '`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`';
        errors.push(invalid(path, '', `must specify one of: ${names}`));
      } else if (count > 1) errors.push(invalid(path, '', 'may not have more than one field specified at a time'));
    },
  },
);

export const envVar = message(
  'EnvVar',
  {
    name: field(1, 'string', { required: true, check: envName }),
    value: field(2, 'string', { description: '$(NAME) stands for a variable before it; $$ for a dollar sign.' }),
    valueFrom: field(3, envVarSource),
  },
  {
    validate: (one: JsonObject, path, errors) => {
      if (one.value && one.valueFrom) {
        errors.push(invalid(`${path}.valueFrom`, '', 'may not be specified when `value` is not empty'));
      }
    },
  },
);

function envSource(name: string) {
  return message(
    name,
    { optional: field(2, 'bool', { optional: true }) },
    { inline: [{ number: 1, message: requiredReference }] },
  );
}

export const envFromSource = message(
  'EnvFromSource',
  {
    prefix: field(1, 'string', { check: envName }),
    configMapRef: field(2, envSource('ConfigMapEnvSource')),
    secretRef: field(3, envSource('SecretEnvSource')),
  },
  {
    validate: (one: JsonObject, path, errors) => {
      const count = [one.configMapRef, one.secretRef].filter((source) => source !== undefined).length;
      if (count === 0) errors.push(invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`'));
      else if (count > 1) errors.push(invalid(path, '', 'may not have more than one field specified at a time'));
    },
  },
);
