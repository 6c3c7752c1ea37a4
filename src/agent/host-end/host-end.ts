import { isApiError } from '../../client/api-error.ts';
import type { EvictOptions } from '../../client/http-client.ts';
import type { PodRef } from '../../client/pod-logs.ts';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { unplacedCause } from '../../resources/eviction-surge.ts';
import type { Pod } from '../../resources/kinds.ts';
import { type HostEndTimes, hostEndTimes, planEvictions, type Refused } from './plan.ts';

export interface HostEndOptions {
  /** Pods that are wanted on this node. */
  readonly pods: () => readonly Pod[];
  readonly evictPod: (pod: PodRef, options: EvictOptions) => Promise<void>;
  /** From now on nothing starts, and what runs leaves routing and stops, until `atMs`, monotonic. */
  readonly stopAll: (atMs: number) => void;
  /** The proxy of this host lets nobody new in; requests under way have so long. */
  readonly endProxy: (graceSeconds: number) => Promise<void>;
  /** Containers of pods that run. */
  readonly alive: () => number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly times?: HostEndTimes;
}

/** A WebSocket would hold it up for ever. */
const proxySeconds = 30;
const lookEveryMs = 100;
const askEveryMs = 1_000;
const askTimeoutMs = 5_000;

/**
 * The host is going down: others take over what they can, then all that is left stops, withdrawn first and in order, and the
 * proxy with it. Resolves when
 * nothing runs any more, or when the time is over.
 */
export async function endHost(options: HostEndOptions): Promise<void> {
  const { clock, log, times = hostEndTimes } = options;
  const startedMs = clock.monotonicMs();
  const endMs = startedMs + times.totalMs;
  const refused = new Map<string, Refused>();
  const askedMs = new Map<string, number>();
  log.info('the host is going down: others take over what runs here', { pods: options.pods().length });
  for (;;) {
    const nowMs = clock.monotonicMs();
    const wanted = planEvictions(options.pods(), refused, startedMs, nowMs, times);
    if (wanted.length === 0) break;
    const due = wanted.filter(({ metadata }) => nowMs - (askedMs.get(metadata.uid ?? '') ?? -askEveryMs) >= askEveryMs);
    await Promise.all(
      due.map(async (pod) => {
        askedMs.set(pod.metadata.uid ?? '', nowMs);
        await ask(options, refused, pod);
      }),
    );
    await clock.sleep(lookEveryMs);
  }
  options.stopAll(endMs);
  let hasProxy = true;
  const proxy = options.endProxy(Math.min(proxySeconds, Math.floor((endMs - clock.monotonicMs()) / 1_000)));
  proxy
    .catch((error) => log.warn('the proxy was not ended', { reason: messageOf(error) }))
    .finally(() => {
      hasProxy = false;
    });
  while ((hasProxy || options.alive() > 0) && clock.monotonicMs() < endMs) await clock.sleep(lookEveryMs);
  log.info('the host may go down', {
    left: options.alive(),
    tookMs: Math.round(clock.monotonicMs() - startedMs),
  });
}

async function ask({ evictPod, clock, log }: HostEndOptions, refused: Map<string, Refused>, pod: Pod): Promise<void> {
  const { namespace = '', name, uid = '' } = pod.metadata;
  try {
    await evictPod({ namespace, name }, { uid, signal: AbortSignal.timeout(askTimeoutMs) });
    refused.delete(uid);
  } catch (error) {
    if (isApiError(error, 'NotFound') || isApiError(error, 'Conflict')) return;
    const isUnplaced =
      isApiError(error, 'TooManyRequests') &&
      error.status.details?.causes?.some(({ reason }) => reason === unplacedCause);
    // With no server nobody can take it over either.
    const isHopeless = isUnplaced || !isApiError(error, 'TooManyRequests');
    const before = refused.get(uid)?.unplacedSinceMs;
    refused.set(uid, isHopeless ? { unplacedSinceMs: before ?? clock.monotonicMs() } : {});
    if (!isApiError(error, 'TooManyRequests')) log.warn('pod not evicted', { pod: name, reason: messageOf(error) });
  }
}
