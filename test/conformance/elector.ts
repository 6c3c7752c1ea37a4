// One candidate for a Lease, after the protocol of Kubernetes' clients: time is only ever measured on the own clock, from
// the moment at which the lease was seen to change; every write carries the revision that was read.
import { setTimeout as delay } from 'node:timers/promises';
import {
  ApiException,
  type CoordinationV1Api,
  type V1Lease,
  type V1LeaseSpec,
  V1MicroTime,
} from '@kubernetes/client-node';

export interface ElectorOptions {
  readonly candidate: string;
  readonly namespace: string;
  readonly name: string;
  /** A lease that did not change for so long is free. */
  readonly leaseDurationMs: number;
  /** A holder that could not renew for so long no longer believes that it is one; shorter than the lease. */
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
}

export interface Elector {
  readonly candidate: string;
  /** It does nothing any more, and gives nothing back. */
  kill(): Promise<void>;
}

/** `onLead` is told at each renewal until when the candidate believes that it leads, by `performance.now()`. */
export function startElector(
  coordination: CoordinationV1Api,
  options: ElectorOptions,
  onLead: (untilMs: number) => void,
): Elector {
  const { candidate, namespace, name } = options;
  let isKilled = false;
  let seenVersion = '';
  let seenAtMs = 0;

  async function tryOnce(): Promise<void> {
    const startedMs = performance.now();
    const lease = await readOrCreate();
    if (!lease || isKilled) return;
    const { spec, metadata } = lease;
    if (metadata?.resourceVersion !== seenVersion) {
      seenVersion = metadata?.resourceVersion ?? '';
      seenAtMs = performance.now();
    }
    const isMine = spec?.holderIdentity === candidate;
    const isFree = !spec?.holderIdentity || performance.now() - seenAtMs > options.leaseDurationMs;
    if (!isMine && !isFree) return;
    const transitions = (spec?.leaseTransitions ?? 0) + (isMine ? 0 : 1);
    const replaced = await coordination.replaceNamespacedLease({
      namespace,
      name,
      body: { ...lease, spec: specOf(transitions) },
    });
    lead(replaced, startedMs);
  }

  async function readOrCreate(): Promise<V1Lease | undefined> {
    try {
      return await coordination.readNamespacedLease({ namespace, name });
    } catch (error) {
      if (!(error instanceof ApiException) || error.code !== 404) throw error;
      const startedMs = performance.now();
      lead(
        await coordination.createNamespacedLease({ namespace, body: { metadata: { name }, spec: specOf(0) } }),
        startedMs,
      );
      return undefined;
    }
  }

  function lead({ metadata }: V1Lease, startedMs: number): void {
    seenVersion = metadata?.resourceVersion ?? '';
    seenAtMs = performance.now();
    onLead(startedMs + options.renewDeadlineMs);
  }

  function specOf(leaseTransitions: number): V1LeaseSpec {
    const now = new V1MicroTime();
    const leaseDurationSeconds = Math.ceil(options.leaseDurationMs / 1_000);
    return { holderIdentity: candidate, leaseDurationSeconds, leaseTransitions, acquireTime: now, renewTime: now };
  }

  const running = (async () => {
    while (!isKilled) {
      await tryOnce().catch(() => {}); // somebody was faster, or the server is away: the next round tells
      await delay(options.retryPeriodMs);
    }
  })();
  return {
    candidate,
    kill: async () => {
      isKilled = true;
      await running;
    },
  };
}
