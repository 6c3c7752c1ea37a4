import type { ContainerObservation } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { hostLabels } from '../../resources/names.ts';
import { podContainers } from '../../resources/pod-containers.ts';
import { hasEnded, hasSucceeded, isRestarted, newestFirst } from './container-facts.ts';
import { pauseName } from './pause.ts';

/** How far a pod has come, by what the engine shows: the plan and the status must not differ about it. */
export interface PodProgress {
  /** The newest pause container; undefined where there is none. */
  readonly pause: ContainerObservation | undefined;
  /** Its init containers have done their work, its sidecars have started: an app container was made. */
  readonly isInitialized: boolean;
  /** An init container failed, and is not run again. */
  readonly hasFailedInit: boolean;
  /** Nothing of it will run again but what is running now. */
  readonly isOver: boolean;
  /** Of these names, those that have a container which shares the address of the newest pause container, newest first. */
  inside(name: string): readonly ContainerObservation[];
}

/** `lastAttempt` of a container name: the highest that was ever created, -1 for none. */
export function podProgress(
  pod: Pod,
  containers: readonly ContainerObservation[],
  lastAttempt: (name: string) => number,
): PodProgress {
  const [pause] = newestFirst(containers, pauseName);
  const isInside = (one: ContainerObservation) => one.labels[hostLabels.pause] === pause?.id;
  const inside = (name: string) => newestFirst(containers, name).filter(isInside);
  const all = podContainers(pod);
  const apps = all.filter(({ role }) => role === 'app').map(({ container }) => container.name);
  const inits = all.filter(({ role }) => role === 'init').map(({ container }) => container.name);
  const isInitialized =
    all.length === apps.length ||
    apps.some((name) => inside(name).length > 0) ||
    (inits.length === all.length - apps.length && inits.every((name) => inside(name).some(hasSucceeded)));
  const hasFailedInit =
    !isInitialized &&
    inits.some((name) => {
      const [newest] = inside(name);
      return newest !== undefined && hasEnded(newest) && !hasSucceeded(newest) && !isRestarted(pod, name, newest);
    });
  const isDone = (name: string) => {
    const [newest] = newestFirst(containers, name);
    return newest
      ? hasEnded(newest) && !isRestarted(pod, name, newest)
      : lastAttempt(name) >= 0 && !isRestarted(pod, name, undefined);
  };
  return { pause, isInitialized, hasFailedInit, isOver: hasFailedInit || apps.every(isDone), inside };
}
