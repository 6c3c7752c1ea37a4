import type { Event } from './kinds.ts';

/** Which events of a pod tell of its checks, for `fieldSelector`. */
export function failedCheckSelector(pod: string): string {
  return `involvedObject.name=${pod},reason=Unhealthy`;
}

/** `Readiness probe failed: HTTP probe failed with statuscode: 500`: what its agent said last. */
export function newestFailedCheck(events: readonly Event[]): string | undefined {
  const newest = [...events].sort((a, b) => ((a.lastTimestamp ?? '') < (b.lastTimestamp ?? '') ? 1 : -1))[0];
  return newest?.message?.trim();
}

/** A sentence about a pod with the check that failed, in place of Kubernetes' words for "not ready". */
export function withFailedCheck(sentence: string, check: string | undefined): string {
  if (check === undefined || sentence.includes(check)) return sentence;
  return `${sentence.replace(/: containers with unready status: \[[^\]]*\]$/, '')}: ${check}`;
}
