import type { Pod } from '../../resources/kinds.ts';
import { isActive, isServing } from '../pod-facts.ts';
import { podTrouble, type Trouble } from '../pod-trouble.ts';

/** How far a service of a stack has come; counts are of its newest template only. */
export interface ServiceState {
  readonly instances: number;
  readonly updated: number;
  readonly ready: number;
  /** One of its pods runs, or ran to its end. */
  readonly isStarted: boolean;
  readonly isHealthy: boolean;
  /** All of its pods ended well; only services that may end ever are. */
  readonly isCompleted: boolean;
  /** Why it is not there yet. */
  readonly trouble?: Trouble;
}

export interface ServicePods {
  readonly instances: number;
  /** Pods of the newest template; none while it has not been written. */
  readonly newest: readonly Pod[];
  /** It may end: `restart: no` or `on-failure`. */
  readonly mayEnd: boolean;
  /** Pods of earlier templates that are still there. */
  readonly olderCount: number;
  /** How many of the newest its ReplicaSet counts as available: ready, and every node sends them requests. Unknown: all that are ready. */
  readonly available?: number | undefined;
}

export function serviceState({ instances, newest, mayEnd, olderCount, available }: ServicePods): ServiceState {
  const counted = mayEnd ? newest.filter((pod) => !pod.metadata.deletionTimestamp) : newest.filter(isActive);
  const hasSucceeded = (pod: Pod) => pod.status?.phase === 'Succeeded';
  const isThere = (pod: Pod) => isServing(pod) || (mayEnd && hasSucceeded(pod));
  const ready = counted.filter(isThere).length;
  const trouble =
    troubleOf(
      newest.filter((pod) => !isThere(pod)),
      mayEnd,
    ) ?? missing({ instances, ready, olderCount, available });
  return {
    instances,
    updated: counted.length,
    ready,
    isStarted: counted.some((pod) => pod.status?.phase === 'Running' || hasSucceeded(pod)),
    isHealthy: ready >= instances,
    isCompleted: mayEnd && counted.length >= instances && counted.every(hasSucceeded),
    ...(trouble && (ready < instances || meanwhile.includes(trouble.reason)) ? { trouble } : {}),
  };
}

/** Of a service whose instances are all ready: it is not what the file says yet. */
const meanwhile = ['RollingOver', 'Routing'];

function missing({
  instances,
  ready,
  olderCount,
  available = ready,
}: Pick<ServicePods, 'instances' | 'olderCount' | 'available'> & { readonly ready: number }): Trouble | undefined {
  if (ready < instances) {
    return { reason: 'Starting', message: `${ready} of ${instances} instances are ready`, isStuck: false };
  }
  if (olderCount > 0) {
    const text =
      olderCount === 1 ? '1 instance of the earlier version is' : `${olderCount} instances of the earlier version are`;
    return { reason: 'RollingOver', message: `${text} still there`, isStuck: false };
  }
  if (available < instances) {
    const message = `${available} of ${instances} instances are available: ready for long enough, and sent requests by every node`;
    return { reason: 'Routing', message, isStuck: false };
  }
  return undefined;
}

/** The worst of them speaks for all. */
function troubleOf(pods: readonly Pod[], mayEnd: boolean): Trouble | undefined {
  const all = pods.flatMap((pod) => podTrouble(pod, mayEnd) ?? []);
  return all.find((one) => one.isStuck) ?? all[0];
}
