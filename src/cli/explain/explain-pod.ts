import {
  type FailoverAfter,
  formatFailoverAfter,
  isNodeHeld,
  isNodeLost,
  isNodeSuspect,
  podFailover,
} from '../../resources/failover.ts';
import type { Node, Pod } from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import { isPodFinished, isPodLost, isPodReady, podCondition } from '../../resources/pod-facts.ts';
import { instanceOf, restartsOf, statusOf } from '../workload/instances.ts';
import { namesOf, sinceText } from './explain-node.ts';

export interface PodFacts {
  readonly pod: Pod;
  /** Where it is bound; undefined: nowhere, or the node is gone. */
  readonly node: Node | undefined;
  /** Of the same controller, itself among them. */
  readonly siblings: readonly Pod[];
  readonly ofGrid: FailoverAfter;
  readonly nowMs: number;
}

/** Sentences: state, why, since when, what was decided, what comes next. */
export function explainPod(facts: PodFacts): string[] {
  const { pod, nowMs } = facts;
  const { service, stack } = instanceOf(pod);
  const where = pod.spec.nodeName ? `on ${pod.spec.nodeName}` : 'nowhere yet';
  const lines = [
    `Instance ${pod.metadata.name} of ${stack}/${service} is ${where}: ${statusOf(pod)}${readyText(pod)}.`,
  ];
  if (pod.metadata.deletionTimestamp)
    lines.push(`It is told to stop${sinceText(pod.metadata.deletionTimestamp, nowMs)}.`);
  const unplaced = podCondition(pod, 'PodScheduled');
  if (!pod.spec.nodeName && unplaced?.status === 'False') lines.push(`It waits for a node: ${unplaced.message ?? ''}.`);
  for (const { name, state } of pod.status?.containerStatuses ?? []) {
    const told = state?.waiting ?? state?.terminated;
    if (told) lines.push(`Container ${name}: ${told.reason ?? 'waiting'}${told.message ? `: ${told.message}` : ''}.`);
  }
  const restarts = restartsOf(pod);
  if (restarts > 0) lines.push(`Its container was restarted ${restarts === 1 ? 'once' : `${restarts} times`}.`);
  lines.push(...aboutLoss(facts));
  if (!isPodFinished(pod)) lines.push(...whatNext(facts));
  return lines;
}

function readyText(pod: Pod): string {
  if (isPodFinished(pod) || isPodLost(pod) || !pod.spec.nodeName) return '';
  if (isPodReady(pod)) return ', ready';
  const why = podCondition(pod, 'Ready')?.message;
  return why ? `, not ready (${why})` : ', not ready';
}

function aboutLoss({ pod, siblings, nowMs }: PodFacts): string[] {
  const lost = podCondition(pod, podConditions.nodeLost);
  if (!lost) return [];
  const since = sinceText(lost.lastTransitionTime, nowMs);
  if (lost.status !== 'True') return [`It was lost, and counts again${since}: ${lost.message ?? ''}.`];
  const standIns = siblings.filter(
    (one) => !isPodLost(one) && (one.metadata.creationTimestamp ?? '') >= (lost.lastTransitionTime ?? ''),
  );
  const controller = pod.metadata.ownerReferences?.find((owner) => owner.controller);
  return [
    `It does not count${since}: ${lost.message ?? ''}.`,
    controller === undefined
      ? 'Nothing makes it anew, since it might have done its work: it goes on when its node is back.'
      : standIns.length > 0
        ? `${controller.kind} ${controller.name} has made since: ${namesOf(standIns)}.`
        : `${controller.kind} ${controller.name} has not made another one since.`,
  ];
}

function whatNext({ pod, node, ofGrid }: PodFacts): string[] {
  const { after, from } = podFailover(pod, ofGrid);
  const nodeName = node?.metadata.name ?? '';
  if (isPodLost(pod)) {
    return [
      `When ${nodeName} is back it counts again, and whoever is unhealthy or younger goes. Why it is lost: flotilla explain node/${nodeName}`,
    ];
  }
  if (!node) return [];
  const rule =
    from === 'volume'
      ? `It has a volume on ${nodeName} and stays with it: only an operator gives it up (flotilla node lost ${nodeName} --confirm).`
      : after === 'never'
        ? `It is never replaced because ${nodeName} is silent (failover.after of the ${from}).`
        : `If ${nodeName} is silent for ${formatFailoverAfter(after)} (failover.after of the ${from}) it is replaced.`;
  const isStrange = isNodeLost(node) || isNodeHeld(node) || isNodeSuspect(node);
  return isStrange ? [rule, `Its node is not well now: flotilla explain node/${nodeName}`] : [rule];
}
