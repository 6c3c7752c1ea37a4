import type { Pod, Service } from '../resources/kinds.ts';
import { matchesSelector } from '../resources/selectors.ts';

/** Its endpoints are pods; without a selector they are somebody else's, and an ExternalName has none. */
export function hasSelector(service: Service): boolean {
  return Object.keys(service.spec.selector ?? {}).length > 0 && service.spec.type !== 'ExternalName';
}

/** Both are of one namespace. */
export function selectsPod(service: Service, pod: Pod): boolean {
  return hasSelector(service) && matchesSelector({ matchLabels: service.spec.selector ?? {} }, pod.metadata.labels);
}
