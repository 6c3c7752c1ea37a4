import type { OpenAcme } from '../adapters/acme/port.ts';
import type { Client } from '../client/client.ts';
import type { ClusterFacts } from '../controllers/cluster-facts.ts';
import type { AskPeers } from '../controllers/liveness.ts';
import type { ReadPodLog } from '../controllers/pod-log.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { defaultFailoverAfterMs } from '../resources/failover.ts';
import { systemGrid } from '../resources/names.ts';
import type { Store } from '../store/port.ts';
import { type LeaderElection, startLeaderElection } from './leader.ts';
import { watchLease } from './lease-watch.ts';
import type { ResourceVersions } from './registry/resource-version.ts';
import type { Liveness } from './request.ts';
import { storeOfTerm, storeThatTakes } from './term.ts';

export interface LeadingOptions {
  readonly identity: string;
  readonly store: Store;
  /** A client of this process whose writes go through the store given. */
  readonly clientOver: (store: Store, grid: string) => Client;
  readonly versions: ResourceVersions;
  /** Other servers may lead: this one is ready to follow at once. */
  readonly standsBy: boolean;
  readonly liveness: Liveness;
  readonly askPeers: AskPeers;
  readonly readPodLog: ReadPodLog;
  /** Grids that have workloads. */
  readonly grids: readonly string[];
  readonly failoverAfterMs: number | undefined;
  readonly cluster: ClusterFacts;
  readonly loadAcme: () => Promise<OpenAcme>;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/**
 * Stands for election, and runs the controllers while it leads, each of their commits on the condition that it does. They
 * are loaded when they are needed first, or at once where it may have to follow another server within half a second.
 */
export function startLeading(options: LeadingOptions): LeaderElection {
  const { store, clientOver, versions, identity, liveness, askPeers, grids, cluster, loadAcme, log, metrics, clock } =
    options;
  const settings = { failoverAfterMs: options.failoverAfterMs ?? defaultFailoverAfterMs };
  const client = clientOver(store, systemGrid);
  const watching = new AbortController();
  let running: { stop(): Promise<void> } | undefined;
  if (options.standsBy) void import('../controllers/start.ts');
  const election = startLeaderElection({
    client,
    taking: clientOver(storeThatTakes(store, identity), systemGrid),
    identity,
    clock,
    log,
    onStarted: async (lease) => {
      const term = versions.parse(lease.metadata.resourceVersion ?? '') ?? 0;
      const own = storeOfTerm(store, term, () => election.stepDown('another server has begun its term'));
      const clientFor = (grid: string) => clientOver(own, grid);
      const { startControllers } = await import('../controllers/start.ts');
      const asks = { askPeers, readPodLog: options.readPodLog };
      running = startControllers({
        clientFor,
        grids,
        liveness,
        ...asks,
        settings,
        cluster,
        loadAcme,
        log,
        metrics,
        clock,
      });
    },
    onStopped: async () => {
      await running?.stop();
      running = undefined;
    },
  });
  const watched = watchLease({ client, clock, signal: watching.signal, onLease: election.noteLease });
  return {
    ...election,
    get isLeader() {
      return election.isLeader;
    },
    stop: async () => {
      watching.abort();
      await Promise.all([election.stop(), watched]);
    },
  };
}
