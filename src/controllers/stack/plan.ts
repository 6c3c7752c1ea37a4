import { optionPrefix } from '../../resources/ingress-options.ts';
import type { Kind } from '../../resources/kind.ts';
import { type Deployment, deployments, type Service, type Stack, services, volumes } from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import type { ApiObject } from '../../resources/object.ts';
import { isHeadless } from '../../resources/service-facts.ts';
import type { CompiledStack, CompiledWorkload, Gate } from '../../stack/compile.ts';
import { inventoryEntry, type Observed } from './inventory.ts';
import { isUndone, markedAgain, mergedDeployment } from './merged-deployment.ts';
import type { ServiceState } from './service-state.ts';
import { stackStatus } from './status.ts';

export type StackStep =
  | { readonly type: 'addFinalizer' }
  | { readonly type: 'create'; readonly kind: Kind; readonly object: ApiObject }
  /** `object` is the observed one with what the file says written into it. */
  | { readonly type: 'update'; readonly kind: Kind; readonly object: ApiObject }
  | { readonly type: 'delete'; readonly kind: Kind; readonly object: ApiObject }
  | { readonly type: 'deleteNamespace' }
  | { readonly type: 'removeFinalizer' };

export interface StackObservation {
  readonly stack: Stack;
  readonly compiled: CompiledStack;
  readonly find: (kind: Kind, name: string) => ApiObject | undefined;
  /** What the stack controller made for this stack, as their label and annotation say. */
  readonly made: readonly Observed[];
  /** By name in the file. */
  readonly services: ReadonlyMap<string, ServiceState>;
  /** Pods of the stack that are still there, made by whom ever. */
  readonly podCount: number;
  /** The namespace was made for this stack and nothing of anybody else is in it. */
  readonly mayDeleteNamespace: boolean;
  readonly nowMs: number;
}

export interface StackPlan {
  readonly steps: readonly StackStep[];
  readonly status: NonNullable<Stack['status']>;
}

export const stackFinalizer = 'flotilla.dev/stack';

/** The steps towards what the file says; the status as it is before they are done. */
export function planStack(observed: StackObservation): StackPlan {
  const { stack } = observed;
  if (stack.metadata.deletionTimestamp) return { steps: removal(observed), status: stack.status ?? {} };
  const conflicts: string[] = [];
  const held = new Map<string, string>();
  const steps: StackStep[] = [];
  if (!stack.metadata.finalizers?.includes(stackFinalizer)) steps.push({ type: 'addFinalizer' });
  const names = new Set<string>();
  /** `my_app` and `my-app` are two services and one name: written in turns they would never come to rest. */
  const isTaken = (one: Observed): boolean => {
    const entry = inventoryEntry(one);
    if (!names.has(entry)) {
      names.add(entry);
      return false;
    }
    conflicts.push(`two entries of the file would both be ${entry}: rename one of them`);
    return true;
  };
  for (const one of observed.compiled.prerequisites) {
    if (!isTaken(one)) steps.push(...apply(observed, one.kind, one.object, conflicts));
  }
  for (const workload of observed.compiled.workloads) {
    if (isTaken(workload)) continue;
    const waits = waitsFor(observed, workload);
    if (waits === undefined) steps.push(...apply(observed, workload.kind, workload.object, conflicts));
    else held.set(workload.service, waits);
  }
  steps.push(...surplus(observed));
  return { steps, status: stackStatus({ ...observed, conflicts, held }) };
}

/** Nothing when the hash says that it is there already; a sentence in `conflicts` when the name is somebody else's. */
function apply({ stack, find }: StackObservation, kind: Kind, object: ApiObject, conflicts: string[]): StackStep[] {
  const known = find(kind, object.metadata.name);
  if (!known) return [{ type: 'create', kind, object }];
  const owner = known.metadata.labels?.[labels.stack];
  if (kind === (deployments as Kind) && isUndone(known as Deployment, object as Deployment)) {
    return [{ type: 'update', kind, object: markedAgain(known as Deployment, object as Deployment) }];
  }
  if (owner !== stack.metadata.name || known.metadata.annotations?.[annotations.appliedHash] === undefined) {
    const whose = owner === undefined ? 'was not made by a stack' : `belongs to stack ${owner}`;
    conflicts.push(`${kind.kind} ${object.metadata.namespace}/${object.metadata.name} exists already and ${whose}`);
    return [];
  }
  if (known.metadata.deletionTimestamp) return []; // made anew when it is gone
  const hash = (one: ApiObject) => one.metadata.annotations?.[annotations.appliedHash];
  // A bare pod has its hash in its name, and a Volume has nothing that could change.
  if (hash(known) === hash(object) || kind.kind === 'Pod') return [];
  // With an address or without one for ever: what has to change is made anew when it is gone.
  if (kind === (services as Kind) && isHeadless(known as Service) !== isHeadless(object as Service)) {
    return [{ type: 'delete', kind, object: known }];
  }
  const metadata = {
    ...known.metadata,
    labels: { ...known.metadata.labels, ...object.metadata.labels },
    annotations: { ...othersOf(known), ...object.metadata.annotations },
  };
  if (kind === (volumes as Kind)) return [{ type: 'update', kind, object: { ...known, metadata } }];
  if (kind === (deployments as Kind)) {
    return [{ type: 'update', kind, object: mergedDeployment(known as Deployment, object as Deployment, metadata) }];
  }
  return [{ type: 'update', kind, object: { ...known, ...object, metadata } }];
}

/** Annotations that may be somebody else's: options of Ingress objects are the file's alone. */
function othersOf({ metadata }: ApiObject): Record<string, string> {
  const kept = Object.entries(metadata.annotations ?? {}).filter(([name]) => !name.startsWith(optionPrefix));
  return Object.fromEntries(kept);
}

/**
 * What a workload waits for; undefined: nothing. Gates hold back what does not exist yet. What exists is changed at once
 * (or a broken database would keep its clients from being repaired), except behind a service that must complete first:
 * the new version of an app must not run before the new migration has.
 */
function waitsFor(observed: StackObservation, workload: CompiledWorkload): string | undefined {
  const exists = observed.find(workload.kind, workload.object.metadata.name) !== undefined;
  for (const gate of workload.gates) {
    if (exists && gate.condition !== 'service_completed_successfully') continue;
    const waits = gateText(gate, observed.services.get(gate.service));
    if (waits !== undefined) return waits;
  }
  return undefined;
}

function gateText({ service, condition }: Gate, state: ServiceState | undefined): string | undefined {
  const why = state?.trouble?.isStuck ? `: ${state.trouble.message}` : '';
  switch (condition) {
    case 'service_started':
      return state?.isStarted || state?.instances === 0 ? undefined : `waits for ${service} to start${why}`;
    case 'service_healthy':
      return state?.isHealthy ? undefined : `waits for ${service} to be healthy${why}`;
    case 'service_completed_successfully':
      return state?.isCompleted ? undefined : `waits for ${service} to complete${why}`;
  }
}

/** What the file no longer says goes; volumes stay, since their files cannot be made again. */
function surplus({ compiled, made }: StackObservation): StackStep[] {
  const wanted = new Set([...compiled.prerequisites, ...compiled.workloads].map(inventoryEntry));
  return made
    .filter(
      (one) =>
        one.kind !== (volumes as Kind) && !wanted.has(inventoryEntry(one)) && !one.object.metadata.deletionTimestamp,
    )
    .map(({ kind, object }) => ({ type: 'delete', kind, object }));
}

/** Workloads first: their names and secrets are there until their pods are gone. */
function removal(observed: StackObservation): StackStep[] {
  const { stack, made } = observed;
  if (!stack.metadata.finalizers?.includes(stackFinalizer)) return [];
  const hasVolumesToo = stack.metadata.annotations?.[annotations.removeVolumes] === 'true';
  const removable = made.filter((one) => hasVolumesToo || one.kind !== (volumes as Kind));
  const isWorkload = (one: Observed) => one.kind.kind === 'Deployment' || one.kind.kind === 'Pod';
  const isLeft = removable.some(isWorkload) || observed.podCount > 0;
  const now = isLeft ? removable.filter(isWorkload) : removable;
  const deletions = now
    .filter((one) => !one.object.metadata.deletionTimestamp)
    .map(({ kind, object }): StackStep => ({ type: 'delete', kind, object }));
  if (isLeft || removable.length > 0) return deletions;
  return [...(observed.mayDeleteNamespace ? [{ type: 'deleteNamespace' as const }] : []), { type: 'removeFinalizer' }];
}
