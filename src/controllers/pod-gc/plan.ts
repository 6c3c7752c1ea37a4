import type { Pod } from '../../resources/kinds.ts';
import { isPodFinished, isPodTerminating } from '../../resources/pod-facts.ts';
import { createdAtMs } from '../pod-facts.ts';

export type PodGcStep = { readonly type: 'deletePod'; readonly pod: Pod; readonly why: string };

export interface PodGcObservation {
  readonly pods: Iterable<Pod>;
  readonly hasNode: (name: string) => boolean;
  /** Finished pods that may stay to be looked at. */
  readonly finishedKept: number;
}

/** Pods that nobody will end: those of nodes that no longer exist, and the oldest of too many finished ones. */
export function planPodGc(observed: PodGcObservation): PodGcStep[] {
  const steps: PodGcStep[] = [];
  const finished: Pod[] = [];
  for (const pod of observed.pods) {
    const { nodeName } = pod.spec;
    if (nodeName && !observed.hasNode(nodeName)) {
      steps.push({ type: 'deletePod', pod, why: `its node ${nodeName} no longer exists` });
    } else if (isPodTerminating(pod) && !nodeName) {
      steps.push({ type: 'deletePod', pod, why: 'it was deleted before it had a node' });
    } else if (isPodFinished(pod) && !isPodTerminating(pod)) {
      finished.push(pod);
    }
  }
  const surplus = finished.sort((a, b) => createdAtMs(b) - createdAtMs(a)).slice(observed.finishedKept);
  return [...steps, ...surplus.map((pod) => ({ type: 'deletePod' as const, pod, why: 'too many finished pods' }))];
}
