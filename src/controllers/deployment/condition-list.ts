import type { DeploymentCondition } from 'kubernetes-types/apps/v1.js';
import { formatTime } from '../../resources/conditions.ts';

export type Conditions = readonly DeploymentCondition[];
export type NewCondition = Pick<DeploymentCondition, 'type' | 'status' | 'reason' | 'message'>;

/**
 * The list with one condition written anew. A condition of the same status and reason stays as it is, with its times:
 * what a client waits for must not move while nothing happens. `isMoved`: it is written even then.
 */
export function withCondition(
  conditions: Conditions,
  next: NewCondition,
  nowMs: number,
  options: { readonly isMoved?: boolean } = {},
): Conditions {
  const index = conditions.findIndex((one) => one.type === next.type);
  const old = conditions[index];
  if (old && !options.isMoved && old.status === next.status && old.reason === next.reason) return conditions;
  const lastUpdateTime = formatTime(nowMs);
  const lastTransitionTime = old?.status === next.status ? (old.lastTransitionTime ?? lastUpdateTime) : lastUpdateTime;
  const written: DeploymentCondition = { ...next, lastUpdateTime, lastTransitionTime };
  return index < 0 ? [...conditions, written] : conditions.with(index, written);
}
