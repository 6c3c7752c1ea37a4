import type { Deployment, Pod, ReplicaSet, Stack } from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import { type CompiledStack, serviceSelector } from '../../stack/compile.ts';
import { newestSet } from '../deployment/replica-set-for.ts';
import { controllerOf } from '../owners.ts';
import { isActive } from '../pod-facts.ts';
import type { Trouble } from '../pod-trouble.ts';
import { deploymentTrouble } from './deployment-trouble.ts';
import { type ServiceState, serviceState } from './service-state.ts';

export interface ServiceSources {
  readonly stack: Stack;
  readonly compiled: CompiledStack;
  /** All pods with the stack's label. */
  readonly pods: readonly Pod[];
  readonly deployment: (name: string) => Deployment | undefined;
  readonly replicaSetsOf: (deploymentUid: string) => readonly ReplicaSet[];
}

/** The state of each service of the file, by its name there. Pods of a template that is not the file's do not count. */
export function observeServices(sources: ServiceSources): Map<string, ServiceState> {
  const { stack, compiled, pods } = sources;
  const states = new Map<string, ServiceState>();
  for (const [name, service] of Object.entries(stack.spec.services)) {
    const label = serviceSelector(stack.metadata.name, name)[labels.service];
    const own = pods.filter((pod) => pod.metadata.labels?.[labels.service] === label);
    const mayEnd = (service.restart ?? 'always') !== 'always';
    const set = mayEnd ? undefined : newestSetOf(sources, name);
    const isOfSet = (pod: Pod) => set !== undefined && controllerOf(pod)?.uid === set.metadata.uid;
    const newest = own.filter(mayEnd ? isCompiledPod(compiled) : isOfSet);
    const waits = deploymentTrouble(sources, name);
    // While an update waits, the instances that serve are those of the version before: nothing is missing.
    const counted = waits && !isThrough(newest, service.instances) ? own : newest;
    const state = serviceState({
      instances: service.instances,
      newest: counted,
      mayEnd,
      olderCount: own.length - counted.length,
      available: set && counted === newest ? (set.status?.availableReplicas ?? 0) : undefined,
    });
    const isOver = counted === newest && waits?.isMeanwhile;
    const trouble = waits && { ...waits, message: withInstance(waits, state.trouble) };
    states.set(name, trouble && !isOver ? { ...state, updated: newest.filter(isActive).length, trouble } : state);
  }
  return states;
}

/** Which instance it is, where that is what is wrong. */
function withInstance({ reason, message }: Trouble, trouble: Trouble | undefined): string {
  return reason === 'DeadlineExceeded' && trouble ? `${message}: ${trouble.message}` : message;
}

function isThrough(newest: readonly Pod[], instances: number): boolean {
  return newest.filter(isActive).length >= instances;
}

function isCompiledPod(compiled: CompiledStack): (pod: Pod) => boolean {
  const names = new Set(
    compiled.workloads.filter((one) => one.kind.kind === 'Pod').map((one) => one.object.metadata.name),
  );
  return (pod) => names.has(pod.metadata.name);
}

function newestSetOf({ compiled, deployment, replicaSetsOf }: ServiceSources, name: string): ReplicaSet | undefined {
  const wanted = compiled.workloads.find((one) => one.service === name)?.object;
  const observed = wanted && deployment(wanted.metadata.name);
  const hash = (object: Deployment | NonNullable<typeof wanted>) =>
    object.metadata.annotations?.[annotations.appliedHash];
  if (!wanted || !observed || hash(observed) !== hash(wanted)) return undefined;
  return newestSet(observed, replicaSetsOf(observed.metadata.uid ?? ''));
}
