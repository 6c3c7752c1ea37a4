/** What conditions of all kinds have in common. */
export interface AnyCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

/**
 * The list with one condition written anew: in its old place, or at the end. `lastTransitionTime` moves only when
 * `status` changes; what else an old condition has (such as `lastHeartbeatTime`) stays. Gives the same list back when
 * nothing changes, so that nothing needs to be written.
 */
export function setCondition<C extends AnyCondition>(
  conditions: readonly C[] | undefined,
  next: { readonly type: string; readonly status: string; readonly reason?: string; readonly message?: string },
  nowMs: number,
): C[] {
  const list = (conditions ?? []) as C[];
  const index = list.findIndex((one) => one.type === next.type);
  const old = list[index];
  if (old && old.status === next.status && old.reason === next.reason && old.message === next.message) return list;
  const { reason: _reason, message: _message, ...kept } = old ?? ({} as C);
  const lastTransitionTime = old && old.status === next.status ? old.lastTransitionTime : formatTime(nowMs);
  const written = { ...kept, ...next, ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }) } as C;
  return index < 0 ? [...list, written] : list.with(index, written);
}

export function removeCondition<C extends AnyCondition>(conditions: readonly C[] | undefined, type: string): C[] {
  const list = (conditions ?? []) as C[];
  return list.some((one) => one.type === type) ? list.filter((one) => one.type !== type) : list;
}

/** RFC 3339 in UTC with second precision, as all times of objects are. */
export function formatTime(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
}

/** The same with microseconds, for leases and `eventTime`. */
export function formatMicroTime(nowMs: number): string {
  return new Date(nowMs).toISOString().replace('Z', '000Z');
}
