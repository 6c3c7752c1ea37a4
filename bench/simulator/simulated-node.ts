import { isApiError } from '../../src/client/api-error.ts';
import { createHttpClient } from '../../src/client/http-client.ts';
import { type Informer, startInformer } from '../../src/client/informer.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { type Node, nodes, type Pod, pods } from '../../src/resources/kinds.ts';
import { connectLiveness } from '../../src/tunnel/liveness.ts';
import type { ServerConnections } from '../../src/tunnel/server-connections.ts';

export interface SimulatedNodeOptions {
  readonly servers: readonly string[];
  readonly caCertificate: string;
  readonly tlsName: string;
  readonly userAgent: string;
  readonly grid: string;
  readonly name: string;
  /** PEM, of this node. */
  readonly certificate: string;
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
  readonly liveness: boolean;
  readonly startDelayMs: number;
  /** What becomes of a pod; undefined: it runs and is ready. */
  readonly outcomeOf?: (pod: Pod) => Pod['status'] | undefined;
}

export interface SimulatedNode {
  readonly name: string;
  /** Pods reported Running since the start. */
  readonly podsStarted: number;
  /** Pods it has been told of and that have not gone. */
  pods(): Iterable<Pod>;
  /** Falls silent: no ping, no write, its watch goes on unread. `plug` ends it. */
  cut(): Promise<void>;
  plug(): void;
  stop(): Promise<void>;
}

const heartbeatMs = 60_000;

/** What a server sees of one agent: its Node, its pings, its watch, and the status of its pods. */
export async function startSimulatedNode(options: SimulatedNodeOptions): Promise<SimulatedNode> {
  const { name, certificate, key, caCertificate, servers } = options;
  const client = createHttpClient({ ...options, clientCertificate: { certificate, key } });
  let podsStarted = 0;
  let isCut = false;
  let address = 2;
  /** Uid of each pod that was reported, so that its own status is not answered with another. */
  const reported = new Map<string, string>();
  const timers = new Set<NodeJS.Timeout>();

  const status = (): Node['status'] => {
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    return {
      allocatable: { ...options.allocatable },
      capacity: { ...options.allocatable },
      conditions: [
        { type: 'Ready', status: 'True', reason: 'AgentReady', lastHeartbeatTime: now, lastTransitionTime: now },
      ],
      nodeInfo: { kubeletVersion: 'simulated' } as NonNullable<NonNullable<Node['status']>['nodeInfo']>,
    };
  };
  const reportNode = () =>
    client.patch(nodes, { name }, { type: 'strategic', subresource: 'status', body: { status: status() } });

  async function ensureNode(): Promise<void> {
    const metadata = { name, labels: { ...options.labels } };
    try {
      await client.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata, spec: {}, status: status() } as Node);
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
      await reportNode();
    }
  }

  async function act(pod: Pod): Promise<void> {
    if (isCut) return;
    const { namespace, name: podName, uid = '', deletionTimestamp } = pod.metadata;
    const ref = { namespace, name: podName };
    try {
      if (deletionTimestamp) {
        await client.delete(pods, ref, { gracePeriodSeconds: 0, uid });
      } else if (reported.get(`${namespace}/${podName}`) !== uid && pod.status?.phase !== 'Running') {
        reported.set(`${namespace}/${podName}`, uid);
        await client.patch(pods, ref, {
          type: 'strategic',
          subresource: 'status',
          body: { status: options.outcomeOf?.(pod) ?? running(pod) },
        });
        podsStarted += 1;
      }
    } catch (error) {
      // Somebody was faster; the watch says so.
      if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) reported.delete(`${namespace}/${podName}`);
    }
  }

  function running(pod: Pod): NonNullable<Pod['status']> {
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    const podIP = `10.80.0.${address}`;
    address = address === 250 ? 2 : address + 1;
    return {
      phase: 'Running',
      podIP,
      podIPs: [{ ip: podIP }],
      startTime: now,
      conditions: [
        { type: 'Ready', status: 'True', lastTransitionTime: now },
        { type: 'ContainersReady', status: 'True', lastTransitionTime: now },
      ],
      containerStatuses: pod.spec.containers.map((container) => ({
        name: container.name,
        image: container.image ?? '',
        imageID: 'sha256:simulated',
        containerID: `simulated://${pod.metadata.uid ?? ''}`,
        ready: true,
        started: true,
        restartCount: 0,
        state: { running: { startedAt: now } },
      })),
    };
  }

  const onChange = (podKey: string, pod: Pod | undefined): void => {
    if (!pod) {
      reported.delete(podKey);
      return;
    }
    if (options.startDelayMs === 0) return void act(pod);
    const timer = setTimeout(() => {
      timers.delete(timer);
      void act(pod);
    }, options.startDelayMs);
    timers.add(timer);
  };

  const ping = (): ServerConnections | undefined =>
    options.liveness
      ? connectLiveness({
          servers,
          credentials: () => ({ caCertificate, certificate, key }),
          agentVersion: 'simulated',
          log: silentLogger,
        })
      : undefined;

  await ensureNode();
  const informer: Informer<Pod> = startInformer({
    client,
    kind: pods,
    fieldSelector: `spec.nodeName=${name}`,
    onChange,
  });
  await informer.synced;
  let liveness = ping();
  const heartbeat = setInterval(() => {
    if (!isCut) reportNode().catch(() => {}); // the next one tells it
  }, heartbeatMs);
  return {
    name,
    get podsStarted() {
      return podsStarted;
    },
    pods: () => informer.list(),
    cut: async () => {
      isCut = true;
      await liveness?.stop();
      liveness = undefined;
    },
    plug: () => {
      if (!isCut) return;
      isCut = false;
      liveness = ping();
      for (const pod of informer.list()) void act(pod);
    },
    stop: async () => {
      clearInterval(heartbeat);
      for (const timer of timers) clearTimeout(timer);
      await liveness?.stop();
      await informer.stop();
      client.close();
    },
  };
}
