// Users that go on changing things while the lab falls apart. Each key has one writer and each change is conditional on
// what was read, so that an old request which was stuck somewhere cannot overwrite a newer one.
import { setTimeout as delay } from 'node:timers/promises';
import type { HttpClient } from '../../src/client/http-client.ts';
import { ApiError, isApiError } from '../../src/resources/api-error.ts';
import { type ConfigMap, configMaps, type Deployment, deployments } from '../../src/resources/kinds.ts';
import { Acknowledged } from './acknowledged.ts';
import type { Random } from './random.ts';

export const namespace = 'default';

export interface WorkloadOptions {
  /** One for each server: which one is asked is chosen anew for each request. */
  readonly clients: readonly HttpClient[];
  readonly random: Random;
  readonly deployments: number;
  readonly maxReplicas: number;
}

export interface Workload {
  readonly history: Acknowledged;
  /** Reads that were older than something acknowledged before they began. */
  readonly staleReads: string[];
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

export function startWorkload(options: WorkloadOptions): Workload {
  const { random } = options;
  const history = new Acknowledged();
  const staleReads: string[] = [];
  const counted = new Map<string, number>();
  const stopping = new AbortController();
  const client = (): HttpClient => random.pick(options.clients);

  /** Gives whether it was acknowledged. */
  async function write(key: string, value: string | undefined, send: () => Promise<unknown>): Promise<boolean> {
    history.sending(key, value);
    try {
      await send();
      history.acknowledged(key, value);
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status.code < 500) history.refused(key, value);
      else history.leftOpen();
      return false;
    }
  }

  async function count(name: string): Promise<void> {
    const key = `configmap/${name}`;
    const found = await client()
      .get(configMaps, { namespace, name })
      .catch((error) => {
        if (isApiError(error, 'NotFound')) return undefined;
        throw error;
      });
    const value = Number(found?.data?.value ?? 0) + 1;
    const object: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { ...found?.metadata, namespace, name },
      data: { value: String(value) },
    };
    const isDone = await write(key, String(value), () =>
      found ? client().update(configMaps, object) : client().create(configMaps, object),
    );
    if (isDone) counted.set(name, value);
  }

  /** A read without a resourceVersion is as new as anything acknowledged before it began, whichever server is asked. */
  async function read(name: string): Promise<void> {
    const before = counted.get(name) ?? 0;
    const found = await client().get(configMaps, { namespace, name });
    const seen = Number(found.data?.value ?? 0);
    if (seen < before) staleReads.push(`${name} read as ${seen} after ${before} was acknowledged`);
  }

  let made = 0;
  async function makeAndRemove(): Promise<void> {
    const name = `made-${++made}`;
    const key = `configmap/${name}`;
    const object: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace, name },
      data: { value: '1' },
    };
    if (!(await write(key, '1', () => client().create(configMaps, object)))) return;
    if (made % 2 === 0) await write(key, undefined, () => client().delete(configMaps, { namespace, name }));
  }

  async function change(name: string): Promise<void> {
    const key = `deployment/${name}`;
    const found = await client()
      .get(deployments, { namespace, name })
      .catch((error) => {
        if (isApiError(error, 'NotFound')) return undefined;
        throw error;
      });
    const replicas = random.between(0, options.maxReplicas);
    if (!found) {
      const object = sleeper(name, replicas);
      await write(key, String(replicas), () => client().create(deployments, object));
      return;
    }
    const wanted = structuredClone(found);
    wanted.spec.replicas = replicas;
    if (random.next() < 0.3) {
      const container = wanted.spec.template.spec?.containers[0];
      if (container) container.env = [{ name: 'ROUND', value: String(random.between(1, 1000)) }];
    }
    await write(key, String(replicas), () => client().update(deployments, wanted));
  }

  const repeat = async (everyMs: number, act: () => Promise<void>): Promise<void> => {
    while (!stopping.signal.aborted) {
      await act().catch(() => {}); // a read that failed: its write was not tried
      await delay(everyMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const running = [
    ...['count-1', 'count-2', 'count-3'].flatMap((name) => [
      repeat(50, () => count(name)),
      repeat(70, () => read(name)),
    ]),
    repeat(300, makeAndRemove),
    ...Array.from({ length: options.deployments }, (_, index) => repeat(3000, () => change(`sleeper-${index + 1}`))),
  ];
  return {
    history,
    staleReads,
    stop: async () => {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

function sleeper(name: string, replicas: number): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace, name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            { name: 'main', image: 'busybox', command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1; done'] },
          ],
        },
      },
    },
  };
}

/** What is there at the end, in the form that the history has. */
export async function readBack(client: HttpClient, key: string): Promise<string | undefined> {
  const [kind = '', name = ''] = key.split('/');
  try {
    if (kind === 'deployment') return String((await client.get(deployments, { namespace, name })).spec.replicas);
    return (await client.get(configMaps, { namespace, name })).data?.value;
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
}
