import { isApiError } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { type Informer, startInformer } from '../../client/informer.ts';
import { hasCode } from '../../lib/errors.ts';
import { type Logger, silentLogger } from '../../lib/log.ts';
import type { Kind } from '../../resources/kind.ts';
import { type ConfigMap, configMaps, type Pod, type Secret, secrets } from '../../resources/kinds.ts';
import { podContainers } from '../../resources/pod-containers.ts';
import type { PodReferences } from './environment.ts';
import { type PodToken, type PodTokens, type WantedToken, wantedTokensOf } from './pod-tokens.ts';

/** The ConfigMaps, Secrets and tokens that pods of this node use. What was read last stays usable while no server answers. */
export interface ReferenceReader {
  /** Reads all that a pod refers to. Throws Unavailable when one was never read and no server answers. */
  read(pod: Pod): Promise<ReadReferences>;
  /** Follows what these pods mount as files; `onChange` hears of each change, with the object's key. */
  follow(pods: Iterable<Pod>): void;
  /** For the copy on disk. */
  known(): readonly (ConfigMap | Secret)[];
  remember(objects: readonly (ConfigMap | Secret)[]): void;
  /** Lets go of what none of these pods uses. */
  keepOnly(pods: Iterable<Pod>): void;
  stop(): Promise<void>;
}

export interface ReadReferences extends PodReferences {
  /** When the first token among them is to be renewed, monotonic. */
  readonly renewAtMs: number | undefined;
}

export interface ReferenceReaderOptions {
  readonly client: () => Client;
  readonly tokens: PodTokens;
  /** `ConfigMap/shop/conf` */
  readonly onChange?: (key: string) => void;
  readonly log?: Logger;
}

type Followed = Pick<Informer<ConfigMap>, 'isSynced' | 'isConnected' | 'stop'>;

const readTimeoutMs = 5_000;

export function createReferenceReader(options: ReferenceReaderOptions): ReferenceReader {
  const { client, tokens, onChange = () => {}, log = silentLogger } = options;
  const known = new Map<string, ConfigMap | Secret>();
  const followed = new Map<string, Followed>();

  const read = async <T extends ConfigMap | Secret>(kind: Kind<T>, namespace: string, name: string): Promise<void> => {
    const key = keyOf(kind, namespace, name);
    const watch = followed.get(key);
    if (watch?.isSynced && watch.isConnected) return; // what is known is what is
    try {
      known.set(key, await client().get(kind, { namespace, name }, { signal: AbortSignal.timeout(readTimeoutMs) }));
    } catch (error) {
      if (isApiError(error, 'NotFound')) known.delete(key);
      else if (!known.has(key) || !(hasCode(error, 'Unavailable') || isTimeout(error))) throw error;
    }
  };

  const follow = <T extends ConfigMap | Secret>(kind: Kind<T>, key: string): Followed => {
    const [, namespace = '', name = ''] = key.split('/');
    return startInformer({
      ...{ client: client(), kind, namespace, fieldSelector: `metadata.name=${name}`, log },
      onChange: (_name, object) => {
        const before = known.get(key);
        if (object) known.set(key, object);
        else known.delete(key);
        if (before?.metadata.resourceVersion !== object?.metadata.resourceVersion) onChange(key);
      },
    });
  };

  return {
    async read(pod) {
      const namespace = pod.metadata.namespace ?? 'default';
      const names = referencesOf(pod);
      const wanted = wantedTokensOf(pod);
      const [got] = await Promise.all([
        Promise.all(wanted.map((one) => tokens.get(pod, one))),
        ...[...names.configMaps].map((name) => read(configMaps, namespace, name)),
        ...[...names.secrets].map((name) => read(secrets, namespace, name)),
      ]);
      return {
        configMap: (name) => known.get(keyOf(configMaps, namespace, name)) as ConfigMap | undefined,
        secret: (name) => known.get(keyOf(secrets, namespace, name)) as Secret | undefined,
        token: (one) => tokenFor(one, wanted, got),
        renewAtMs: got.length === 0 ? undefined : Math.min(...got.map(({ renewAtMs }) => renewAtMs)),
      };
    },
    follow(pods) {
      const wanted = new Set<string>();
      for (const pod of pods) for (const key of mountedKeysOf(pod)) wanted.add(key);
      for (const key of wanted) {
        if (followed.has(key)) continue;
        followed.set(key, key.startsWith('Secret/') ? follow(secrets, key) : follow(configMaps, key));
      }
      for (const [key, informer] of followed) {
        if (wanted.has(key)) continue;
        followed.delete(key);
        void informer.stop();
      }
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
    async stop() {
      await Promise.all([...followed.values()].map((informer) => informer.stop()));
      followed.clear();
    },
  };
}

interface Names {
  readonly configMaps: Set<string>;
  readonly secrets: Set<string>;
}

/** Names of the ConfigMaps and Secrets in a pod's variables and volumes. */
export function referencesOf(pod: Pod): Names {
  const found = mountedNamesOf(pod);
  for (const { container } of podContainers(pod)) {
    for (const { configMapRef, secretRef } of container.envFrom ?? []) {
      add(found.configMaps, configMapRef?.name);
      add(found.secrets, secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add(found.configMaps, valueFrom?.configMapKeyRef?.name);
      add(found.secrets, valueFrom?.secretKeyRef?.name);
    }
  }
  return found;
}

/** Keys of those that a pod mounts as files. */
export function mountedKeysOf(pod: Pod): string[] {
  const namespace = pod.metadata.namespace ?? 'default';
  const names = mountedNamesOf(pod);
  return [
    ...[...names.configMaps].map((name) => keyOf(configMaps, namespace, name)),
    ...[...names.secrets].map((name) => keyOf(secrets, namespace, name)),
  ];
}

function mountedNamesOf(pod: Pod): Names {
  const found: Names = { configMaps: new Set(), secrets: new Set() };
  for (const { configMap, secret, projected } of pod.spec.volumes ?? []) {
    add(found.configMaps, configMap?.name);
    add(found.secrets, secret?.secretName);
    for (const source of projected?.sources ?? []) {
      add(found.configMaps, source.configMap?.name);
      add(found.secrets, source.secret?.name);
    }
  }
  return found;
}

function add(set: Set<string>, name: string | undefined): void {
  if (name) set.add(name);
}

function tokenFor(one: WantedToken, wanted: readonly WantedToken[], got: readonly PodToken[]): string | undefined {
  const index = wanted.findIndex(
    ({ audience, expirationSeconds }) => audience === one.audience && expirationSeconds === one.expirationSeconds,
  );
  return got[index]?.token;
}

function keyOf(kind: Kind<ConfigMap> | Kind<Secret>, namespace: string, name: string): string {
  return `${kind.kind}/${namespace}/${name}`;
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}
