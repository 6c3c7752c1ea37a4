import { join } from 'node:path';
import type { PodDialer } from '../adapters/dialer/port.ts';
import type { DnsServer, DnsZone } from '../adapters/dns/port.ts';
import type { Overlay } from '../adapters/overlay/port.ts';
import type { ContainerRuntime } from '../adapters/runtime/port.ts';
import { createEventRecorder } from '../client/events.ts';
import { createHttpClient } from '../client/http-client.ts';
import type { Informer } from '../client/informer.ts';
import type { Clock } from '../lib/clock.ts';
import { startEventLoopLag } from '../lib/event-loop-lag.ts';
import type { Exec } from '../lib/exec.ts';
import { Metrics } from '../lib/metrics.ts';
import type { EndpointSlice, Service } from '../resources/kinds.ts';
import type { ApiObject } from '../resources/object.ts';
import { createAgentApi } from '../tunnel/agent-server.ts';
import { connectLiveness } from '../tunnel/liveness.ts';
import { serverTlsName } from '../tunnel/server-identity.ts';
import { connectTunnel } from '../tunnel/tunnel.ts';
import type { AgentSettings, RunningAgent } from './agent-options.ts';
import { createPodApi } from './api/agent-api.ts';
import { startMetricsPort } from './api/metrics-port.ts';
import { startAssignmentKeeper } from './assignment-keeper.ts';
import { type Assignments, readAssignments } from './disk/assignments.ts';
import { createPodFiles } from './disk/pod-files.ts';
import { watchEngine } from './engine-watch.ts';
import type { AgentIdentity } from './identity.ts';
import { createPodNetwork } from './network/pod-network.ts';
import { startNodeReporter } from './node/node-reporter.ts';
import { startVolumeKeeper } from './node/volume-keeper.ts';
import { admitPod } from './pod/admission.ts';
import type { FailPoints } from './pod/fail-point.ts';
import { createImagePuller } from './pod/image-puller.ts';
import { createPodTokens } from './pod/pod-tokens.ts';
import { type Pods, startPods } from './pod/pods.ts';
import { createReferenceReader } from './pod/references.ts';
import { requestTokens } from './pod/request-token.ts';
import { startWatches } from './watches.ts';

export interface AgentParts {
  readonly options: AgentSettings;
  readonly identity: AgentIdentity;
  /** Of this host, the first one is told to everybody. */
  readonly addresses: readonly string[];
  readonly trustedInterfaces: readonly string[];
  readonly domain: string;
  readonly runtime: ContainerRuntime;
  readonly dialer: PodDialer;
  readonly overlay: Overlay;
  readonly startDns: (address: string) => Promise<DnsServer>;
  readonly buildZone: (services: Iterable<Service>, slices: Iterable<EndpointSlice>) => DnsZone;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly failPoints?: FailPoints;
}

const defaultPodRange = '10.80.0.0/12';

/** Puts the parts of a joined agent together. */
export async function startAgentParts(parts: AgentParts): Promise<RunningAgent> {
  const { options, identity, runtime, clock, addresses } = parts;
  const { dataDirectory, log, version } = options;
  const { state } = identity.file;
  const { grid, nodeName } = state;
  const metrics = new Metrics();
  const lag = startEventLoopLag(metrics);
  const client = createHttpClient({
    servers: () => state.servers,
    caCertificate: identity.credentials().caCertificate,
    clientCertificate: () => identity.credentials(),
    tlsName: serverTlsName, // also behind NAT, where the address dialled is in no certificate
    grid,
    userAgent: `flotilla/${version} (agent ${nodeName})`,
  });
  const events = createEventRecorder({ client, component: 'agent', host: nodeName, log });
  const files = createPodFiles({ dataDirectory, exec: parts.exec });
  const nodeKeyPem = identity.credentials().key;
  const remembered = await readAssignments(dataDirectory, nodeKeyPem).catch((error) => {
    log.error('assignments on disk cannot be used; waiting for a server', { error });
    return undefined;
  });

  const reporter = startNodeReporter({ client, nodeName, addresses, dataDirectory, agent: options, log, clock });
  const networkName = options.networkName ?? 'flotilla';
  const network = createPodNetwork({
    runtime,
    overlay: parts.overlay,
    startDns: parts.startDns,
    buildZone: parts.buildZone,
    grid,
    nodeName,
    podRange: options.podRange ?? defaultPodRange,
    networkName,
    bridgeName: options.bridgeName ?? 'fl0',
    trustedInterfaces: parts.trustedInterfaces,
    addresses: state.addresses,
    onChange: () => {
      reporter.update({ networkProblem: network.problem });
      pods.wakeAll();
    },
    log,
    clock,
  });
  for (const name of ['queries', 'forwarded', 'failures'] as const) {
    metrics.gauge(
      `flotilla_dns_${name}`,
      `DNS ${name} since the agent started.`,
      () => network.dnsStats()?.[name] ?? 0,
    );
  }
  const tokens = createPodTokens({ request: requestTokens(client), clock });
  const references = createReferenceReader({
    ...{ client: () => client, tokens, log },
    onChange: (key) => pods.referenceChanged(key),
  });
  const puller = createImagePuller(runtime);
  const nodeLabels = () => watches.nodes.get(nodeName)?.metadata ?? { name: nodeName, labels: {} };
  const pods: Pods = startPods({
    services: {
      grid,
      nodeName,
      networkName,
      domain: parts.domain,
      runtime,
      puller,
      files,
      references,
      network,
      client,
      events,
      clock,
      log,
      hostAddresses: () => addresses,
      apiServer: () => client.server,
      saveState: () => identity.file.save(),
      admit: (pod) => {
        const admitted = [...pods.records()].filter((one) => one.admission === 'admitted' && one.pod);
        const others = admitted.flatMap((one) => (one.pod ? [one.pod] : []));
        return admitPod(pod, others, { metadata: nodeLabels(), status: reporter.status });
      },
      ...(parts.failPoints ? { failPoints: parts.failPoints } : {}),
    },
    metrics,
    leftovers: new Set([...(await files.list()), ...Object.keys(state.addresses.byPod)]),
    onChange: () => keeper.changed(),
  });
  const keeper = startAssignmentKeeper({ dataDirectory, nodeKeyPem, collect, log, clock });

  /** What to run and whom to know without any server. */
  function collect(): Assignments {
    const desired = [...pods.records()].flatMap((one) => (one.isDesired && one.pod ? [one.pod] : []));
    references.keepOnly(desired);
    tokens.keepOnly(new Set(desired.map((pod) => pod.metadata.uid ?? '')));
    return {
      pods: desired,
      references: references.known(),
      tokens: tokens.known(),
      nodes: known(watches.nodes, remembered?.nodes),
      services: known(watches.services, remembered?.services),
      endpointSlices: known(watches.endpointSlices, remembered?.endpointSlices),
    };
  }

  if (remembered) {
    references.remember(remembered.references);
    tokens.remember(remembered.tokens ?? []);
    for (const pod of remembered.pods) pods.upsert(pod);
    network.setNodes(remembered.nodes);
    network.setNames(remembered.services, remembered.endpointSlices);
  }
  if (state.podCIDR !== undefined) network.setRange(state.podCIDR);

  const watches = startWatches({
    client,
    nodeName,
    pods,
    network,
    reporter,
    rememberedPods: remembered?.pods ?? [],
    onRange: (podCIDR) => {
      state.podCIDR = podCIDR;
      identity.file.save().catch((error) => log.error('state not written to disk', { error }));
      network.setRange(podCIDR);
    },
    onChange: () => keeper.changed(),
    log,
    clock,
  });
  const volumes = startVolumeKeeper({ client, runtime, grid, nodeName, log });
  const engine = watchEngine({ runtime, pods, network, reporter, log, clock });

  let openStreams = 0;
  metrics.gauge('flotilla_agent_streams', 'Requests of servers that are being answered.', () => openStreams);
  const renderMetrics = () => metrics.render();
  const handler = createAgentApi(
    createPodApi({ pods, runtime, dialer: parts.dialer, renderMetrics, clock, log }),
    log,
    (change) => {
      openStreams += change;
    },
  );
  const tunnel = connectTunnel({ servers: state.servers, credentials: identity.credentials, handler, clock, log });
  const liveness = connectLiveness({
    servers: state.servers,
    credentials: identity.credentials,
    agentVersion: version,
    onServers: (servers) => {
      if (servers.join() === state.servers.join()) return;
      state.servers = servers;
      tunnel.setServers(servers);
      identity.file.save().catch((error) => log.error('state not written to disk', { error }));
    },
    clock,
    log,
  });
  const metricsPort =
    options.metricsPort === undefined ? undefined : await startMetricsPort(options.metricsPort, renderMetrics);
  log.info('agent runs', { node: nodeName, grid, servers: state.servers, data: join(dataDirectory) });

  return {
    nodeName,
    grid,
    async stop() {
      identity.stop();
      engine.stop();
      puller.stop();
      await Promise.all([watches.stop(), volumes.stop(), metricsPort?.stop()]);
      await pods.stop();
      await references.stop();
      await Promise.all([keeper.stop(), network.stop(), reporter.stop(), events.stop()]);
      await Promise.all([tunnel.stop(), liveness.stop()]);
      parts.dialer.stop();
      client.close();
      lag.stop();
      log.info('agent stopped; containers go on', { node: nodeName });
    },
  };
}

/** Before a server has listed them, those of the last run are the best that is known. */
function known<T extends ApiObject>(informer: Informer<T>, remembered: readonly T[] | undefined): readonly T[] {
  return informer.isSynced ? [...informer.list()] : (remembered ?? []);
}
