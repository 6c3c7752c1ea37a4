import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { PodDialer } from '../adapters/dialer/port.ts';
import type { AccessEntry, IngressProxy } from '../adapters/ingress/port.ts';
import type { ContainerRuntime } from '../adapters/runtime/port.ts';
import { createEventRecorder } from '../client/events.ts';
import { createHttpClient } from '../client/http-client.ts';
import type { Clock } from '../lib/clock.ts';
import { FlotillaError } from '../lib/errors.ts';
import { startEventLoopLag } from '../lib/event-loop-lag.ts';
import type { Exec } from '../lib/exec.ts';
import { Metrics } from '../lib/metrics.ts';
import type { Applied } from '../resources/applied.ts';
import { systemGrid } from '../resources/names.ts';
import { createAgentApi } from '../tunnel/agent-server.ts';
import { connectLiveness } from '../tunnel/liveness.ts';
import { serverTlsName } from '../tunnel/server-identity.ts';
import { connectTunnel } from '../tunnel/tunnel.ts';
import type { AgentSettings, RunningAgent } from './agent-options.ts';
import { createPodApi } from './api/agent-api.ts';
import { startMetricsPort } from './api/metrics-port.ts';
import { type Assignments, readAssignments, writeAssignments } from './disk/assignments.ts';
import { startDiskKeeper } from './disk/disk-keeper.ts';
import { readIngressObjects, removeIngressObjects, writeIngressObjects } from './disk/ingress-file.ts';
import { createPodFiles } from './disk/pod-files.ts';
import { watchEngine } from './engine-watch.ts';
import { watchGridSettings } from './grid-settings-watch.ts';
import { endHost } from './host-end/host-end.ts';
import type { AgentIdentity } from './identity.ts';
import { openAccessLog } from './ingress/access-log.ts';
import { type NodeIngress, startNodeIngress } from './ingress/node-ingress.ts';
import { startKnownObjects } from './known-objects.ts';
import { type NetworkAdapters, type NodeNetwork, startNodeNetwork } from './network/node-network.ts';
import { startNodeReporter } from './node/node-reporter.ts';
import { startVolumeKeeper } from './node/volume-keeper.ts';
import { admitPod } from './pod/admission.ts';
import { isAlive } from './pod/container-facts.ts';
import type { FailPoints } from './pod/fail-point.ts';
import { createImagePuller } from './pod/image-puller.ts';
import { createPodTokens } from './pod/pod-tokens.ts';
import { type Pods, startPods } from './pod/pods.ts';
import { createReferenceReader } from './pod/references.ts';
import { requestTokens } from './pod/request-token.ts';
import { createWithdrawals } from './pod/withdrawals.ts';
import { startWatches } from './watches.ts';
import { combineApplied, type ProxyProgress } from './watermark.ts';

export interface AgentParts {
  readonly options: AgentSettings;
  readonly identity: AgentIdentity;
  /** Of this host, the first one is told to everybody. */
  readonly addresses: readonly string[];
  readonly trustedInterfaces: readonly string[];
  readonly domain: string;
  readonly runtime: ContainerRuntime;
  readonly dialer: PodDialer;
  readonly network: NetworkAdapters;
  /** Is told of each request that is over. */
  readonly createIngressProxy: (onAccess: (entry: AccessEntry) => void) => IngressProxy;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly failPoints?: FailPoints;
}

/** So long a start waits until the pod's policies are in force; then it is tried again. */
const policyTimeoutMs = 10_000;

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
  const rememberedIngress = await readIngressObjects(dataDirectory, nodeKeyPem).catch((error) => {
    log.error('ingress objects on disk cannot be used; waiting for a server', { error });
    return undefined;
  });

  const reporter = startNodeReporter({ client, nodeName, addresses, dataDirectory, agent: options, log, clock });
  let networkApplied: Applied = { revision: 0 };
  let proxyProgress: ProxyProgress = 'unknown';
  let toldApplied: Applied | undefined;
  const tellApplied = () => {
    const applied = combineApplied(networkApplied, proxyProgress);
    if (isDeepStrictEqual(applied, toldApplied)) return;
    toldApplied = applied;
    liveness.reportApplied(applied);
  };
  const networkName = options.networkName ?? 'flotilla';
  const network: NodeNetwork = startNodeNetwork({
    adapters: parts.network,
    ...{ runtime, grid, nodeName, domain: parts.domain, networkName, bridgeName: options.bridgeName ?? 'fl0' },
    ...{ ownAddresses: addresses, trustedInterfaces: parts.trustedInterfaces, addresses: state.addresses },
    ...(options.dnsPort === undefined ? {} : { dnsPort: options.dnsPort }),
    ...(options.externalAddress === undefined ? {} : { externalAddress: options.externalAddress }),
    serviceView: () => known.serviceView(),
    policyView: () => known.policyView(),
    nodes: () => known.nodes(),
    reporter,
    reportApplied: (applied) => {
      networkApplied = applied;
      tellApplied();
    },
    onChange: () => pods.wakeAll(),
    ...{ metrics, clock, log },
  });
  const accessLog = openAccessLog({ path: join(dataDirectory, 'access.log'), clock, log });
  const ingress: NodeIngress = startNodeIngress({
    ...{ client, nodeName, remembered: rememberedIngress, clock, log },
    serviceView: () => known.serviceView(),
    proxy: parts.createIngressProxy((entry) => accessLog.write(entry)),
    writeObjects: (objects) => writeIngressObjects(dataDirectory, objects, nodeKeyPem),
    removeObjects: () => removeIngressObjects(dataDirectory),
    networkRevision: () => networkApplied.revision,
    onProgress: (progress) => {
      proxyProgress = progress;
      tellApplied();
    },
    onProblems: (problems) => liveness.reportIngressProblems(problems),
  });
  const withdrawals = createWithdrawals({ clock, onChange: () => pods.wakeAll() });
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
      network: {
        get isReady() {
          return network.pods.isReady;
        },
        get pool() {
          return network.pods.pool;
        },
        wirePorts: () => network.wirePorts(),
        beforeStart: () => network.policies.ensure(AbortSignal.timeout(policyTimeoutMs)),
      },
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
        const { allocatable } = reporter;
        if (!allocatable) throw new FlotillaError('EngineFailed', 'the engine has not said yet what this host has');
        return admitPod(pod, others, { metadata: nodeLabels(), status: { allocatable } });
      },
      services: (namespace) => known.servicesOf(namespace),
      mayStop: (pod) => withdrawals.mayStop(pod),
      mayStepAside: (pod, sinceMs, isBroken) => withdrawals.mayStepAside(pod, sinceMs, isBroken),
      ...(parts.failPoints ? { failPoints: parts.failPoints } : {}),
    },
    metrics,
    leftovers: new Set([...(await files.list()), ...Object.keys(state.addresses.byPod)]),
    onChange: () => {
      keeper.changed();
      network.policies.changed();
    },
  });
  const keeper = startDiskKeeper({
    name: 'assignments',
    write: () => writeAssignments(dataDirectory, collect(), nodeKeyPem),
    ...{ log, clock },
  });

  function collect(): Assignments {
    const objects = known.toRemember();
    references.keepOnly(objects.pods);
    tokens.keepOnly(new Set(objects.pods.map((pod) => pod.metadata.uid ?? '')));
    return { ...objects, references: references.known(), tokens: tokens.known() };
  }

  if (remembered) {
    references.remember(remembered.references);
    tokens.remember(remembered.tokens ?? []);
    network.pods.setNodes(remembered.nodes);
    const self = remembered.nodes.find(({ metadata }) => metadata.name === nodeName);
    if (self) ingress.setNode(self);
  }
  if (state.ingress) ingress.setGrid(state.ingress);
  if (state.network) network.setGrid(state.network);
  if (state.podCIDR !== undefined) network.pods.setRange(state.podCIDR);
  const saveState = () => {
    identity.file.save().catch((error) => log.error('state not written to disk', { error }));
  };
  const gridSettings = watchGridSettings({
    client: client.forGrid(systemGrid),
    grid,
    onNetwork: (found) => {
      state.network = found;
      saveState();
      network.setGrid(found);
    },
    onIngress: (found) => {
      state.ingress = found;
      saveState();
      ingress.setGrid(found);
    },
    log,
    clock,
  });

  const known = startKnownObjects({
    remembered,
    watches: () => watches,
    records: () => pods.records(),
    onUse: (assignments) => {
      if (!watches.pods.isSynced) for (const pod of assignments.pods) pods.upsert(pod);
      if (!watches.services.isSynced || !watches.endpointSlices.isSynced) {
        network.replaceServices(assignments.services, assignments.endpointSlices);
      }
      network.plane.changed();
      network.policies.changed();
      ingress.changed();
    },
    clock,
  });
  const watches = startWatches({
    client,
    nodeName,
    pods,
    network,
    ingress,
    reporter,
    rememberedPods: remembered?.pods ?? [],
    onRange: (podCIDR) => {
      state.podCIDR = podCIDR;
      saveState();
      network.pods.setRange(podCIDR);
    },
    onServices: () => {
      network.plane.changed();
      ingress.changed();
    },
    onChange: () => keeper.changed(),
    log,
    clock,
  });
  const volumes = startVolumeKeeper({ client, runtime, grid, nodeName, log });
  const engine = watchEngine({ runtime, pods, network: network.pods, reporter, log, clock });

  let openStreams = 0;
  metrics.gauge('flotilla_agent_streams', 'Requests of servers that are being answered.', () => openStreams);
  const renderMetrics = async () => metrics.render() + (await ingress.renderMetrics());
  const handler = createAgentApi(
    createPodApi({
      pods,
      runtime,
      dialer: parts.dialer,
      renderMetrics,
      network: network.report,
      ingress: ingress.report,
      accessLog: accessLog.read,
      clock,
      log,
    }),
    log,
    (change) => {
      openStreams += change;
    },
  );
  const tunnel = connectTunnel({ servers: state.servers, credentials: identity.credentials, handler, clock, log });
  const appliedByAll = new Map<string, number>();
  const liveness = connectLiveness({
    servers: state.servers,
    credentials: identity.credentials,
    agentVersion: version,
    onSeenAs: network.setSeenAs,
    onServers: (servers) => {
      if (servers.join() === state.servers.join()) return;
      state.servers = servers;
      tunnel.setServers(servers);
      saveState();
    },
    onAppliedByAll: (server, revision) => {
      appliedByAll.set(server, revision);
      network.plane.setAppliedByAll(Math.min(...appliedByAll.values()));
    },
    onState: (server, isConnected) => {
      if (!isConnected) appliedByAll.delete(server);
      withdrawals.setConnected(liveness.isAnyConnected);
      network.plane.setAppliedByAll(appliedByAll.size === 0 ? undefined : Math.min(...appliedByAll.values()));
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
    endHost: () => {
      reporter.update({ isEnding: true });
      return endHost({
        pods: () => [...pods.records()].flatMap((one) => (one.isDesired && one.pod ? [one.pod] : [])),
        evictPod: (pod, how) => client.evictPod(pod, how),
        stopAll: (atMs) => pods.endWithHost(atMs),
        endProxy: (graceSeconds) => ingress.endHost(graceSeconds),
        alive: () => [...pods.records()].filter((one) => [...one.containers.values()].some(isAlive)).length,
        ...{ clock, log },
      });
    },
    async stop() {
      identity.stop();
      known.stop();
      engine.stop();
      puller.stop();
      await Promise.all([watches.stop(), volumes.stop(), metricsPort?.stop()]);
      await pods.stop();
      await references.stop();
      await gridSettings.stop();
      await Promise.all([keeper.stop(), network.stop(), ingress.stop(), reporter.stop(), events.stop()]);
      await Promise.all([tunnel.stop(), liveness.stop(), accessLog.stop()]);
      parts.dialer.stop();
      client.close();
      lag.stop();
      log.info('agent stopped; containers go on', { node: nodeName });
    },
  };
}
