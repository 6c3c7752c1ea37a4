import type { Node, Pod } from './kinds.ts';
import { annotations, nodeConditions, nodeTaints } from './names.ts';

/** Milliseconds of silence after which a pod is replaced, or `never`. */
export type FailoverAfter = number | 'never';

/** Silence for so long makes a node suspect; nothing is replaced earlier. */
export const suspectAfterMs = 3_000;
export const defaultFailoverAfterMs = 10_000;
const longestMs = 366 * 86_400_000;
const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `10s`, `1m30s`, `never`; undefined when it is neither, or shorter than the time after which a node is suspect. */
export function parseFailoverAfter(text: string): FailoverAfter | undefined {
  if (text === 'never') return 'never';
  const parts = [...text.matchAll(/(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) return undefined;
  const totalMs = parts.reduce((sum, part) => sum + Number(part[1]) * (unitsMs[part[2] ?? ''] ?? 0), 0);
  return totalMs >= suspectAfterMs && totalMs <= longestMs ? Math.round(totalMs) : undefined;
}

/** What is wrong with a text that should be one; for messages of validation. */
export function failoverAfterProblems(text: string): readonly string[] {
  if (parseFailoverAfter(text) !== undefined) return [];
  return [`must be a duration of at least ${suspectAfterMs / 1_000}s such as 10s or 1m30s, or never`];
}

/** `10s`, `1m30s`, `never`: as it is written. */
export function formatFailoverAfter(after: FailoverAfter): string {
  if (after === 'never') return 'never';
  const hours = Math.floor(after / 3_600_000);
  const minutes = Math.floor((after % 3_600_000) / 60_000);
  const seconds = (after % 60_000) / 1_000;
  const text = `${hours > 0 ? `${hours}h` : ''}${minutes > 0 ? `${minutes}m` : ''}${seconds > 0 ? `${seconds}s` : ''}`;
  return text || '0s';
}

/** When a pod is given up, and who says so. */
export interface PodFailover {
  readonly after: FailoverAfter;
  /** `volume`: its files are on its node, a replacement would start without them. */
  readonly from: 'pod' | 'grid' | 'volume';
}

/** A pod with a volume waits for its node, whatever it is told; an annotation that cannot be read counts as none. */
export function podFailover(pod: Pod, ofGrid: FailoverAfter): PodFailover {
  if (isStateful(pod)) return { after: 'never', from: 'volume' };
  const own = parseFailoverAfter(pod.metadata.annotations?.[annotations.failoverAfter] ?? '');
  return own === undefined ? { after: ofGrid, from: 'grid' } : { after: own, from: 'pod' };
}

/** It uses a volume of its node. */
export function isStateful(pod: Pod): boolean {
  return pod.spec.volumes?.some((volume) => volume.persistentVolumeClaim !== undefined) ?? false;
}

/** It was given up: it has been silent for `failover.after`, or an operator said so, and has not come back. */
export function isNodeLost(node: Node): boolean {
  return hasTaint(node, nodeTaints.unreachable);
}

/** As its agent said last; a silent one is `isNodeSuspect`. */
export function isNodeReady(node: Node): boolean {
  return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** Silent for a few seconds: nothing new is placed on it, and others take its traffic where there are any. */
export function isNodeSuspect(node: Node): boolean {
  const suspect = node.status?.conditions?.find((one) => one.type === nodeConditions.suspect);
  return suspect !== undefined && suspect.status !== 'False';
}

/** It is back and answers, and is not used yet, since it was lost too often. */
export function isNodeHeld(node: Node): boolean {
  return hasTaint(node, nodeTaints.flapping) && !isNodeLost(node);
}

function hasTaint(node: Node, key: string): boolean {
  return node.spec.taints?.some((taint) => taint.key === key) ?? false;
}
