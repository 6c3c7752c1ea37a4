// Users that go on changing things while the lab falls apart. Each key has one writer and each change is conditional on
// what was read, so that an old request which was stuck somewhere cannot overwrite a newer one.
import { setTimeout as delay } from 'node:timers/promises';
import type { HttpClient } from '../../src/client/http-client.ts';
import { ApiError, isApiError } from '../../src/resources/api-error.ts';
import {
  type ConfigMap,
  configMaps,
  deployments,
  type Pod,
  pods,
  services,
  stacks,
} from '../../src/resources/kinds.ts';
import { labels } from '../../src/resources/names.ts';
import { Acknowledged } from './acknowledged.ts';
import type { Random } from './random.ts';
import { keeper, namespace, serviceFor, shop, sleeper } from './workload-objects.ts';

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
  /** Uids of pods whose deletion was acknowledged. */
  readonly deletedPods: ReadonlyMap<string, string>;
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

export function startWorkload(options: WorkloadOptions): Workload {
  const { random } = options;
  const history = new Acknowledged();
  const staleReads: string[] = [];
  const deletedPods = new Map<string, string>();
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
    const found = await orUndefined(client().get(configMaps, { namespace, name }));
    const value = Number(found?.data?.value ?? 0) + 1;
    const object: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { ...found?.metadata, namespace, name },
      data: { value: String(value) },
    };
    const isDone = await write(`configmap/${name}`, String(value), () =>
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

  /** A Deployment that is taken away again, as `kubectl delete` does it; its pods go with it. */
  async function makeAndRemoveDeployment(): Promise<void> {
    const name = `brief-${++made}`;
    const key = `deployment/${name}`;
    if (!(await write(key, '1', () => client().create(deployments, sleeper(name, 1))))) return;
    await delay(random.between(0, 4000));
    const propagationPolicy = random.pick(['Background', 'Foreground'] as const);
    const remove = () => orUndefined(client().delete(deployments, { namespace, name }, { propagationPolicy }));
    for (let attempt = 1; attempt <= 3; attempt++) if (await write(key, undefined, remove)) return;
  }

  async function change(name: string): Promise<void> {
    const key = `deployment/${name}`;
    const replicas = random.between(0, options.maxReplicas);
    const found = await orUndefined(client().get(deployments, { namespace, name }));
    if (!found) {
      await write(`service/${name}`, name, () => client().create(services, serviceFor(name)));
      await write(key, String(replicas), () => client().create(deployments, sleeper(name, replicas)));
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

  async function changeStack(name: string): Promise<void> {
    const fronts = random.between(0, options.maxReplicas);
    const found = await orUndefined(client().get(stacks, { namespace, name }));
    const wanted = found ? { ...found, spec: shop(name, fronts).spec } : shop(name, fronts);
    await write(`stack/${name}`, String(fronts), () =>
      found ? client().update(stacks, wanted) : client().create(stacks, wanted),
    );
  }

  async function deletePod(): Promise<void> {
    const found = (await client().list(pods, { namespace })).items.filter(mayBeDeleted);
    if (found.length === 0) return;
    const { uid = '', name } = random.pick(found).metadata;
    const isForced = random.next() < 0.3;
    await client().delete(pods, { namespace, name }, { uid, ...(isForced ? { gracePeriodSeconds: 0 } : {}) });
    deletedPods.set(uid, name);
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
    repeat(4000, makeAndRemoveDeployment),
    repeat(2500, deletePod),
    repeat(5000, () => changeStack('shop')),
    ...Array.from({ length: options.deployments }, (_, index) => repeat(3000, () => change(`sleeper-${index + 1}`))),
  ];
  return {
    history,
    staleReads,
    deletedPods,
    stop: async () => {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

/** The one with a volume has no other node to go to while its own is not used. */
function mayBeDeleted({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp === undefined && metadata.labels?.[labels.service] !== keeper.service;
}

async function orUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** What is there at the end, in the form that the history has. */
export async function readBack(client: HttpClient, key: string): Promise<string | undefined> {
  const [kind = '', name = ''] = key.split('/');
  const ref = { namespace, name };
  switch (kind) {
    case 'deployment': {
      const found = await orUndefined(client.get(deployments, ref));
      return found && String(found.spec.replicas);
    }
    case 'stack': {
      const found = await orUndefined(client.get(stacks, ref));
      return found && String(found.spec.services.front?.instances);
    }
    case 'service':
      return (await orUndefined(client.get(services, ref)))?.metadata.name;
    default:
      return (await orUndefined(client.get(configMaps, ref)))?.data?.value;
  }
}
