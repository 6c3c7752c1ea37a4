import type { OpenAcme } from '../adapters/acme/port.ts';
import type { Client } from '../client/client.ts';
import { createEventRecorder } from '../client/events.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { systemGrid } from '../resources/names.ts';
import { startAddressGroupController } from './address-group/controller.ts';
import { startCertificateController } from './certificate/controller.ts';
import type { ClusterFacts } from './cluster-facts.ts';
import { startClusterRoleAggregation } from './cluster-role-aggregation/controller.ts';
import type {
  ControllerContext,
  ControllerSettings,
  RunningController,
  StartController,
} from './controller-context.ts';
import { startDeploymentController } from './deployment/controller.ts';
import { startDisruptionController } from './disruption/controller.ts';
import { startLeavingController } from './disruption/leaving-controller.ts';
import { startEndpointSliceController } from './endpoint-slice/controller.ts';
import { startGarbageCollector } from './garbage-collection/controller.ts';
import { createGridInformers } from './grid-informers.ts';
import { startGridSettings } from './grid-settings.ts';
import { startIngressController } from './ingress/controller.ts';
import { startKubernetesService } from './kubernetes-service/controller.ts';
import type { AskPeers, LivenessPort } from './liveness.ts';
import { startLoadBalancerController } from './load-balancer/controller.ts';
import { startNamespaceController } from './namespace/controller.ts';
import { startNodeLifecycleController } from './node-lifecycle/controller.ts';
import { startNodeRangeController } from './node-range/controller.ts';
import { startPodGcController } from './pod-gc/controller.ts';
import type { ReadPodLog } from './pod-log.ts';
import { reconcileMetrics } from './reconcile-metrics.ts';
import { startReplicaSetController } from './replica-set/controller.ts';
import { startScheduler } from './scheduler/controller.ts';
import { startServiceAccountController } from './service-account/controller.ts';
import { startStackController } from './stack/controller.ts';
import { startTaintEvictionController } from './taint-eviction/controller.ts';
import { startUnhealthyController } from './unhealthy/controller.ts';
import { startVolumeController } from './volume/controller.ts';
import { startWithdrawalController } from './withdrawal/controller.ts';

export interface ControllersOptions {
  readonly clientFor: (grid: string) => Client;
  /** Grids that have workloads. */
  readonly grids: readonly string[];
  readonly liveness: LivenessPort;
  readonly askPeers: AskPeers;
  /** Absent: logs of pods cannot be read here. */
  readonly readPodLog?: ReadPodLog;
  readonly settings: ControllerSettings;
  /** Absent: no service accounts, and no Service object of the servers. */
  readonly cluster?: ClusterFacts;
  /** Loads what speaks with ACME servers; absent: none is asked. */
  readonly loadAcme?: () => Promise<OpenAcme>;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock?: Clock;
}

const all: readonly StartController[] = [
  startNamespaceController,
  startNodeRangeController,
  startNodeLifecycleController,
  startScheduler,
  startReplicaSetController,
  startDeploymentController,
  startEndpointSliceController,
  startLoadBalancerController,
  startIngressController,
  startAddressGroupController,
  startWithdrawalController,
  startStackController,
  startGarbageCollector,
  startPodGcController,
  startTaintEvictionController,
  startUnhealthyController,
  startVolumeController,
  startClusterRoleAggregation,
  startDisruptionController,
  startCertificateController,
  startLeavingController,
  (context) => withCluster(context, startServiceAccountController),
  (context) => withCluster(context, startKubernetesService),
];

/** For those that tell pods where the servers are. */
function withCluster(
  context: ControllerContext,
  start: (context: ControllerContext, cluster: ClusterFacts) => RunningController,
): RunningController {
  return context.cluster ? start(context, context.cluster) : { stop: async () => {} };
}

/**
 * Starts everything that decides what must exist, for each grid. Only the leader does; whoever loses the lease stops it and
 * waits for the end of `stop()`.
 */
export function startControllers(options: ControllersOptions): { stop(): Promise<void> } {
  const grids = options.grids.map((grid) => startGrid(options, grid));
  return {
    stop: async () => {
      await Promise.all(grids.map((grid) => grid.stop()));
    },
  };
}

function startGrid(options: ControllersOptions, grid: string): { stop(): Promise<void> } {
  const clock = options.clock ?? systemClock;
  const client = options.clientFor(grid);
  const log = options.log.with({ grid });
  const informers = createGridInformers({ client, log, clock });
  const gridSettings = startGridSettings({
    client: options.clientFor(systemGrid),
    grid,
    defaultFailoverAfterMs: options.settings.failoverAfterMs,
    log,
    clock,
  });
  // Thousands of pods are placed within seconds, and each should say where: commits are cheap when they go together.
  const room = { writersAtOnce: 16, maxPending: 4_096 };
  const events = createEventRecorder({ client, component: 'flotilla-controller', ...room, log, clock });
  const context: ControllerContext = {
    client,
    informers,
    events,
    log,
    clock,
    liveness: options.liveness,
    askPeers: options.askPeers,
    ...(options.readPodLog ? { readPodLog: options.readPodLog } : {}),
    gridSettings,
    settings: options.settings,
    ...(options.cluster ? { cluster: options.cluster } : {}),
    ...(options.loadAcme ? { loadAcme: options.loadAcme } : {}),
    metrics: reconcileMetrics(options.metrics),
  };
  const running = all.map((start) => start(context));
  return {
    stop: async () => {
      await Promise.all(running.map((one) => one.stop()));
      await Promise.all([informers.stop(), gridSettings.stop()]);
      await events.stop();
    },
  };
}
