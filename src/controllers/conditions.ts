/** What conditions of all kinds share; times are RFC 3339. */
export interface ConditionLike {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

/** RFC 3339 in UTC with second precision, as the wire has it. */
export function timeText(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, 19)}Z`;
}

/**
 * The list with one condition as it is now: a repeated one keeps its time, a changed status gets `nowMs`. Order of the
 * list stays.
 */
export function withCondition<C extends ConditionLike>(list: readonly C[] | undefined, condition: C, nowMs: number): C[] {
  const known = list?.find((one) => one.type === condition.type);
  const isSameStatus = known !== undefined && known.status === condition.status && known.lastTransitionTime !== undefined;
  const lastTransitionTime = isSameStatus ? known.lastTransitionTime : timeText(nowMs);
  const fresh: C = { ...condition, lastTransitionTime };
  if (!known) return [...(list ?? []), fresh];
  return (list ?? []).map((one) => (one === known ? fresh : one));
}
