import type { Client } from '../client/client.ts';
import type { AskPeers } from '../controllers/liveness.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { defaultFailoverAfterMs } from '../resources/failover.ts';
import { systemGrid } from '../resources/names.ts';
import { type LeaderElection, startLeaderElection } from './leader.ts';
import { defaultPodRange } from './options.ts';
import type { Liveness } from './request.ts';

export interface LeadingOptions {
  readonly identity: string;
  readonly clientFor: (grid: string) => Client;
  readonly liveness: Liveness;
  readonly askPeers: AskPeers;
  /** Grids that have workloads. */
  readonly grids: readonly string[];
  readonly failoverAfterMs: number | undefined;
  readonly podRange: string | undefined;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** Stands for election, and runs the controllers while it leads. They are loaded when they are needed first. */
export function startLeading(options: LeadingOptions): LeaderElection {
  const { clientFor, liveness, askPeers, grids, log, metrics, clock } = options;
  const settings = {
    failoverAfterMs: options.failoverAfterMs ?? defaultFailoverAfterMs,
    podRange: options.podRange ?? defaultPodRange,
    nodePrefixLength: 24,
  };
  let running: { stop(): Promise<void> } | undefined;
  return startLeaderElection({
    client: clientFor(systemGrid),
    identity: options.identity,
    clock,
    log,
    onStarted: async () => {
      const { startControllers } = await import('../controllers/start.ts');
      running = startControllers({ clientFor, grids, liveness, askPeers, settings, log, metrics, clock });
    },
    onStopped: async () => {
      await running?.stop();
      running = undefined;
    },
  });
}
