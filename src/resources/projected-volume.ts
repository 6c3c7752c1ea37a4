// Volumes whose files the agent puts together: `projected` and `downwardAPI`.
import { fileFieldSelector } from './env.ts';
import { invalid, required } from './field-errors.ts';
import { configKey, fileMode as rightMode, unreservedPath } from './name-checks.ts';
import { field, type JsonObject, listOf, message, unsupported } from './schema.ts';

/** File mode bits. */
export const fileMode = { optional: true, check: rightMode } as const;

const defaultMode = field(2, 'int32', { ...fileMode, default: 0o644 });

export const keyToPath = message('KeyToPath', {
  key: field(1, 'string', { required: true, check: configKey }),
  path: field(2, 'string', { required: true, check: unreservedPath }),
  mode: field(3, 'int32', fileMode),
  user: unsupported(4, 'leave it out; the files belong to root', { type: 'int64', optional: true }),
});

const downwardFile = message(
  'DownwardAPIVolumeFile',
  {
    path: field(1, 'string', { required: true, check: unreservedPath }),
    fieldRef: field(2, fileFieldSelector),
    resourceFieldRef: unsupported(3, 'write the amount into a ConfigMap'),
    mode: field(4, 'int32', fileMode),
  },
  {
    validate: (one: JsonObject, path, errors) => {
      if (one.fieldRef === undefined) errors.push(required(`${path}.fieldRef`, 'must specify what the file holds'));
    },
  },
);

const downwardFiles = listOf(downwardFile);

export const downwardVolume = message('DownwardAPIVolumeSource', {
  items: field(1, downwardFiles),
  defaultMode,
});

const reference = message('LocalObjectReference', { name: field(1, 'string', { required: true }) });

function projection(name: string) {
  return message(
    name,
    { items: field(2, listOf(keyToPath)), optional: field(4, 'bool', { optional: true }) },
    { inline: [{ number: 1, message: reference }] },
  );
}

const tokenProjection = message('ServiceAccountTokenProjection', {
  audience: field(1, 'string', { description: 'Default: this cluster’s API.' }),
  expirationSeconds: field(2, 'int64', { optional: true, default: 3_600, min: 600, max: 2 ** 32 }),
  path: field(3, 'string', { required: true, check: unreservedPath }),
});

const sources = ['secret', 'downwardAPI', 'configMap', 'serviceAccountToken'] as const;

const volumeProjection = message(
  'VolumeProjection',
  {
    secret: field(1, projection('SecretProjection')),
    downwardAPI: field(2, message('DownwardAPIProjection', { items: field(1, downwardFiles) })),
    configMap: field(3, projection('ConfigMapProjection')),
    serviceAccountToken: field(4, tokenProjection),
    clusterTrustBundle: unsupported(5, 'put the certificates into a configMap'),
    podCertificate: unsupported(6, 'put the certificate into a secret'),
  },
  {
    validate: (one: JsonObject, path, errors) => {
      const given = sources.filter((source) => one[source] !== undefined);
      if (given.length > 1) errors.push(invalid(path, given[1], 'may not specify more than 1 volume type per source'));
      if (given.length === 0) errors.push(required(path, 'must specify a volume type'));
    },
  },
);

export const projectedVolume = message('ProjectedVolumeSource', {
  sources: field(1, listOf(volumeProjection)),
  defaultMode,
});
