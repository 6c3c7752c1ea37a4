import type { Pod, Volume } from '../../resources/kinds.ts';

/** Names of the pods that use a volume. */
export function usersOf(volume: Volume, pods: readonly Pod[]): string[] {
  return pods
    .filter((pod) => pod.metadata.namespace === volume.metadata.namespace)
    .filter((pod) => pod.spec.volumes?.some((one) => one.persistentVolumeClaim?.claimName === volume.metadata.name))
    .map((pod) => pod.metadata.name);
}
