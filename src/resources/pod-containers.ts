import type { Container, ContainerStatus } from 'kubernetes-types/core/v1.js';
import type { Pod } from './kinds.ts';

/**
 * `init` runs to its end before the next one begins; a `sidecar` is an init container with `restartPolicy: Always`, which goes
 * on beside what follows it; an `app` container is one of `spec.containers`.
 */
export type ContainerRole = 'init' | 'sidecar' | 'app';

export interface PodContainer {
  readonly role: ContainerRole;
  readonly container: Container;
}

/** All containers of a pod in the order in which they begin: init containers and sidecars as listed, then the others. */
export function podContainers({ spec }: Pick<Pod, 'spec'>): readonly PodContainer[] {
  return [
    ...(spec.initContainers ?? []).map((container) => ({ role: initRole(container), container })),
    ...spec.containers.map((container) => ({ role: 'app' as const, container })),
  ];
}

export function podContainer(pod: Pick<Pod, 'spec'>, name: string): PodContainer | undefined {
  return podContainers(pod).find(({ container }) => container.name === name);
}

/** It has more to run than one container: these share one address. */
export function hasSeveralContainers({ spec }: Pick<Pod, 'spec'>): boolean {
  return spec.containers.length + (spec.initContainers?.length ?? 0) > 1;
}

/** The one that is meant where none is named, as Kubernetes' clients have it. */
export function defaultContainer({ metadata, spec }: Pick<Pod, 'metadata' | 'spec'>): string {
  return metadata.annotations?.['kubectl.kubernetes.io/default-container'] || spec.containers[0]?.name || '';
}

/** What is told of it; undefined before its node has said anything. */
export function defaultContainerStatus(pod: Pod): ContainerStatus | undefined {
  const name = defaultContainer(pod);
  return pod.status?.containerStatuses?.find((one) => one.name === name) ?? pod.status?.containerStatuses?.[0];
}

function initRole(container: Container): ContainerRole {
  return container.restartPolicy === 'Always' ? 'sidecar' : 'init';
}
