import type { Stack } from '../../resources/kinds.ts';

/** What a deploy has come to, from the stack's own status. */
export type Verdict =
  | { readonly type: 'running'; readonly message: string }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly message: string; readonly isFinal: boolean };

export interface VerdictInput {
  readonly stack: Stack;
  /** The generation that this deploy wrote: an older status says nothing about it. */
  readonly generation: number;
  /** Since when the status has been naming the same kind of trouble; 0 when there is none. */
  readonly troubleMs: number;
}

/** Trouble that comes and goes while things start is waited for so long before the deploy is called failed. */
const patienceMs: Readonly<Record<string, number>> = {
  ImagePullFailed: 5_000,
  CrashLoop: 8_000,
  Failed: 1_000,
  NodeLost: 30_000,
  // Capacity may come free when instances of the earlier version stop.
  Unschedulable: 15_000,
};
const otherPatienceMs = 15_000;
/** Nothing but another file (or another owner of the name) mends these. */
const finalReasons = ['Refused', 'Conflict'];

export function deployVerdict({ stack, generation, troubleMs }: VerdictInput): Verdict {
  const { status } = stack;
  if (!status || (status.observedGeneration ?? 0) < generation)
    return { type: 'running', message: 'waiting for the servers' };
  const progress = status.conditions?.find((one) => one.type === 'Progressing');
  const message = progress?.message ?? '';
  if (progress?.status === 'False') {
    if (finalReasons.includes(progress.reason)) return { type: 'failed', message, isFinal: true };
    if (troubleMs >= (patienceMs[progress.reason] ?? otherPatienceMs))
      return { type: 'failed', message, isFinal: false };
    return { type: 'running', message };
  }
  const isAvailable = status.conditions?.some((one) => one.type === 'Available' && one.status === 'True') ?? false;
  if (isAvailable && progress?.reason === 'Complete') return { type: 'done' };
  return { type: 'running', message };
}

/** One line of progress: what is there of what is wanted. */
export function progressLine(stack: Stack): string {
  const parts = Object.entries(stack.status?.services ?? {}).map(
    ([name, one]) => `${name} ${one.ready}/${one.instances}`,
  );
  return parts.join('  ');
}
