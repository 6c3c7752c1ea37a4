import type { ContainerRuntime } from '../../adapters/runtime/port.ts';
import type { Client } from '../../client/client.ts';
import type { EventRecorder } from '../../client/events.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Pod, Service } from '../../resources/kinds.ts';
import type { PodFiles } from '../disk/pod-files.ts';
import type { PodNetwork } from '../network/pod-network.ts';
import type { Refusal } from './admission.ts';
import type { FailPoints } from './fail-point.ts';
import type { ImagePuller } from './image-puller.ts';
import type { PodRecord } from './pod-record.ts';
import type { ReferenceReader } from './references.ts';
import type { PodStep } from './step.ts';
import type { MayStop } from './withdrawal.ts';

/** What the steps of all pods work with. */
export interface PodServices {
  readonly grid: string;
  readonly nodeName: string;
  readonly networkName: string;
  readonly domain: string;
  readonly runtime: ContainerRuntime;
  readonly puller: ImagePuller;
  readonly files: PodFiles;
  readonly references: ReferenceReader;
  readonly network: Pick<PodNetwork, 'isReady' | 'pool'> & {
    /** Called when a container has got a cable: its end on the bridge is a new one. */
    wirePorts?(): void;
    /** Resolves when what the pod may, and who may reach it, is in force: its address is assigned. */
    beforeStart?(): Promise<void>;
  };
  readonly client: Client;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly hostAddresses: () => readonly string[];
  /** `https://host:port` of the server in use. Absent: pods are told of none. */
  readonly apiServer?: () => string;
  /** Puts address assignments on disk. */
  readonly saveState: () => Promise<void>;
  readonly admit: (pod: Pod) => Refusal | undefined;
  /** Whether a pod that is being deleted may be stopped: nobody is sent to it any more. Absent: always. */
  readonly mayStop?: (pod: Pod) => MayStop;
  /** Whether a container of a pod that stays may be stopped, which has said since `sinceMs` that it is not ready. Absent: always. */
  readonly mayStepAside?: (pod: Pod, sinceMs: number, isBroken: boolean) => MayStop;
  /** Of one namespace, as far as known: what variables tell of. Absent: none. */
  readonly services?: (namespace: string) => Iterable<Service>;
  readonly failPoints?: FailPoints;
}

export interface StepContext extends PodServices {
  readonly record: PodRecord;
  /** The newest object; steps that need one are only planned with one. */
  readonly pod: Pod | undefined;
  /** Plan this pod again, now or later. */
  readonly wake: (afterMs?: number) => void;
}

/** `stop`: the rest of the plan no longer holds; plan again. */
export type StepOutcome = 'continue' | 'stop';

export type StepRunner<T extends PodStep['type']> = (
  step: Extract<PodStep, { readonly type: T }>,
  context: StepContext,
) => Promise<StepOutcome>;

/** Of a pod that is wanted here. */
export function mayStop(services: Pick<PodServices, 'mayStop'>, pod: Pod): MayStop {
  return services.mayStop?.(pod) ?? true;
}

/** For steps that are only planned for pods that exist. */
export function podOf(context: StepContext): Pod {
  if (!context.pod) throw new Error(`pod ${context.record.uid} has no object`);
  return context.pod;
}
