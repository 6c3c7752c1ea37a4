import { isApiError } from '../../client/api-error.ts';
import type { WorkResult } from '../../lib/work-queue.ts';
import { formatTime } from '../../resources/conditions.ts';
import {
  type Pod,
  pods as podKind,
  services as serviceKind,
  endpointSlices as sliceKind,
} from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import { isPodFinished, isPodReady, isPodRouted, isPodTerminating, podCondition } from '../../resources/pod-facts.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { refOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { selectsPod } from '../service-selection.ts';
import { type FollowingStep, newestRevision } from './following.ts';
import { startNodeMarks } from './node-marks.ts';
import { planWithdrawal } from './plan.ts';
import { planRouting } from './routing-plan.ts';
import { WaitingPods } from './waiting-pods.ts';

/** A node that falls silent says nothing any more. */
const recheckMs = 500;

/**
 * Lets a pod that is being deleted stop when no node sends it new connections any more, and counts one that is new when all do.
 * Writes: Pod conditions Withdrawn and Routed, Node condition NetworkBehind.
 */
export function startWithdrawalController(context: ControllerContext): RunningController {
  const { client, clock, events, metrics } = context;
  const pods = context.informers.of(podKind);
  const services = context.informers.of(serviceKind);
  const slices = context.informers.of(sliceKind);
  services.index('namespace', (service) => [service.metadata.namespace ?? '']);
  slices.index('namespace', (slice) => [slice.metadata.namespace ?? '']);
  slices.index('pod', (slice) => (slice.endpoints ?? []).flatMap(({ targetRef }) => targetRef?.uid ?? []));
  const going = new WaitingPods();
  const coming = new WaitingPods();
  /** They stay, and are not ready any more. */
  const stepping = new WaitingPods();
  const withdrawals = startReconciler({ name: 'withdrawal', context, reconcile: withdraw, concurrency: 16 });
  const routings = startReconciler({ name: 'routing', context, reconcile: route, concurrency: 16 });
  const nodes = startNodeMarks(context, (name, revision) => {
    for (const key of going.settle(name, revision)) withdrawals.add(key);
    for (const waiting of [coming, stepping]) {
      for (const key of waiting.settle(name, revision)) routings.add(key);
    }
  });

  pods.onChange((key, pod, old) => {
    if (!pod) {
      for (const waiting of [going, coming, stepping]) waiting.delete(key);
    } else if (isAwaited(pod)) {
      if (!(old && isPodTerminating(old))) withdrawals.add(key);
    } else if (isRoutable(pod) !== (old !== undefined && isRoutable(old))) routings.add(key);
  });
  slices.onChange((_key, slice, old) => {
    for (const one of [slice, old]) {
      for (const { targetRef } of one?.endpoints ?? []) {
        const key = `${targetRef?.namespace ?? ''}/${targetRef?.name ?? ''}`;
        const pod = pods.get(key);
        if (pod && isAwaited(pod)) withdrawals.add(key);
        else if (pod && isRoutable(pod)) routings.add(key);
      }
    }
  });

  function servicesOf(pod: Pod): readonly string[] {
    return services
      .byIndex('namespace', pod.metadata.namespace ?? '')
      .filter((service) => !service.metadata.deletionTimestamp && selectsPod(service, pod))
      .map(({ metadata }) => metadata.name);
  }

  function slicesOf({ metadata: { namespace = '', uid = '' } }: Pod) {
    return {
      slices: slices.byIndex('pod', uid),
      newestRevision: () => newestRevision(slices.byIndex('namespace', namespace)),
    };
  }

  async function withdraw(key: string, signal: AbortSignal): Promise<WorkResult> {
    const pod = pods.get(key);
    if (!pod || !isAwaited(pod)) return void going.delete(key);
    const { uid = '' } = pod.metadata;
    const nowMs = clock.monotonicMs();
    const step = planWithdrawal({
      pod,
      isSelected: servicesOf(pod).length > 0,
      ...slicesOf(pod),
      nodes: nodes.watermarks(),
      first: going.first(key, uid),
      nowMs,
    });
    if (step.type === 'awaitSlices') return void going.delete(key);
    if (step.type === 'awaitNodes') return waitFor(going, key, uid, step, nowMs);
    nodes.giveUp(step.lagging, step.revision);
    going.delete(key);
    await write(pod, podConditions.withdrawn, true, step.message, signal);
    metrics.withdrawn.observe(step.waitedMs / 1_000);
    if (step.revision > 0) events.record(pod, 'Normal', 'Withdrawn', `No new connections come here: ${step.message}`);
  }

  async function route(key: string, signal: AbortSignal): Promise<WorkResult> {
    const pod = pods.get(key);
    if (!pod) return;
    const { uid = '' } = pod.metadata;
    const isReady = isPodReady(pod);
    const [waiting, other] = isReady ? [coming, stepping] : [stepping, coming];
    other.delete(key);
    const nowMs = clock.monotonicMs();
    const step = planRouting({
      pod,
      services: servicesOf(pod),
      ...slicesOf(pod),
      nodes: nodes.watermarks(),
      first: waiting.first(key, uid),
      nowMs,
    });
    if (step.type === 'awaitNodes') return waitFor(waiting, key, uid, step, nowMs);
    waiting.delete(key);
    if (step.type === 'none') return;
    nodes.giveUp(step.lagging, step.revision);
    await write(pod, podConditions.routed, isReady, step.message, signal);
    if (isReady) metrics.routed.observe(step.waitedMs / 1_000);
  }

  function waitFor(
    waiting: WaitingPods,
    key: string,
    uid: string,
    step: FollowingStep & { readonly type: 'awaitNodes' },
    nowMs: number,
  ): WorkResult {
    const first = waiting.first(key, uid) ?? { atMs: nowMs, revision: step.revision };
    waiting.set(key, uid, first, step.lagging);
    return { againAfterMs: Math.max(1, Math.min(recheckMs, step.untilMs - nowMs)) };
  }

  async function write(pod: Pod, type: string, isTrue: boolean, message: string, signal: AbortSignal): Promise<void> {
    const name = type.slice(type.indexOf('/') + 1);
    const condition = {
      ...{ type, status: isTrue ? 'True' : 'False', reason: isTrue ? name : `Not${name}`, message },
      lastTransitionTime: formatTime(clock.wallMs()),
    };
    const patch = { type: 'strategic', subresource: 'status', body: { status: { conditions: [condition] } } } as const;
    try {
      const written = await client.patch(podKind, refOf(pod), patch, { signal });
      pods.noteWritten(written, pod.metadata.resourceVersion);
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }

  return {
    stop: async () => {
      await Promise.all([withdrawals.stop(), routings.stop(), nodes.stop()]);
    },
  };
}

function isAwaited(pod: Pod): boolean {
  if (!isPodTerminating(pod) || !pod.spec.nodeName || isPodFinished(pod)) return false;
  return podCondition(pod, podConditions.withdrawn)?.status !== 'True';
}

/** Ready, and nobody has said yet that it is routed; or the other way round. */
function isRoutable(pod: Pod): boolean {
  if (isPodTerminating(pod) || isPodFinished(pod) || !pod.spec.nodeName) return false;
  return isPodReady(pod) !== isPodRouted(pod);
}
