import type { Deployment, Pod, ReplicaSet, Stack } from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import { type CompiledStack, serviceSelector } from '../../stack/compile.ts';
import { newestSet } from '../deployment/replica-set-for.ts';
import { controllerOf } from '../owners.ts';
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
    const isNewest = mayEnd ? isCompiledPod(compiled) : ofNewestTemplate(sources, name);
    const newest = own.filter(isNewest);
    states.set(
      name,
      serviceState({ instances: service.instances, newest, mayEnd, olderCount: own.length - newest.length }),
    );
  }
  return states;
}

function isCompiledPod(compiled: CompiledStack): (pod: Pod) => boolean {
  const names = new Set(
    compiled.workloads.filter((one) => one.kind.kind === 'Pod').map((one) => one.object.metadata.name),
  );
  return (pod) => names.has(pod.metadata.name);
}

function ofNewestTemplate(
  { compiled, deployment, replicaSetsOf }: ServiceSources,
  name: string,
): (pod: Pod) => boolean {
  const wanted = compiled.workloads.find((one) => one.service === name)?.object;
  const observed = wanted && deployment(wanted.metadata.name);
  const hash = (object: Deployment | NonNullable<typeof wanted>) =>
    object.metadata.annotations?.[annotations.appliedHash];
  if (!wanted || !observed || hash(observed) !== hash(wanted)) return () => false;
  const newest = newestSet(observed, replicaSetsOf(observed.metadata.uid ?? ''));
  return (pod) => newest !== undefined && controllerOf(pod)?.uid === newest.metadata.uid;
}
