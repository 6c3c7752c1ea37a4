import type { Pod } from '../../resources/kinds.ts';
import { hasSeveralContainers } from '../../resources/pod-containers.ts';

/**
 * The container that holds the address of a pod of several: it does nothing, and lives as long as they do. Its name is none that a
 * container of a pod can have.
 */
export const pauseName = 'POD';

/** A pod of one container holds its address itself. */
export function hasPause(pod: Pod): boolean {
  return hasSeveralContainers(pod);
}
