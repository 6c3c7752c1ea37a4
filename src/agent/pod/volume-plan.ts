import { join } from 'node:path';
import type {
  Container,
  DownwardAPIVolumeFile,
  KeyToPath,
  Volume as PodVolume,
  VolumeProjection,
} from 'kubernetes-types/core/v1.js';
import type { MountSpec } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { hostLabels } from '../../resources/names.ts';
import { memoryBytesOf } from '../../resources/quantity.ts';
import { configEntries, fieldOf, type PodReferences, secretEntries } from './environment.ts';
import { wantedToken } from './pod-tokens.ts';

/** Where an agent keeps what pods mount. */
export interface PodDirectories {
  /** On disk, one a pod: emptyDir, resolv.conf. */
  readonly disk: string;
  /** In memory, one a pod: files that come from Secrets and ConfigMaps. */
  readonly memory: string;
}

/** What must be on the host before the container of a pod is created. */
export type PodVolumePlan =
  | { readonly type: 'directory'; readonly path: string; readonly mode: number; readonly isOurs: boolean }
  | { readonly type: 'tmpfs'; readonly path: string; readonly sizeBytes?: number }
  | { readonly type: 'files'; readonly path: string; readonly files: readonly FilePlan[] }
  | { readonly type: 'volume'; readonly name: string; readonly labels: Readonly<Record<string, string>> };

export interface FilePlan {
  /** Relative to the volume, never outside of it. */
  readonly path: string;
  readonly mode: number;
  readonly data: Buffer;
}

export interface VolumesPlan {
  readonly volumes: readonly PodVolumePlan[];
  readonly mounts: readonly MountSpec[];
  /** As in Environment. */
  readonly problems: readonly string[];
}

const defaultFileMode = 0o644;

/** The volumes that these containers of the pod mount, and their mounts. */
export function planVolumes(
  pod: Pod,
  containers: readonly Pick<Container, 'volumeMounts'>[],
  grid: string,
  directories: PodDirectories,
  references: PodReferences,
): VolumesPlan {
  const volumes: PodVolumePlan[] = [];
  const mounts: MountSpec[] = [];
  const problems: string[] = [];
  for (const mount of containers.flatMap(({ volumeMounts }) => volumeMounts ?? [])) {
    const volume = pod.spec.volumes?.find((one) => one.name === mount.name);
    if (!volume) {
      problems.push(`volume "${mount.name}" is not one of the pod`);
      continue;
    }
    const planned = planVolume(pod, grid, directories, references, volume);
    if (typeof planned === 'string') {
      problems.push(planned);
      continue;
    }
    if (mount.subPath && !(planned.type === 'files' && planned.files.some((file) => file.path === mount.subPath))) {
      problems.push(`volume "${mount.name}" has no file "${mount.subPath}"`);
      continue;
    }
    volumes.push(planned);
    const isReadOnly = mount.readOnly === true || planned.type === 'files' || isReadOnlyClaim(volume);
    mounts.push(
      planned.type === 'volume'
        ? { type: 'volume', source: planned.name, target: mount.mountPath, readOnly: isReadOnly }
        : {
            type: 'bind',
            source: mount.subPath ? join(planned.path, mount.subPath) : planned.path,
            target: mount.mountPath,
            readOnly: isReadOnly,
          },
    );
  }
  return { volumes, mounts, problems };
}

/** `fl-<grid>-<namespace>-<name>` */
export function engineVolumeName(grid: string, namespace: string, name: string): string {
  return `fl-${grid}-${namespace}-${name}`;
}

function isReadOnlyClaim(volume: PodVolume): boolean {
  return volume.persistentVolumeClaim?.readOnly === true;
}

/** A string is a problem. */
function planVolume(
  pod: Pod,
  grid: string,
  directories: PodDirectories,
  references: PodReferences,
  volume: PodVolume,
): PodVolumePlan | string {
  const namespace = pod.metadata.namespace ?? 'default';
  if (volume.hostPath) return { type: 'directory', path: volume.hostPath.path, mode: 0o755, isOurs: false };
  if (volume.persistentVolumeClaim) {
    const { claimName } = volume.persistentVolumeClaim;
    const labels = {
      [hostLabels.grid]: grid,
      [hostLabels.volumeNamespace]: namespace,
      [hostLabels.volumeName]: claimName,
    };
    return { type: 'volume', name: engineVolumeName(grid, namespace, claimName), labels };
  }
  const onDisk = join(directories.disk, 'volumes', volume.name);
  if (volume.emptyDir) {
    if (volume.emptyDir.medium !== 'Memory') return { type: 'directory', path: onDisk, mode: 0o777, isOurs: true };
    const sizeBytes = memoryBytesOf(volume.emptyDir.sizeLimit);
    return { type: 'tmpfs', path: onDisk, ...(sizeBytes > 0 ? { sizeBytes } : {}) };
  }
  const files = planFiles(pod, references, volume);
  if (typeof files === 'string') return files;
  return { type: 'files', path: join(directories.memory, volume.name), files };
}

/** Of the volumes whose files the agent writes. A string is a problem. */
function planFiles(pod: Pod, references: PodReferences, volume: PodVolume): FilePlan[] | string {
  const { configMap, secret, projected, downwardAPI } = volume;
  if (configMap) return filesOf('configmap', configMap.name ?? '', configMap, configMap.defaultMode, references);
  if (secret) return filesOf('secret', secret.secretName ?? '', secret, secret.defaultMode, references);
  if (downwardAPI) return downwardFiles(pod, downwardAPI.items, downwardAPI.defaultMode);
  if (!projected) return `volume "${volume.name}" has a source that is not supported`;
  const files = new Map<string, FilePlan>();
  for (const source of projected.sources ?? []) {
    const planned = projectedFiles(pod, references, source, projected.defaultMode);
    if (typeof planned === 'string') return planned;
    for (const file of planned) files.set(file.path, file);
  }
  return [...files.values()];
}

function projectedFiles(
  pod: Pod,
  references: PodReferences,
  source: VolumeProjection,
  mode: number | undefined,
): FilePlan[] | string {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  if (configMap) return filesOf('configmap', configMap.name ?? '', configMap, mode, references);
  if (secret) return filesOf('secret', secret.name ?? '', secret, mode, references);
  if (downwardAPI) return downwardFiles(pod, downwardAPI.items, mode);
  if (!serviceAccountToken) return 'a source of a projected volume is not supported';
  const token = references.token(wantedToken(serviceAccountToken));
  if (token === undefined) return 'there is no token of the service account yet';
  if (!isInside(serviceAccountToken.path)) return `token cannot be written to "${serviceAccountToken.path}"`;
  return [{ path: serviceAccountToken.path, mode: mode ?? defaultFileMode, data: Buffer.from(token) }];
}

function downwardFiles(
  pod: Pod,
  items: readonly DownwardAPIVolumeFile[] = [],
  mode: number | undefined,
): FilePlan[] | string {
  const files: FilePlan[] = [];
  for (const item of items) {
    const fieldPath = item.fieldRef?.fieldPath ?? '';
    const text = fieldOf(fieldPath, pod, { podAddresses: [], hostAddresses: [] });
    if (text === undefined) return `fieldRef ${fieldPath} is not supported`;
    if (!isInside(item.path)) return `field ${fieldPath} cannot be written to "${item.path}": outside of the volume`;
    files.push({ path: item.path, mode: item.mode ?? mode ?? defaultFileMode, data: Buffer.from(text) });
  }
  return files;
}

function filesOf(
  kind: 'configmap' | 'secret',
  name: string,
  source: { readonly items?: readonly KeyToPath[]; readonly optional?: boolean },
  defaultMode: number | undefined,
  references: PodReferences,
): FilePlan[] | string {
  const entries = kind === 'configmap' ? configEntries(references, name) : secretEntries(references, name);
  if (!entries && !source.optional) return `${kind} "${name}" not found`;
  const files = pickFiles(entries ?? new Map(), source.items, defaultMode ?? defaultFileMode, source.optional);
  return typeof files === 'string' ? `${kind} "${name}" ${files}` : files;
}

function pickFiles(
  entries: ReadonlyMap<string, Buffer>,
  items: readonly KeyToPath[] | undefined,
  defaultMode: number,
  isOptional: boolean | undefined,
): FilePlan[] | string {
  if (!items) return [...entries].map(([path, data]) => ({ path, mode: defaultMode, data }));
  const files: FilePlan[] = [];
  for (const { key, path, mode } of items) {
    const data = entries.get(key);
    if (data && isInside(path)) files.push({ path, mode: mode ?? defaultMode, data });
    else if (!data && !isOptional) return `has no key "${key}"`;
    else if (data) return `cannot be written to "${path}": outside of the volume`;
  }
  return files;
}

function isInside(path: string): boolean {
  return path !== '' && !path.startsWith('/') && !path.split('/').includes('..');
}
