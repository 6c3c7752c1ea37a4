import type { Taint } from 'kubernetes-types/core/v1.js';
import { formatTime } from '../../resources/conditions.ts';
import {
  defaultFailoverAfterMs,
  type FailoverAfter,
  formatFailoverAfter,
  isNodeHeld,
  isNodeLost,
  podFailover,
  suspectAfterMs,
} from '../../resources/failover.ts';
import { holdMs, parseLostTimes, withLoss } from '../../resources/flapping.ts';
import type { Node, Pod } from '../../resources/kinds.ts';
import { annotations, labels, nodeConditions, nodeTaints, podConditions } from '../../resources/names.ts';
import { isPodFinished, isPodLost, isPodTerminating, podCondition } from '../../resources/pod-facts.ts';
import type { Verdict } from './judge.ts';

export type NodeLifecycleStep =
  /** Our taints and annotations of the node as they must be; `null` takes an annotation away. */
  | {
      readonly type: 'mark';
      readonly as: 'lost' | 'held' | 'usable';
      readonly taints: readonly Taint[];
      readonly annotations: Readonly<Record<string, string | null>>;
      readonly message: string;
    }
  | { readonly type: 'setCondition'; readonly condition: NodeConditionWanted; readonly reasonOfEvent?: string }
  /** Pod condition NodeLost becomes True. */
  | { readonly type: 'loseNodeOf'; readonly pod: Pod; readonly message: string }
  /** Pod condition NodeLost becomes False. */
  | { readonly type: 'countAgain'; readonly pod: Pod; readonly message: string }
  /** Its node will not end it, and its name is needed. */
  | { readonly type: 'deletePod'; readonly pod: Pod; readonly why: string };

export interface NodeConditionWanted {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

export interface NodeObservation {
  readonly node: Node;
  /** Pods bound to it. */
  readonly pods: readonly Pod[];
  readonly verdict: Verdict;
  /** Monotonic: since when it has been heard without a suspicion in between; undefined: it is not. */
  readonly heardSinceMs: number | undefined;
  /** Another node could run what this one ran. */
  readonly hasOthers: boolean;
  readonly failoverAfter: FailoverAfter;
  /** Monotonic. */
  readonly nowMs: number;
  readonly wallMs: number;
}

export interface NodePlan {
  readonly steps: readonly NodeLifecycleStep[];
  /** When time alone changes the answer. */
  readonly againAfterMs?: number;
}

/**
 * What one verdict means for a node and its pods. Silent → Suspect; for `failover.after` (each pod has its own) → lost.
 * Heard again *and* ready, as its agent says (which writes its pods first, then its node) → taken back, after a while when
 * this happens often. A ping alone is not enough: after a reboot the pods' statuses are from before it.
 */
export function planNode(observed: NodeObservation): NodePlan {
  switch (observed.verdict.state) {
    case 'heard':
      return planHeard(observed);
    case 'waiting':
      return {
        steps: [],
        againAfterMs: again(observed.verdict.silentSinceMs + suspectAfterMs - observed.nowMs),
      };
    case 'doubted':
      return { steps: suspicion(observed, 'Unknown', 'Doubted', observed.verdict.why), againAfterMs: 1_000 };
    case 'silent':
      return planSilent(observed, observed.verdict);
  }
}

function planSilent(observed: NodeObservation, verdict: Verdict & { state: 'silent' }): NodePlan {
  const { node, pods, nowMs, wallMs, failoverAfter } = observed;
  const { name } = node.metadata;
  const silentMs = nowMs - verdict.silentSinceMs;
  const alive = pods.filter((pod) => !isPodFinished(pod));
  const waits = alive.map((pod) => ({ pod, ...podFailover(pod, failoverAfter) }));
  const isDue = (after: FailoverAfter) => verdict.isConfirmed || (after !== 'never' && silentMs >= after);
  const ofNode = failoverAfter === 'never' ? defaultFailoverAfterMs : failoverAfter;
  const nodeAfterMs = Math.min(ofNode, ...waits.flatMap(({ after }) => (after === 'never' ? [] : [after])));
  const isGone = isNodeLost(node) || isDue(nodeAfterMs);
  const because = verdict.why === '' ? '' : ` (${verdict.why})`;
  const steps: NodeLifecycleStep[] = [];
  const message = verdict.isConfirmed
    ? `an operator confirmed that ${name} is lost`
    : `no sign of life from the agent of ${name} for ${formatFailoverAfter(nodeAfterMs)}${because}`;
  if (isGone) steps.push(...markLost(node, wallMs, message));
  steps.push(...suspicion(observed, 'True', 'NodeSilent', `its agent does not answer${because}`));
  if (isGone) {
    const ready = conditionOf(node, 'Ready');
    if (ready?.status !== 'Unknown') {
      const condition = { type: 'Ready', status: 'Unknown', reason: 'NodeSilent', message } as const;
      steps.push({ type: 'setCondition', condition });
    }
    if (isTrue(node, nodeConditions.flapping)) steps.push(flapping('False', 'NodeLost', 'it is lost'));
  }
  for (const { pod, after, from } of waits) {
    const why = verdict.isConfirmed ? needsRemoval(pod) : undefined;
    if (why !== undefined) steps.push({ type: 'deletePod', pod, why });
    else if (!isPodLost(pod) && isDue(after)) {
      const message = verdict.isConfirmed
        ? `an operator confirmed that its node ${name} is lost`
        : `its node ${name} has not answered for ${formatFailoverAfter(after)} (failover.after of the ${from})`;
      steps.push({ type: 'loseNodeOf', pod, message });
    }
  }
  const deadlines = [nodeAfterMs, ...waits.map(({ after }) => after)]
    .filter((after) => after !== 'never')
    .map((after) => after - silentMs)
    .filter((ms) => ms > 0);
  return deadlines.length > 0 ? { steps, againAfterMs: again(Math.min(...deadlines)) } : { steps };
}

/** Given up for good: what nobody else would end or make anew. */
function needsRemoval(pod: Pod): string | undefined {
  if (isPodTerminating(pod)) return 'it was being stopped on a node that is lost';
  const isMade = pod.metadata.ownerReferences?.some((owner) => owner.controller) ?? false;
  const isTask = !isMade && pod.metadata.labels?.[labels.stack] !== undefined;
  return isTask ? 'its node is lost: its stack makes it anew' : undefined;
}

function markLost(node: Node, wallMs: number, message: string): NodeLifecycleStep[] {
  if (isNodeLost(node)) return [];
  const times = withLoss(parseLostTimes(node.metadata.annotations?.[annotations.lostTimes]), wallMs);
  return [
    {
      type: 'mark',
      as: 'lost',
      taints: [...foreignTaints(node), { key: nodeTaints.unreachable, effect: 'NoSchedule' }],
      annotations: { [annotations.lostTimes]: times.map(formatTime).join(',') },
      message,
    },
  ];
}

function planHeard(observed: NodeObservation): NodePlan {
  const { node, pods, nowMs, wallMs } = observed;
  const suspect = conditionOf(node, nodeConditions.suspect);
  const isSuspect = suspect !== undefined && suspect.status !== 'False';
  const answers = isSuspect ? suspicion(observed, 'False', 'NodeAnswers', 'its agent answers') : [];
  const wasLost = isNodeLost(node) || isNodeHeld(node);
  const lost = pods.filter(isPodLost);
  const isConfirmed = node.metadata.annotations?.[annotations.lostConfirmed] !== undefined;
  const isReady = conditionOf(node, 'Ready')?.status === 'True';
  if (!isReady || !(wasLost || lost.length > 0 || isConfirmed)) return { steps: answers };
  const lostTimes = parseLostTimes(node.metadata.annotations?.[annotations.lostTimes]);
  const leftMs = observed.hasOthers ? (observed.heardSinceMs ?? nowMs) + holdMs(lostTimes, wallMs) - nowMs : 0; // what it runs has nowhere else to go
  if (wasLost && leftMs > 0) {
    return { steps: [...hold(node, lostTimes.length, leftMs, wallMs), ...answers], againAfterMs: again(leftMs) };
  }
  const { name } = node.metadata;
  const steps: NodeLifecycleStep[] = [];
  if (wasLost || isConfirmed) {
    steps.push({
      type: 'mark',
      as: 'usable',
      taints: foreignTaints(node),
      annotations: isConfirmed ? { [annotations.lostConfirmed]: null } : {},
      message: `${name} is back: its pods count again`,
    });
  }
  steps.push(...answers);
  if (isTrue(node, nodeConditions.flapping))
    steps.push(flapping('False', 'Stable', 'it has been answering long enough'));
  for (const pod of lost) {
    const since = podCondition(pod, podConditions.nodeLost)?.lastTransitionTime;
    const message = `its node ${name} is back; it did not count ${since === undefined ? 'meanwhile' : `since ${since}`}`;
    steps.push({ type: 'countAgain', pod, message });
  }
  return { steps };
}

function hold(node: Node, losses: number, leftMs: number, wallMs: number): NodeLifecycleStep[] {
  const steps: NodeLifecycleStep[] = [];
  const message = `it was lost ${losses} times within an hour: it is used again when it has answered until ${formatTime(wallMs + leftMs)}`;
  if (!isNodeHeld(node)) {
    const taints: Taint[] = [...foreignTaints(node), { key: nodeTaints.flapping, effect: 'NoSchedule' }];
    steps.push({ type: 'mark', as: 'held', taints, annotations: {}, message });
  }
  if (!isTrue(node, nodeConditions.flapping)) steps.push(flapping('True', 'LostOften', message));
  return steps;
}

function suspicion(
  { node }: NodeObservation,
  status: NodeConditionWanted['status'],
  reason: string,
  message: string,
): NodeLifecycleStep[] {
  const known = conditionOf(node, nodeConditions.suspect);
  if (known?.status === status && known.message === message) return [];
  const condition = { type: nodeConditions.suspect, status, reason, message };
  const reasonOfEvent = { True: 'NodeSuspect', Unknown: 'NodeDoubted', False: 'NodeAnswers' }[status];
  return [{ type: 'setCondition', condition, reasonOfEvent }];
}

function flapping(status: 'True' | 'False', reason: string, message: string): NodeLifecycleStep {
  return { type: 'setCondition', condition: { type: nodeConditions.flapping, status, reason, message } };
}

function foreignTaints(node: Node): Taint[] {
  return (node.spec.taints ?? []).filter(({ key }) => key !== nodeTaints.unreachable && key !== nodeTaints.flapping);
}

function conditionOf(node: Node, type: string) {
  return node.status?.conditions?.find((one) => one.type === type);
}

function isTrue(node: Node, type: string): boolean {
  return conditionOf(node, type)?.status === 'True';
}

function again(ms: number): number {
  return Math.max(1, ms);
}
