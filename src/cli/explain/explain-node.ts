import { formatTime } from '../../resources/conditions.ts';
import { humanDuration } from '../../resources/define-kind.ts';
import {
  type FailoverAfter,
  formatFailoverAfter,
  isNodeHeld,
  isNodeLost,
  podFailover,
  suspectAfterMs,
} from '../../resources/failover.ts';
import { holdMs, parseLostTimes } from '../../resources/flapping.ts';
import type { Node, Pod } from '../../resources/kinds.ts';
import { annotations, nodeConditions } from '../../resources/names.ts';
import { isPodFinished, isPodLost } from '../../resources/pod-facts.ts';

export interface NodeFacts {
  readonly node: Node;
  /** Bound to it. */
  readonly pods: readonly Pod[];
  readonly ofGrid: FailoverAfter;
  /** Wall clock. */
  readonly nowMs: number;
}

/** Sentences: state, why, since when, what was decided about its pods, what comes next. */
export function explainNode(facts: NodeFacts): string[] {
  const { node, nowMs } = facts;
  const { name } = node.metadata;
  const condition = (type: string) => node.status?.conditions?.find((one) => one.type === type);
  const ready = condition('Ready');
  const suspect = condition(nodeConditions.suspect);
  const since = (time: string | undefined) => sinceText(time, nowMs);
  const lines: string[] = [];
  if (isNodeLost(node)) {
    lines.push(`Node ${name} is lost${since(ready?.lastTransitionTime)}: ${ready?.message ?? 'it is silent'}.`);
    if (suspect?.status === 'False')
      lines.push('It answers again; it is used when its agent has told how its pods are.');
    lines.push(...lostPods(facts), ...afterReturn(facts));
  } else if (isNodeHeld(node)) {
    const flapping = condition(nodeConditions.flapping);
    lines.push(
      `Node ${name} answers, and is not used yet${since(flapping?.lastTransitionTime)}: ${flapping?.message ?? ''}.`,
    );
    lines.push(...lostPods(facts), `To use it at once: flotilla node undrain ${name}`);
  } else if (suspect?.status === 'Unknown') {
    lines.push(
      `Node ${name} is silent${since(suspect.lastTransitionTime)}, and this may be the servers' own fault: ${suspect.message}.`,
    );
    lines.push('Nothing is moved: its instances count, and get traffic, as before.');
    lines.push(`When it answers, all is as it was. If it is lost: flotilla node lost ${name} --confirm`);
  } else if (suspect?.status === 'True') {
    lines.push(`Node ${name} is suspect${since(suspect.lastTransitionTime)}: ${suspect.message}.`);
    lines.push('Its instances get no traffic as long as others of their service are ready; nothing is placed on it.');
    lines.push(...ifItStaysSilent(facts));
  } else {
    const state = ready?.status === 'True' ? 'is ready' : 'is not ready';
    lines.push(
      `Node ${name} ${state}${since(ready?.lastTransitionTime)}: ${ready?.message ?? 'its agent has not spoken yet'}.`,
    );
    if (node.spec.unschedulable)
      lines.push(`It is drained: nothing starts there. Take that back: flotilla node undrain ${name}`);
    lines.push(...ifItStaysSilent(facts));
  }
  const losses = parseLostTimes(node.metadata.annotations?.[annotations.lostTimes]);
  if (losses.length > 0)
    lines.push(`It was lost ${times(losses.length)} lately, last at ${formatTime(losses.at(-1) ?? 0)}.`);
  return lines;
}

function lostPods({ pods, ofGrid }: NodeFacts): string[] {
  const alive = pods.filter((pod) => !isPodFinished(pod));
  const given = alive.filter(isPodLost);
  const lines: string[] = [];
  if (given.length > 0)
    lines.push(`Given up, not counted, and replaced where something makes them: ${namesOf(given)}.`);
  for (const [from, why] of [
    ['volume', 'with their volume, which is there'],
    ['pod', 'since their failover.after is not over'],
    ['grid', "since the grid's failover.after is not over"],
  ] as const) {
    const held = alive.filter((pod) => !isPodLost(pod) && podFailover(pod, ofGrid).from === from);
    if (held.length > 0) lines.push(`Waiting for the node ${why}: ${namesOf(held)}.`);
  }
  return lines;
}

function afterReturn({ node, nowMs }: NodeFacts): string[] {
  const { name } = node.metadata;
  const ms = holdMs(parseLostTimes(node.metadata.annotations?.[annotations.lostTimes]), nowMs);
  const when = ms === 0 ? 'at once' : `after ${formatFailoverAfter(ms)}, since it was lost before`;
  return [
    `When it is back, its instances count again ${when}; then the surplus goes, unhealthy and younger ones first.`,
    `If it will not come back: flotilla node lost ${name} --confirm, and flotilla node rm ${name}`,
  ];
}

function ifItStaysSilent({ pods, ofGrid }: NodeFacts): string[] {
  const alive = pods.filter((pod) => !isPodFinished(pod));
  if (alive.length === 0) return ['It runs nothing.'];
  const byTime = new Map<string, Pod[]>();
  for (const pod of alive) {
    const { after, from } = podFailover(pod, ofGrid);
    const key =
      from === 'volume'
        ? 'only when somebody confirms the loss (a volume)'
        : after === 'never'
          ? 'never'
          : `after ${formatFailoverAfter(after)}`;
    byTime.set(key, [...(byTime.get(key) ?? []), pod]);
  }
  return [
    `If it is silent for ${suspectAfterMs / 1_000} s it is suspect. Its instances are replaced:`,
    ...[...byTime].map(([when, own]) => `  ${when}: ${namesOf(own)}`),
  ];
}

const namesShown = 8;

export function namesOf(pods: readonly Pod[]): string {
  const names = pods.map((pod) => `${pod.metadata.namespace}/${pod.metadata.name}`);
  const more = names.length - namesShown;
  return more > 0 ? `${names.slice(0, namesShown).join(', ')} and ${more} more` : names.join(', ');
}

/** ` since 2026-01-01T12:00:00Z (5m)`; empty without a time. */
export function sinceText(time: string | undefined, nowMs: number): string {
  return time === undefined ? '' : ` since ${time} (${humanDuration(nowMs - Date.parse(time))})`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}
