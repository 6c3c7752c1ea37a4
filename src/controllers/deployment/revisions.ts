// What `kubectl rollout history` and `undo` read: the revision of each ReplicaSet, those it was before, its change cause.
import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { replicasOf } from './rolling.ts';

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
/** Annotations of the deployment that say something about it and not about its ReplicaSets, or are theirs alone. */
const notInherited = new Set<string>([
  lastApplied,
  annotations.appliedHash,
  annotations.deploymentRevision,
  annotations.deploymentRevisionHistory,
  annotations.deploymentDesiredReplicas,
  annotations.deploymentMaxReplicas,
  annotations.abort,
  annotations.rolledBack,
  annotations.rolledOut,
  annotations.templateHash,
]);
/** Of the list of former revisions; the oldest are forgotten first. */
const maxHistoryLength = 2000;
/** "No limit" as clients write it. */
export const maxInt32 = 2_147_483_647;

/** Of a set of the deployment's template: its annotations, and its revision. */
export function inherited(deployment: Deployment, revision: bigint | number): Record<string, string> {
  const kept = Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !notInherited.has(key));
  return { ...Object.fromEntries(kept), [annotations.deploymentRevision]: String(revision) };
}

/** 64 bits, as in Kubernetes; 0: none, or nothing that can be read. */
export function revisionOf(replicaSet: ReplicaSet): bigint {
  const text = replicaSet.metadata.annotations?.[annotations.deploymentRevision] ?? '';
  return /^\d{1,19}$/.test(text) ? BigInt(text) : 0n;
}

/** One more than that of every other template. */
export function nextRevision(old: readonly ReplicaSet[]): bigint {
  return old.map(revisionOf).reduce(greater, 0n) + 1n;
}

/** Of the newest set: a template that comes back (undo) is the newest revision again. */
export function wantedRevision(newest: ReplicaSet | undefined, old: readonly ReplicaSet[]): bigint {
  return greater(newest ? revisionOf(newest) : 0n, nextRevision(old));
}

function greater(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** Annotations of the newest set that are not as they should be. */
export function staleAnnotations(deployment: Deployment, newest: ReplicaSet, revision: bigint): Record<string, string> {
  const shown = newest.metadata.annotations ?? {};
  const before = revisionOf(newest);
  const wanted = inherited(deployment, revision);
  if (before > 0n && before < revision) {
    const key = annotations.deploymentRevisionHistory;
    wanted[key] = withRevision(shown[key], before);
  }
  return Object.fromEntries(Object.entries(wanted).filter(([key, value]) => shown[key] !== value));
}

function withRevision(history: string | undefined, revision: bigint): string {
  const all = [...(history ?? '').split(',').filter((one) => one !== ''), String(revision)];
  while (all.join(',').length > maxHistoryLength) all.shift();
  return all.join(',');
}

/** Old sets beyond `revisionHistoryLimit`: the lowest revisions, and never one that has pods or may get some. */
export function forgettable(deployment: Deployment, old: readonly ReplicaSet[]): ReplicaSet[] {
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  if (limit === maxInt32 || old.length <= limit) return [];
  return [...old]
    .sort((a, b) => Number(revisionOf(a) - revisionOf(b)))
    .slice(0, old.length - limit)
    .filter((one) => replicasOf(one) === 0 && (one.status?.replicas ?? 0) === 0 && isObserved(one));
}

function isObserved(replicaSet: ReplicaSet): boolean {
  return (replicaSet.metadata.generation ?? 0) <= (replicaSet.status?.observedGeneration ?? 0);
}
