// Back to the last good revision: by itself when a rollout's deadline has passed and the Deployment asks for it, or because
// somebody aborts a rollout.
import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { type RollbackRecord, rollbackRecordOf } from '../../resources/rollback-record.ts';
import { updateRulesOf } from '../../resources/update-rules.ts';
import { isComplete } from './counts.ts';
import { revisionOf } from './revisions.ts';
import { availableOf } from './rolling.ts';

export interface RollbackInput {
  readonly deployment: Deployment;
  readonly newest: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
  /** Its condition Progressing says so, or is about to. */
  readonly isTimedOut: boolean;
}

export interface Rollback {
  readonly from: ReplicaSet;
  readonly to: ReplicaSet;
  readonly by: RollbackRecord['by'];
}

/** Undefined: nothing is to be taken back, or there is nothing to go back to. */
export function planRollback(input: RollbackInput): Rollback | undefined {
  const { deployment, newest: from, old, isTimedOut } = input;
  if (!from || recordInForce(deployment, from)) return undefined;
  const by = isAborted(input) ? 'abort' : 'deadline';
  const isWanted = by === 'abort' || (isTimedOut && !deployment.spec.paused && asksForIt(deployment));
  const to = isWanted ? lastGood(old) : undefined;
  return to && { from, to, by };
}

function asksForIt({ metadata }: Deployment): boolean {
  return updateRulesOf(metadata.annotations).autoRollback;
}

/** Somebody named this very rollout, and it is not through yet. */
export function isAborted({ deployment, newest, old }: Omit<RollbackInput, 'isTimedOut'>): boolean {
  const named = deployment.metadata.annotations?.[annotations.abort];
  return newest !== undefined && named === newest.metadata.name && !isComplete(deployment, newest, old);
}

/**
 * What was taken back, while nobody has wished for something else since. Of a stack the wish is known by its hash: a restart of what is
 * good changes the template, and is no other wish. Where no stack is, the template is the wish.
 */
export function recordInForce(deployment: Deployment, newest: ReplicaSet | undefined): RollbackRecord | undefined {
  const record = rollbackRecordOf(deployment);
  if (!record || record.templateHash !== deployment.metadata.annotations?.[annotations.templateHash]) return undefined;
  const name = newest?.metadata.name;
  const isHeld = record.templateHash === undefined ? name === record.to : name !== record.from;
  return isHeld ? record : undefined;
}

/** The newest of those that were through once; where none is known to have been, of those that serve. */
export function lastGood(old: readonly ReplicaSet[]): ReplicaSet | undefined {
  const newestFirst = [...old].sort((a, b) => Number(revisionOf(b) - revisionOf(a)));
  return newestFirst.find(wasRolledOut) ?? newestFirst.find((one) => availableOf(one) > 0);
}

/** By its own name: the annotation may have been copied. */
export function wasRolledOut({ metadata }: ReplicaSet): boolean {
  return metadata.annotations?.[annotations.rolledOut] === metadata.name;
}

/** Those of whose former revisions somebody may want to know which were good. */
export function isFollowed({ metadata }: Deployment): boolean {
  const own = metadata.annotations ?? {};
  return own[annotations.templateHash] !== undefined || own[annotations.autoRollback] !== undefined;
}

/** Annotations that have had their effect, or never will have one. */
export function spentAnnotations(input: Omit<RollbackInput, 'isTimedOut'>): string[] {
  const { deployment, newest } = input;
  const own = deployment.metadata.annotations ?? {};
  const isSpent: [key: string, isIt: boolean][] = [
    [annotations.abort, !isAborted(input) || lastGood(input.old) === undefined],
    [annotations.rolledBack, recordInForce(deployment, newest) === undefined],
  ];
  return isSpent.flatMap(([key, isIt]) => (own[key] !== undefined && isIt ? [key] : []));
}
