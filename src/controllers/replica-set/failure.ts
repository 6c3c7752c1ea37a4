import { isApiError } from '../../client/api-error.ts';
import { removeCondition, setCondition } from '../../resources/conditions.ts';
import type { ReplicaSet } from '../../resources/kinds.ts';

type Status = NonNullable<ReplicaSet['status']>;

const type = 'ReplicaFailure';

/** Why pods are refused, in the server's words; undefined for what passes by itself, such as a conflict. */
export function refusalOf(error: unknown): string | undefined {
  const isRefused = isApiError(error, 'Forbidden') || isApiError(error, 'Invalid');
  return isRefused && error instanceof Error ? error.message : undefined;
}

/** The status with the condition that tools look for when pods cannot be made; without it when they can. */
export function withRefusal(status: Status, refusal: string | undefined, nowMs: number): Status {
  const conditions =
    refusal === undefined
      ? removeCondition(status.conditions, type)
      : setCondition(status.conditions, { type, status: 'True', reason: 'FailedCreate', message: refusal }, nowMs);
  if (conditions.length > 0) return { ...status, conditions };
  const { conditions: _none, ...rest } = status;
  return rest;
}
