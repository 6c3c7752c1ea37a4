import { isApiError } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { hasCode } from '../../lib/errors.ts';
import type { Kind } from '../../resources/kind.ts';
import { type ConfigMap, configMaps, type Pod, type Secret, secrets } from '../../resources/kinds.ts';
import type { PodReferences } from './environment.ts';

/** The ConfigMaps and Secrets that pods of this node use. What was read last stays usable while no server answers. */
export interface ReferenceReader {
  /** Reads all that a pod refers to. Throws Unavailable when one was never read and no server answers. */
  read(pod: Pod): Promise<PodReferences>;
  /** For the copy on disk. */
  known(): readonly (ConfigMap | Secret)[];
  remember(objects: readonly (ConfigMap | Secret)[]): void;
  /** Lets go of what none of these pods uses. */
  keepOnly(pods: Iterable<Pod>): void;
}

const readTimeoutMs = 5_000;

export function createReferenceReader(client: () => Client): ReferenceReader {
  const known = new Map<string, ConfigMap | Secret>();

  const read = async <T extends ConfigMap | Secret>(kind: Kind<T>, namespace: string, name: string): Promise<void> => {
    const key = keyOf(kind, namespace, name);
    try {
      known.set(key, await client().get(kind, { namespace, name }, { signal: AbortSignal.timeout(readTimeoutMs) }));
    } catch (error) {
      if (isApiError(error, 'NotFound')) known.delete(key);
      else if (!known.has(key) || !(hasCode(error, 'Unavailable') || isTimeout(error))) throw error;
    }
  };

  return {
    async read(pod) {
      const namespace = pod.metadata.namespace ?? 'default';
      const names = referencesOf(pod);
      await Promise.all([
        ...[...names.configMaps].map((name) => read(configMaps, namespace, name)),
        ...[...names.secrets].map((name) => read(secrets, namespace, name)),
      ]);
      return {
        configMap: (name) => known.get(keyOf(configMaps, namespace, name)) as ConfigMap | undefined,
        secret: (name) => known.get(keyOf(secrets, namespace, name)) as Secret | undefined,
      };
    },
    known: () => [...known.values()],
    remember(objects) {
      for (const object of objects) {
        const kind = object.kind === 'Secret' ? secrets : configMaps;
        known.set(keyOf(kind, object.metadata.namespace ?? 'default', object.metadata.name), object);
      }
    },
    keepOnly(pods) {
      const wanted = new Set<string>();
      for (const pod of pods) {
        const namespace = pod.metadata.namespace ?? 'default';
        const names = referencesOf(pod);
        for (const name of names.configMaps) wanted.add(keyOf(configMaps, namespace, name));
        for (const name of names.secrets) wanted.add(keyOf(secrets, namespace, name));
      }
      for (const key of known.keys()) if (!wanted.has(key)) known.delete(key);
    },
  };
}

/** Names of the ConfigMaps and Secrets in a pod's variables and volumes. */
export function referencesOf(pod: Pod): { readonly configMaps: Set<string>; readonly secrets: Set<string> } {
  const found = { configMaps: new Set<string>(), secrets: new Set<string>() };
  const add = (set: Set<string>, name: string | undefined) => {
    if (name) set.add(name);
  };
  for (const container of pod.spec.containers) {
    for (const { configMapRef, secretRef } of container.envFrom ?? []) {
      add(found.configMaps, configMapRef?.name);
      add(found.secrets, secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add(found.configMaps, valueFrom?.configMapKeyRef?.name);
      add(found.secrets, valueFrom?.secretKeyRef?.name);
    }
  }
  for (const { configMap, secret } of pod.spec.volumes ?? []) {
    add(found.configMaps, configMap?.name);
    add(found.secrets, secret?.secretName);
  }
  return found;
}

function keyOf(kind: Kind<ConfigMap> | Kind<Secret>, namespace: string, name: string): string {
  return `${kind.kind}/${namespace}/${name}`;
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}
