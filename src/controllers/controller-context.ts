import type { OpenAcme } from '../adapters/acme/port.ts';
import type { Client } from '../client/client.ts';
import type { EventRecorder } from '../client/events.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { ClusterFacts } from './cluster-facts.ts';
import type { GridInformers } from './grid-informers.ts';
import type { GridSettings } from './grid-settings.ts';
import type { AskPeers, LivenessPort } from './liveness.ts';
import type { ReadPodLog } from './pod-log.ts';
import type { ReconcileMetrics } from './reconcile-metrics.ts';

export interface ControllerSettings {
  /** A node silent for so long is lost, where the grid does not say otherwise. */
  readonly failoverAfterMs: number;
}

/** What every controller of one grid is given. */
export interface ControllerContext {
  readonly client: Client;
  readonly informers: GridInformers;
  readonly liveness: LivenessPort;
  readonly askPeers: AskPeers;
  /** Absent: logs of pods cannot be read here. */
  readonly readPodLog?: ReadPodLog;
  readonly gridSettings: GridSettings;
  readonly settings: ControllerSettings;
  /** Absent: there are no servers behind the client; then pods get no access to them. */
  readonly cluster?: ClusterFacts;
  /** Loads what speaks with ACME servers; absent: none is asked. */
  readonly loadAcme?: () => Promise<OpenAcme>;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly metrics: ReconcileMetrics;
  readonly clock: Clock;
}

export interface RunningController {
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}

/** Starts one controller; its informers are synced before the first reconcile. */
export type StartController = (context: ControllerContext) => RunningController;
