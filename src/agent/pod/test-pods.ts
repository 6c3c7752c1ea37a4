import type { PodStatus } from 'kubernetes-types/core/v1.js';
import type { ContainerRuntime } from '../../adapters/runtime/port.ts';
import { ApiError } from '../../client/api-error.ts';
import type { Client, ObjectRef, Patch } from '../../client/client.ts';
import { systemClock } from '../../lib/clock.ts';
import { exec } from '../../lib/exec.ts';
import { silentLogger } from '../../lib/log.ts';
import { Metrics } from '../../lib/metrics.ts';
import type { Pod } from '../../resources/kinds.ts';
import { createPodFiles } from '../disk/pod-files.ts';
import { AddressPool, type AddressPoolState } from '../network/address-pool.ts';
import { admitPod } from './admission.ts';
import { createImagePuller } from './image-puller.ts';
import type { PodServices } from './pod-services.ts';
import { createPodTokens } from './pod-tokens.ts';
import { type Pods, startPods } from './pods.ts';
import { createReferenceReader } from './references.ts';

/** An API that knows pods, and takes what an agent says about them. */
export interface TestApi {
  readonly client: Client;
  readonly pods: Map<string, Pod>;
  readonly events: string[];
  /** All that agents said, in order. */
  readonly told: PodStatus[];
  /** Resolves when a pod's status, or its absence, is as wanted. */
  until(name: string, isSo: (status: PodStatus | undefined, pod: Pod | undefined) => boolean): Promise<void>;
}

export function createTestApi(): TestApi {
  const pods = new Map<string, Pod>();
  const told: PodStatus[] = [];
  const waiters = new Set<() => void>();
  const changed = () => {
    for (const waiter of [...waiters]) waiter();
  };
  const notFound = (name: string) => new ApiError({ code: 404, reason: 'NotFound', message: `"${name}" not found` });
  const client = {
    grid: 'main',
    get: async (_kind: unknown, ref: ObjectRef) => {
      throw notFound(ref.name);
    },
    patch: async (_kind: unknown, ref: ObjectRef, patch: Patch) => {
      const pod = pods.get(ref.name);
      if (!pod) throw notFound(ref.name);
      const body = patch.body as { status: PodStatus };
      told.push(body.status);
      pods.set(ref.name, { ...pod, status: { ...pod.status, ...body.status } });
      changed();
      return pod;
    },
    delete: async (_kind: unknown, ref: ObjectRef) => {
      pods.delete(ref.name);
      changed();
    },
  } as unknown as Client;
  return {
    client,
    pods,
    told,
    events: [],
    until: (name, isSo) =>
      new Promise((resolve) => {
        const look = () => {
          const pod = pods.get(name);
          if (!isSo(pod?.status, pod)) return;
          waiters.delete(look);
          resolve();
        };
        waiters.add(look);
        look();
      }),
  };
}

export interface TestPodsOptions {
  readonly runtime: ContainerRuntime;
  readonly api: TestApi;
  readonly dataDirectory: string;
  readonly addresses: AddressPoolState;
  readonly podCIDR: string;
  readonly metrics?: Metrics;
  readonly saveState?: () => Promise<void>;
  readonly network?: { wirePorts?(): void };
  readonly mayStop?: PodServices['mayStop'];
  readonly mayStepAside?: PodServices['mayStepAside'];
  /** What the agent goes by until the list of the API counts as seen, which is when `until` resolves. */
  readonly fromDisk?: { readonly pods: readonly Pod[]; readonly until: Promise<void> };
}

/** The pods part of an agent, with everything around it small. The list of the API and of the engine count as seen. */
export async function startTestPods(options: TestPodsOptions): Promise<Pods> {
  const { runtime, api } = options;
  const files = createPodFiles({ dataDirectory: options.dataDirectory, exec, mountMemory: false });
  const pods: Pods = startPods({
    services: {
      grid: 'main',
      nodeName: 'h1',
      networkName: 'flotilla',
      domain: 'cluster.local',
      runtime,
      puller: createImagePuller(runtime),
      files,
      references: createReferenceReader({
        client: () => api.client,
        tokens: createPodTokens({ request: async (pod) => `token of ${pod.metadata.name}`, clock: systemClock }),
      }),
      network: { isReady: true, pool: new AddressPool(options.podCIDR, options.addresses), ...options.network },
      client: api.client,
      events: {
        record: (object, _type, reason) => void api.events.push(`${object.metadata.name} ${reason}`),
        flush: async () => {},
        stop: async () => {},
      },
      clock: systemClock,
      log: silentLogger,
      hostAddresses: () => ['192.0.2.1'],
      saveState: options.saveState ?? (async () => {}),
      ...(options.mayStop ? { mayStop: options.mayStop } : {}),
      ...(options.mayStepAside ? { mayStepAside: options.mayStepAside } : {}),
      admit: (pod) =>
        admitPod(
          pod,
          [...pods.records()].flatMap((one) => (one.pod && one.admission === 'admitted' ? [one.pod] : [])),
          { metadata: { name: 'h1' }, status: { allocatable: { cpu: '4', memory: '4Gi', pods: '110' } } },
        ),
    },
    metrics: options.metrics ?? new Metrics(),
    leftovers: new Set([...(await files.list()), ...Object.keys(options.addresses.byPod)]),
  });
  for (const pod of options.fromDisk?.pods ?? []) pods.upsert(pod);
  const askedAtMs = systemClock.monotonicMs();
  const containers = await runtime.list();
  if (options.fromDisk) {
    pods.resync(containers, askedAtMs);
    await options.fromDisk.until;
  }
  for (const pod of api.pods.values()) pods.upsert(pod);
  pods.markSynced();
  pods.resync(containers, askedAtMs);
  return pods;
}
