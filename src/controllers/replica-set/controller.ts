import type { WorkResult } from '../../lib/work-queue.ts';
import { isNodeSuspect } from '../../resources/failover.ts';
import { apiVersionOf } from '../../resources/kind.ts';
import {
  nodes as nodeKind,
  type Pod,
  pods as podKind,
  type ReplicaSet,
  replicaSets as replicaSetKind,
  services as serviceKind,
} from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { isNetworkBehind } from '../../resources/network-behind.ts';
import { isPodRouted } from '../../resources/pod-facts.ts';
import { matchesSelector } from '../../resources/selectors.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { controllerOf, controllerRef, keyOf, refOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { isSame } from '../same.ts';
import { selectsPod } from '../service-selection.ts';
import { refusalOf, withRefusal } from './failure.ts';
import { planReplicaSet, type ReplicaSetStep } from './plan.ts';

/** Keeps `spec.replicas` pods of each ReplicaSet. Writes: Pods (never their status), ReplicaSet.status. */
export function startReplicaSetController(context: ControllerContext): RunningController {
  const { client, clock, events, log } = context;
  const replicaSets = context.informers.of(replicaSetKind);
  const pods = context.informers.of(podKind);
  const services = context.informers.of(serviceKind);
  const nodes = context.informers.of(nodeKind);
  const writer = createObjectWriter(client);
  services.index('namespace', (service) => [service.metadata.namespace ?? '']);
  pods.index('controller', (pod) => [controllerOf(pod)?.uid ?? '']);
  pods.index('orphans', (pod) => (controllerOf(pod) ? [] : [pod.metadata.namespace ?? '']));
  replicaSets.index('namespace', (one) => [one.metadata.namespace ?? '']);
  /** Replica set uid → ordinals up to here have been used: a name is not given twice while this process lives. */
  const nextOrdinals = new Map<string, number>();

  const queue = startReconciler({ name: 'replica-set', context, reconcile });
  replicaSets.onChange((key, object, old) => {
    if (!object && old) nextOrdinals.delete(old.metadata.uid ?? '');
    queue.add(key);
  });
  pods.onChange((_key, object, old) => {
    for (const pod of [object, old]) {
      const owner = pod && controllerOf(pod);
      if (owner?.kind === 'ReplicaSet') queue.add(`${pod?.metadata.namespace}/${owner.name}`);
      else if (pod && !owner) queueMatching(pod);
    }
  });

  function queueMatching(pod: Pod): void {
    for (const one of replicaSets.byIndex('namespace', pod.metadata.namespace ?? '')) {
      if (matchesSelector(one.spec.selector, pod.metadata.labels)) queue.add(keyOf(one));
    }
  }

  /** What no service has needs nobody to follow it. */
  function isRouted(pod: Pod): boolean {
    if (isPodRouted(pod)) return true;
    return !services.byIndex('namespace', pod.metadata.namespace ?? '').some((service) => selectsPod(service, pod));
  }

  function isInDoubt(pod: Pod): boolean {
    const node = nodes.get(pod.spec.nodeName ?? '');
    if (!node) return false;
    return isNodeSuspect(node) || isNetworkBehind(node) || node.spec.unschedulable === true;
  }

  function nextOrdinal(replicaSet: ReplicaSet, owned: readonly Pod[]): number {
    const uid = replicaSet.metadata.uid ?? '';
    let next = nextOrdinals.get(uid) ?? 0;
    for (const pod of owned) {
      const ordinal = Number.parseInt(pod.metadata.annotations?.[annotations.ordinal] ?? '', 10);
      if (ordinal >= next) next = ordinal + 1;
    }
    nextOrdinals.set(uid, next);
    return next;
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const replicaSet = replicaSets.get(key);
    if (!replicaSet) return;
    const uid = replicaSet.metadata.uid ?? '';
    const matches = (pod: Pod) => matchesSelector(replicaSet.spec.selector, pod.metadata.labels);
    const owned = pods.byIndex('controller', uid);
    const plan = planReplicaSet({
      replicaSet,
      owned,
      orphans: pods.byIndex('orphans', replicaSet.metadata.namespace ?? '').filter(matches),
      matches,
      isBeingDeleted: (pod) => pods.isBeingDeleted(pod),
      isRouted,
      isInDoubt,
      nextOrdinal: nextOrdinal(replicaSet, owned),
      nowMs: clock.wallMs(),
    });
    const failure = await doAll(plan.steps, (step) => apply(replicaSet, step, signal));
    const refusal = refusalOf(failure);
    if (refusal !== undefined) events.record(replicaSet, 'Warning', 'FailedCreate', `Error creating: ${refusal}`);
    if (plan.held !== undefined) events.record(replicaSet, 'Warning', 'TooManyUnplaced', plan.held);
    const status = withRefusal(plan.status, refusal, clock.wallMs());
    if (!isSame(status, replicaSet.status)) {
      await writer.updateStatus(replicaSets, { ...replicaSet, status }, signal);
    }
    if (failure !== undefined) throw failure;
    // A burst was cut short, or pods were taken in or let go: look again.
    if (plan.steps.length > 0) queue.add(key);
    return plan.againAfterMs === undefined ? undefined : { againAfterMs: plan.againAfterMs };
  }

  async function apply(replicaSet: ReplicaSet, step: ReplicaSetStep, signal: AbortSignal): Promise<void> {
    const ref = refOf('pod' in step ? step.pod : replicaSet);
    switch (step.type) {
      case 'createPod': {
        nextOrdinals.set(
          replicaSet.metadata.uid ?? '',
          Math.max(step.ordinal + 1, nextOrdinals.get(replicaSet.metadata.uid ?? '') ?? 0),
        );
        const made = await writer.create(pods, podOf(replicaSet, step), signal);
        if (made) events.record(replicaSet, 'Normal', 'SuccessfulCreate', `Created pod: ${step.name}${whyOf(step)}`);
        else await learnTaken(replicaSet, step.name, signal);
        return;
      }
      case 'deletePod':
        await writer.remove(pods, step.pod, { signal });
        events.record(replicaSet, 'Normal', 'SuccessfulDelete', `Deleted pod: ${ref.name} (${step.why})`);
        return;
      case 'adoptPod':
      case 'releasePod': {
        const others = (step.pod.metadata.ownerReferences ?? []).filter((one) => one.uid !== replicaSet.metadata.uid);
        const ownerReferences =
          step.type === 'adoptPod' ? [...others, controllerRef(replicaSetKind, replicaSet)] : others;
        const metadata = { ...step.pod.metadata, ownerReferences };
        await writer.update(pods, { ...step.pod, metadata }, signal);
      }
    }
  }

  /** Somebody made a pod of this name: ourselves before the watch could show it, or a stranger. */
  async function learnTaken(replicaSet: ReplicaSet, name: string, signal: AbortSignal): Promise<void> {
    const taken = await client.get(podKind, { namespace: replicaSet.metadata.namespace, name }, { signal });
    if (controllerOf(taken)?.uid === replicaSet.metadata.uid) pods.noteWritten(taken, undefined);
    else log.debug('pod name is taken', { pod: name });
  }

  return { stop: () => queue.stop() };
}

function whyOf({ why }: { readonly why?: string }): string {
  return why === undefined ? '' : ` (${why})`;
}

/** The template made a pod; deterministic but for what the server fills in. */
function podOf(replicaSet: ReplicaSet, step: Extract<ReplicaSetStep, { type: 'createPod' }>): Pod {
  const { template } = step;
  return {
    apiVersion: apiVersionOf(podKind),
    kind: podKind.kind,
    metadata: {
      name: step.name,
      ...(replicaSet.metadata.namespace ? { namespace: replicaSet.metadata.namespace } : {}),
      generateName: `${replicaSet.metadata.name}-`,
      labels: { ...template.metadata?.labels },
      annotations: { ...template.metadata?.annotations, [annotations.ordinal]: String(step.ordinal) },
      ...(template.metadata?.finalizers ? { finalizers: template.metadata.finalizers } : {}),
      ownerReferences: [controllerRef(replicaSetKind, replicaSet)],
    },
    spec: template.spec ?? { containers: [] },
  };
}

/** Steps of one plan do not depend on each other: those begun are all tried. Gives the first failure. */
async function doAll<S>(steps: readonly S[], run: (step: S) => Promise<void>): Promise<unknown> {
  const atOnce = 16;
  let failure: unknown;
  for (let at = 0; at < steps.length; at += atOnce) {
    const results = await Promise.allSettled(steps.slice(at, at + atOnce).map(run));
    const failed = results.find((one) => one.status === 'rejected');
    if (failed && failure === undefined) failure = failed.reason;
    if (failure !== undefined) break;
  }
  return failure;
}
