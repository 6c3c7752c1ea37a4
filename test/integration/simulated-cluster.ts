import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { OpenAcme } from '../../src/adapters/acme/port.ts';
import type { Client } from '../../src/client/client.ts';
import { type Informer, startInformer } from '../../src/client/informer.ts';
import { startControllers } from '../../src/controllers/start.ts';
import { type Logger, silentLogger } from '../../src/lib/log.ts';
import { Metrics } from '../../src/lib/metrics.ts';
import type { Applied } from '../../src/resources/applied.ts';
import { allKinds, namespaces, nodes, type Pod, pods, type Volume, volumes } from '../../src/resources/kinds.ts';
import { podConditions } from '../../src/resources/names.ts';
import { podCondition } from '../../src/resources/pod-facts.ts';
import { startWatchCache } from '../../src/server/cache/watch-cache.ts';
import { createInProcessClient } from '../../src/server/in-process-client.ts';
import { createKubeHandler } from '../../src/server/kube/handler.ts';
import { createCipher } from '../../src/server/registry/cipher.ts';
import { createObjectCodec } from '../../src/server/registry/object-codec.ts';
import { createRegistry } from '../../src/server/registry/registry.ts';
import { readResourceVersions } from '../../src/server/registry/resource-version.ts';
import type { KubeHandler } from '../../src/server/request.ts';
import { allowAll } from '../../src/server/test-api.ts';
import { createMemoryStore } from '../../src/store/memory.ts';

export interface SimulatedCluster {
  readonly client: Client;
  readonly metrics: Metrics;
  /** Kubernetes' API of it, everybody allowed; without exec and logs. */
  readonly kube: KubeHandler;
  /** Another server becomes leader: the old one's controllers end, new ones begin with nothing in memory. */
  changeLeader(): Promise<void>;
  /** One more server that thinks it leads, beside the one that does. */
  addLeader(): void;
  addNode(name: string, memory?: string): Promise<void>;
  /** The node's agent falls silent and does nothing any more. */
  cut(name: string): void;
  /** The node's agent tells how far it has applied what it was sent; from then on its pods stop only when they are withdrawn. */
  tellApplied(name: string, applied: Applied): void;
  plug(name: string): Promise<void>;
  stop(): Promise<void>;
}

export interface ClusterOptions {
  readonly failoverAfterMs?: number;
  /** What an agent makes of a pod it starts; default: it runs and is ready. */
  readonly outcomeOf?: (pod: Pod) => NonNullable<Pod['status']>;
  readonly log?: Logger;
  /** Default: no ACME server is ever asked. */
  readonly openAcme?: OpenAcme;
}

/**
 * The real server parts (memory store, watch cache, registry, in-process client), all controllers, and agents that
 * only write what a real one would: no container runs.
 */
export async function startSimulatedCluster(options: ClusterOptions = {}): Promise<SimulatedCluster> {
  const store = createMemoryStore();
  const codec = createObjectCodec(createCipher(randomBytes(32)), await readResourceVersions(store));
  const cache = await startWatchCache({ store, kinds: allKinds, codec });
  const registry = createRegistry({ store, cache, codec });
  const client = createInProcessClient({ registry, cache, grid: 'main' });
  const metrics = new Metrics();
  const heard = new Map<string, number>();
  const applied = new Map<string, Applied>();
  const appliedListeners = new Set<(grid: string, node: string) => void>();
  const cutNodes = new Set<string>();
  const listeners = new Set<(grid: string, node: string) => void>();
  let address = 2;

  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
  const { openAcme } = options;
  const lead = () =>
    startControllers({
      clientFor: () => client,
      grids: ['main'],
      liveness: {
        lastHeardMs: (_grid, node) => heard.get(node),
        isLocal: () => false,
        appliedOf: (_grid, node) => applied.get(node),
        onApplied: (listener) => {
          appliedListeners.add(listener);
          return () => appliedListeners.delete(listener);
        },
        ingressProblemsOf: () => [],
        onIngressProblems: () => () => {},
        onChange: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      },
      askPeers: async (_grid, node, addresses) => {
        if (cutNodes.has(node)) throw new Error(`${node} does not answer`);
        return new Map(addresses.map((address) => [address, false])); // only silent ones are asked about
      },
      cluster: {
        caCertificate: 'PEM',
        servers: () => [],
        issueSecretToken: async () => 'token',
      },
      ...(openAcme ? { loadAcme: async () => openAcme } : {}),
      settings: { failoverAfterMs: options.failoverAfterMs ?? 10_000 },
      log: options.log ?? silentLogger,
      metrics,
    });
  let controllers = lead();
  const others: { stop(): Promise<void> }[] = [];
  const pings = setInterval(() => {
    for (const node of heard.keys()) if (!cutNodes.has(node)) heard.set(node, performance.now());
  }, 20);
  /** What agents do now: it ends before the store does. */
  const acts = new Set<Promise<void>>();
  const agent: Informer<Pod> = startInformer({
    client,
    kind: pods,
    onChange: (_key, pod) => {
      const acting = act(pod).finally(() => acts.delete(acting));
      acts.add(acting);
    },
  });

  const volumeKeeper: Informer<Volume> = startInformer({
    client,
    kind: volumes,
    onChange: (_key, one) => void release(one),
  });

  /** A real agent removes the files first. */
  async function release(volume: Volume | undefined): Promise<void> {
    const { nodeName } = volume?.spec ?? {};
    if (!volume?.metadata.deletionTimestamp || !nodeName || cutNodes.has(nodeName)) return;
    const { namespace, name } = volume.metadata;
    await client
      .patch(volumes, { namespace, name }, { type: 'merge', body: { metadata: { finalizers: [] } } })
      .catch(() => {});
  }

  async function act(pod: Pod | undefined): Promise<void> {
    const nodeName = pod?.spec.nodeName;
    if (!pod || !nodeName || cutNodes.has(nodeName)) return;
    const ref = { namespace: pod.metadata.namespace, name: pod.metadata.name };
    try {
      const isWithdrawn = podCondition(pod, podConditions.withdrawn)?.status === 'True';
      if (pod.metadata.deletionTimestamp && applied.has(nodeName) && !isWithdrawn) return;
      if (pod.metadata.deletionTimestamp)
        await client.delete(pods, ref, { gracePeriodSeconds: 0, uid: pod.metadata.uid ?? '' });
      else if ((pod.status?.phase ?? 'Pending') === 'Pending') {
        const status = options.outcomeOf?.(pod) ?? readyStatus(`10.80.0.${address++}`);
        await client.patch(pods, ref, { type: 'strategic', subresource: 'status', body: { status } });
      }
    } catch (error) {
      if (!(error instanceof Error && /not found|Precondition/i.test(error.message))) throw error;
    }
  }

  async function reportReady(name: string): Promise<void> {
    const conditions = [{ type: 'Ready', status: 'True', reason: 'AgentReady' }];
    await client.patch(nodes, { name }, { type: 'strategic', subresource: 'status', body: { status: { conditions } } });
  }

  const kube = createKubeHandler({
    registry,
    cache,
    metrics,
    authorizer: allowAll,
    audit: { write: () => {} },
    podStreams: { logs: noStreams, upgrade: noStreams },
    version: '0.1.0',
  });

  return {
    client,
    metrics,
    kube,
    changeLeader: async () => {
      await controllers.stop();
      controllers = lead();
    },
    addLeader: () => void others.push(lead()),
    addNode: async (name, memory = '4Gi') => {
      heard.set(name, performance.now());
      const metadata = { name, labels: { 'kubernetes.io/hostname': name } };
      await client.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata, spec: {} });
      const status = {
        allocatable: { cpu: '4', memory, pods: '100' },
        conditions: [{ type: 'Ready', status: 'True' }],
      };
      await client.patch(nodes, { name }, { type: 'strategic', subresource: 'status', body: { status } });
    },
    cut: (name) => void cutNodes.add(name),
    tellApplied: (name, news) => {
      applied.set(name, news);
      for (const listener of appliedListeners) listener('main', name);
    },
    plug: async (name) => {
      cutNodes.delete(name);
      heard.set(name, performance.now());
      for (const listener of listeners) listener('main', name);
      await reportReady(name);
      for (const pod of agent.list()) if (pod.spec.nodeName === name) await act(pod);
    },
    stop: async () => {
      clearInterval(pings);
      await Promise.all([controllers, ...others].map((one) => one.stop()));
      await agent.stop();
      await Promise.all(acts);
      await volumeKeeper.stop();
      await cache.stop();
      await store.close();
    },
  };
}

async function noStreams(): Promise<never> {
  throw new Error('no container runs here');
}

export function readyStatus(podIP: string): NonNullable<Pod['status']> {
  return {
    phase: 'Running',
    podIP,
    podIPs: [{ ip: podIP }],
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: `${new Date().toISOString().slice(0, 19)}Z` }],
  };
}

/** Checks so many times, 10 ms apart: what must not come has had the time to. */
export async function holds(check: () => Promise<void>, times: number): Promise<void> {
  for (let at = 0; at < times; at++) {
    await check();
    await delay(10);
  }
}

/** Asks until it no longer throws; throws its last complaint after the deadline. */
export async function eventually<T>(check: () => Promise<T>, timeoutMs = 5_000): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await delay(10);
    }
  }
}
