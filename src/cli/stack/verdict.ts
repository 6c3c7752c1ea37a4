import type { Stack } from '../../resources/kinds.ts';

/** What a deploy has come to, from the stack's own status. */
export type Verdict =
  | { readonly type: 'running'; readonly message: string }
  | { readonly type: 'done' }
  /** It comes at a time of day that is hours away, perhaps. */
  | { readonly type: 'held'; readonly message: string }
  | { readonly type: 'failed'; readonly message: string; readonly isFinal: boolean; readonly reason: string };

export interface VerdictInput {
  readonly stack: Stack;
  /** The generation that this deploy wrote: an older status says nothing about it. */
  readonly generation: number;
  /** Since when the status has been naming the same kind of trouble; 0 when there is none. */
  readonly troubleMs: number;
  /** Reasons that are no failure of what was asked for: it is enough that the instances are there. */
  readonly tolerated?: readonly string[];
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
/** Nothing but another file (or another owner of the name, or a person) mends these. */
const finalReasons = ['Refused', 'Conflict', 'RolledBack', 'Aborted', 'Paused', 'DeadlineExceeded'];

export function deployVerdict({ stack, generation, troubleMs, tolerated = [] }: VerdictInput): Verdict {
  const { status } = stack;
  if (!status || (status.observedGeneration ?? 0) < generation)
    return { type: 'running', message: 'waiting for the servers' };
  const progress = status.conditions?.find((one) => one.type === 'Progressing');
  const message = progress?.message ?? '';
  const isAvailable = status.conditions?.some((one) => one.type === 'Available' && one.status === 'True') ?? false;
  if (progress && tolerated.includes(progress.reason))
    return isAvailable ? { type: 'done' } : { type: 'running', message };
  if (progress?.status === 'False') {
    if (finalReasons.includes(progress.reason))
      return { type: 'failed', message, isFinal: true, reason: progress.reason };
    // What will be taken back is waited for: then it is known why, and what runs instead.
    if (willBeTakenBack(stack, message)) return { type: 'running', message };
    if (troubleMs >= (patienceMs[progress.reason] ?? otherPatienceMs))
      return { type: 'failed', message, isFinal: false, reason: progress.reason };
    return { type: 'running', message };
  }
  if (isAvailable && progress?.reason === 'Complete') return { type: 'done' };
  if (isAvailable && progress?.reason === 'OutsideWindow') return { type: 'held', message };
  return { type: 'running', message };
}

/** The message begins with the service; of the first version there is nothing to go back to. */
function willBeTakenBack({ spec, status }: Stack, message: string): boolean {
  const service = Object.entries(spec.services).find(([name]) => message.startsWith(`${name}: `))?.[1];
  return service?.update?.autoRollback === true && (status?.version ?? 1) > 1;
}

/** One line of progress: what is there of what is wanted. */
export function progressLine(stack: Stack): string {
  const parts = Object.entries(stack.status?.services ?? {}).map(
    ([name, one]) => `${name} ${one.ready}/${one.instances}`,
  );
  return parts.join('  ');
}
