import type { PodStatus } from 'kubernetes-types/core/v1.js';

/** Whether all that was written is in a status as the API tells it; what others wrote beside it does not count. */
export function holdsStatus(told: PodStatus | undefined, written: PodStatus): boolean {
  return holds(told ?? {}, written);
}

function holds(told: unknown, written: unknown): boolean {
  if (written === undefined || written === null) return true;
  if (Array.isArray(written)) return Array.isArray(told) && holdsItems(told, written);
  if (typeof written !== 'object') return told === written;
  if (typeof told !== 'object' || told === null) return false;
  return Object.entries(written).every(([name, value]) => holds((told as Record<string, unknown>)[name], value));
}

/** Conditions belong to several writers and are found by their type; other lists are one writer's. */
function holdsItems(told: readonly { type?: string }[], written: readonly { type?: string }[]): boolean {
  if (written.every(({ type }) => type !== undefined))
    return written.every((one) =>
      holds(
        told.find(({ type }) => type === one.type),
        one,
      ),
    );
  return told.length === written.length && written.every((one, index) => holds(told[index], one));
}
