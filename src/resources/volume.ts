import type { Volume } from 'kubernetes-types/core/v1.js';
import { forbidden, invalid, required } from './field-errors.ts';
import { absolutePath, dnsLabel, dnsSubdomain, localPath } from './name-checks.ts';
import { downwardVolume, keyToPath, fileMode as mode, projectedVolume } from './projected-volume.ts';
import { field, type JsonObject, listOf, message, unsupported } from './schema.ts';

const useVolumeObject = 'use persistentVolumeClaim with the name of a Volume object, or hostPath';
const rootOwned = 'leave it out; the files belong to root';

const configMapVolume = message(
  'ConfigMapVolumeSource',
  {
    items: field(2, listOf(keyToPath)),
    defaultMode: field(3, 'int32', { ...mode, default: 0o644 }),
    optional: field(4, 'bool', { optional: true }),
    defaultUser: unsupported(5, rootOwned, { type: 'int64', optional: true }),
  },
  {
    inline: [{ number: 1, message: message('LocalObjectReference', { name: field(1, 'string', { required: true }) }) }],
  },
);

const secretVolume = message('SecretVolumeSource', {
  secretName: field(1, 'string', { required: true }),
  items: field(2, listOf(keyToPath)),
  defaultMode: field(3, 'int32', { ...mode, default: 0o644 }),
  optional: field(4, 'bool', { optional: true }),
  defaultUser: unsupported(5, rootOwned, { type: 'int64', optional: true }),
});

const emptyDirVolume = message(
  'EmptyDirVolumeSource',
  {
    medium: field(1, 'string', { allowed: ['', 'Memory'], description: 'Memory: a tmpfs. Default: the node’s disk.' }),
    sizeLimit: field(2, 'quantity', { optional: true }),
    mode: unsupported(3, 'change the mode from within the container', { type: 'int32', optional: true }),
  },
  {
    validate: (source: JsonObject, path, errors) => {
      if (source.sizeLimit !== undefined && source.medium !== 'Memory') {
        errors.push(forbidden(`${path}.sizeLimit`, 'not supported by Flotilla: only medium Memory can be limited'));
      }
    },
  },
);

const hostPathVolume = message('HostPathVolumeSource', {
  path: field(1, 'string', { required: true, check: absolutePath }),
  type: unsupported(2, 'leave it out; a missing directory is made', {
    type: 'string',
    optional: true,
    default: '',
    harmless: ['', 'DirectoryOrCreate'],
  }),
});

const claimVolume = message('PersistentVolumeClaimVolumeSource', {
  claimName: field(1, 'string', {
    required: true,
    check: dnsSubdomain,
    description: 'Name of a Volume object of the pod’s namespace.',
  }),
  readOnly: field(2, 'bool'),
});

const sources = [
  'hostPath',
  'emptyDir',
  'secret',
  'persistentVolumeClaim',
  'configMap',
  'downwardAPI',
  'projected',
] as const;

const volumeSource = message('VolumeSource', {
  hostPath: field(1, hostPathVolume),
  emptyDir: field(2, emptyDirVolume),
  gcePersistentDisk: unsupported(3, useVolumeObject),
  awsElasticBlockStore: unsupported(4, useVolumeObject),
  gitRepo: unsupported(5, 'put the files into the image'),
  secret: field(6, secretVolume),
  nfs: unsupported(7, 'mount it on the node and use hostPath'),
  iscsi: unsupported(8, useVolumeObject),
  glusterfs: unsupported(9, useVolumeObject),
  persistentVolumeClaim: field(10, claimVolume),
  rbd: unsupported(11, useVolumeObject),
  flexVolume: unsupported(12, useVolumeObject),
  cinder: unsupported(13, useVolumeObject),
  cephfs: unsupported(14, 'mount it on the node and use hostPath'),
  flocker: unsupported(15, useVolumeObject),
  downwardAPI: field(16, downwardVolume),
  fc: unsupported(17, useVolumeObject),
  azureFile: unsupported(18, useVolumeObject),
  configMap: field(19, configMapVolume),
  vsphereVolume: unsupported(20, useVolumeObject),
  quobyte: unsupported(21, useVolumeObject),
  azureDisk: unsupported(22, useVolumeObject),
  photonPersistentDisk: unsupported(23, useVolumeObject),
  portworxVolume: unsupported(24, useVolumeObject),
  scaleIO: unsupported(25, useVolumeObject),
  projected: field(26, projectedVolume),
  storageos: unsupported(27, useVolumeObject),
  csi: unsupported(28, useVolumeObject),
  ephemeral: unsupported(29, 'use emptyDir'),
  image: unsupported(30, 'put the files into the image'),
});

export const volume = message(
  'Volume',
  { name: field(1, 'string', { required: true, check: dnsLabel }) },
  {
    inline: [{ number: 2, message: volumeSource }],
    defaults: (object) => {
      if (Object.keys(object).every((key) => key === 'name')) object.emptyDir = {};
    },
    validate: (one: Volume, path, errors) => {
      const given = sources.filter((source) => one[source] !== undefined);
      // An unsupported source has been refused already; then the missing one is not what matters.
      if (given.length === 0 && Object.keys(one).length < 2) errors.push(required(path, 'must specify a volume type'));
      for (const surplus of given.slice(1)) {
        errors.push(forbidden(`${path}.${surplus}`, 'may not specify more than 1 volume type'));
      }
    },
  },
);

export const volumeMount = message('VolumeMount', {
  name: field(1, 'string', { required: true }),
  readOnly: field(2, 'bool'),
  mountPath: field(3, 'string', {
    required: true,
    check: (path: string) => (path.includes(':') ? ["must not contain ':'"] : absolutePath(path)),
  }),
  subPath: field(4, 'string', {
    check: localPath,
    description: 'One file of a secret or configMap volume, mounted as a file at mountPath; of no other volume.',
  }),
  mountPropagation: unsupported(5, 'leave it out', { type: 'string', optional: true, harmless: ['None'] }),
  subPathExpr: unsupported(6, 'mount the whole volume', { type: 'string' }),
  recursiveReadOnly: unsupported(7, 'leave it out', { type: 'string', optional: true, harmless: ['Disabled'] }),
  bindMountOptions: unsupported(8, 'leave it out', { type: listOf('string') }),
});

/** Kubernetes' check that a mount path is there once. */
export function mountPathProblem(path: string, mountPath: string) {
  return invalid(path, mountPath, 'must be unique');
}

/** Its files are written by the agent, one by one. */
export function hasFiles({ secret, configMap, projected, downwardAPI }: Volume): boolean {
  return Boolean(secret ?? configMap ?? projected ?? downwardAPI);
}
