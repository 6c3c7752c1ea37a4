import { isApiError } from '../../client/api-error.ts';
import { messageOf } from '../../lib/errors.ts';
import { WorkQueue } from '../../lib/work-queue.ts';
import { formatTime } from '../../resources/conditions.ts';
import {
  type Node,
  nodes as nodeKind,
  type Pod,
  pods as podKind,
  type Volume,
  volumes as volumeKind,
} from '../../resources/kinds.ts';
import { podCondition } from '../../resources/pod-facts.ts';
import type { PodDemand } from '../../scheduler/node-state.ts';
import { type Placement, place } from '../../scheduler/place.ts';
import { nodeFacts, podDemand } from '../../scheduler/pod-demand.ts';
import {
  applyNode,
  applyPod,
  applyVolume,
  createSnapshot,
  forgetPod,
  forgetVolumeOwner,
} from '../../scheduler/snapshot.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { keyOf, refOf, refOfKey } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { isSame } from '../same.ts';
import { classOf } from './pod-classes.ts';

const batch = 'batch';
/** Pods decided on together; what is decided is written before the next are looked at. */
const batchSize = 200;
/** Writes under way at once. */
const writersAtOnce = 32;
/** What fits nowhere is looked at again this long after something changed that could help: changes come in groups. */
const retryAfterMs = 50;

/**
 * Binds waiting pods to nodes. Writes: Pod.spec.nodeName (by binding), Volume.spec.nodeName (before the first pod that
 * uses it is bound), Pod condition PodScheduled=False with its sentence. A pod that fits nowhere waits, without polling,
 * for a change that could help.
 */
export function startScheduler(context: ControllerContext): RunningController {
  const { client, clock, events, log } = context;
  const nodes = context.informers.of(nodeKind);
  const pods = context.informers.of(podKind);
  const volumes = context.informers.of(volumeKind);
  const snapshot = createSnapshot();
  /** Pods to decide on, in the order they came. */
  const waiting = new Map<string, PodDemand>();
  /** Pods that fit nowhere, until something changes. */
  const stuck = new Map<string, PodDemand>();
  /** Decided, until the watch shows it: its older view of them must not undo the decision. Pod key → uid. */
  const inFlight = new Map<string, string>();

  const queue = startReconciler({ name: 'scheduler', context, reconcile, concurrency: 1 });
  /** Volumes of pods that were placed by naming their node. */
  const claims = new WorkQueue({ work: claimForNamed, clock });

  nodes.onChange((key, object, old) => {
    applyNode(snapshot, key, object && nodeFacts(object));
    if (object && couldHelp(object, old)) retryStuck();
  });
  volumes.onChange((key, object) => {
    applyVolume(snapshot, key, object && !object.metadata.deletionTimestamp ? (object.spec.nodeName ?? '') : undefined);
    retryStuck();
  });
  pods.onChange((key, object, old) => {
    const kind = classOf(object);
    if (kind !== 'waiting') {
      forgetWaiting(key);
      inFlight.delete(key);
    }
    if (kind === 'placed' && object?.spec.nodeName) {
      applyPod(snapshot, podDemand(object), object.spec.nodeName);
      if (!old?.spec.nodeName) claimVolumesOfNamed(object);
    } else if (kind === 'ignored') {
      if (snapshot.pods.has(key)) retryStuck();
      forgetPod(snapshot, key);
    } else if (object && inFlight.get(key) !== object.metadata.uid && isNewToUs(key, object)) {
      if (snapshot.pods.has(key)) forgetPod(snapshot, key); // a new pod of the same name
      waiting.set(key, podDemand(object));
      stuck.delete(key);
      queue.add(batch);
    }
  });

  /** A status write (ours, too) is no reason to look at a pod again. */
  function isNewToUs(key: string, pod: Pod): boolean {
    const known = waiting.get(key) ?? stuck.get(key);
    return known === undefined || known.uid !== pod.metadata.uid || known.shape !== podDemand(pod).shape;
  }

  function forgetWaiting(key: string): void {
    waiting.delete(key);
    stuck.delete(key);
  }

  function retryStuck(): void {
    if (stuck.size === 0) return;
    for (const [key, demand] of stuck) waiting.set(key, demand);
    stuck.clear();
    queue.addAfter(batch, retryAfterMs);
  }

  async function reconcile(_key: string, signal: AbortSignal): Promise<void> {
    const chosen = [...waiting.values()].slice(0, batchSize);
    for (const demand of chosen) waiting.delete(demand.key);
    const placements = place(chosen, snapshot);
    for (const one of placements) {
      if (one.placed) inFlight.set(one.pod.key, one.pod.uid);
      else stuck.set(one.pod.key, one.pod);
    }
    await inParallel(placements, (one) => (one.placed ? bind(one, signal) : explain(one, signal)));
    if (waiting.size > 0) queue.add(batch);
  }

  async function bind(one: Placement & { placed: true }, signal: AbortSignal): Promise<void> {
    const { pod, nodeName } = one;
    try {
      for (const key of one.volumesToOwn) await ownVolume(key, nodeName, signal);
      await client.bindPod(refOfKey(pod.key), nodeName, { uid: pod.uid, signal });
      const shown = pods.get(pod.key);
      if (shown) events.record(shown, 'Normal', 'Scheduled', `Successfully assigned ${pod.key} to ${nodeName}`);
    } catch (error) {
      inFlight.delete(pod.key);
      undo(one);
      if (isApiError(error, 'NotFound') || isApiError(error, 'Conflict')) {
        // Gone, another one, bound by somebody else, or its volume went elsewhere: what the watch shows decides.
        const shown = pods.get(pod.key);
        if (shown && shown.metadata.uid === pod.uid && classOf(shown) === 'waiting') lookAgain(pod);
        return;
      }
      log.warn('pod could not be bound', { pod: pod.key, node: nodeName, error });
      lookAgain(pod);
    }
  }

  function undo({ pod, volumesToOwn }: Placement & { placed: true }): void {
    const shown = pods.get(pod.key);
    if (shown && classOf(shown) === 'placed' && shown.spec.nodeName)
      applyPod(snapshot, podDemand(shown), shown.spec.nodeName);
    else forgetPod(snapshot, pod.key);
    for (const key of volumesToOwn) forgetVolumeOwner(snapshot, key);
  }

  function lookAgain(demand: PodDemand): void {
    waiting.set(demand.key, demand);
    queue.addAfter(batch, 500);
  }

  /** Conflict when another node owns it by now. */
  async function ownVolume(key: string, nodeName: string, signal: AbortSignal): Promise<void> {
    const volume: Volume = volumes.get(key) ?? (await client.get(volumeKind, refOfKey(key), { signal }));
    if (volume.spec.nodeName === nodeName) return;
    const { resourceVersion } = volume.metadata;
    const body = { metadata: resourceVersion === undefined ? {} : { resourceVersion }, spec: { nodeName } };
    const written = await client.patch(volumeKind, refOf(volume), { type: 'merge', body }, { signal });
    volumes.noteWritten(written, resourceVersion);
    applyVolume(snapshot, key, nodeName);
  }

  function claimVolumesOfNamed(pod: Pod): void {
    for (const key of podDemand(pod).volumes)
      if (snapshot.volumes.get(key) === '') claims.add(`${key} ${pod.spec.nodeName}`);
  }

  async function claimForNamed(claim: string, signal: AbortSignal): Promise<void> {
    const [key = '', nodeName = ''] = claim.split(' ');
    if (snapshot.volumes.get(key) !== '') return;
    try {
      await ownVolume(key, nodeName, signal);
    } catch (error) {
      if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) throw error;
    }
  }

  async function explain({ pod, reason }: Placement & { placed: false }, signal: AbortSignal): Promise<void> {
    const shown = pods.get(pod.key);
    if (!shown || shown.metadata.uid !== pod.uid || podCondition(shown, 'PodScheduled')?.message === reason) return;
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message: reason,
      lastTransitionTime: podCondition(shown, 'PodScheduled')?.lastTransitionTime ?? formatTime(clock.wallMs()),
    };
    try {
      const patch = {
        type: 'strategic',
        subresource: 'status',
        body: { status: { conditions: [condition] } },
      } as const;
      const written = await client.patch(podKind, refOf(shown), patch, { signal });
      pods.noteWritten(written, shown.metadata.resourceVersion);
      events.record(shown, 'Warning', 'FailedScheduling', reason);
    } catch (error) {
      if (!isApiError(error, 'NotFound'))
        log.warn('pod could not be told why it waits', { pod: pod.key, error: messageOf(error) });
    }
  }

  return {
    stop: async () => {
      await Promise.all([queue.stop(), claims.stop()]);
    },
  };
}

/** Heartbeats are not news: only what filters look at. */
function couldHelp(node: Node, old: Node | undefined): boolean {
  return old === undefined || !isSame(nodeFacts(node), nodeFacts(old)) || keyOf(node) !== keyOf(old);
}

async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const worker = async () => {
    for (const item of left) await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(writersAtOnce, items.length) }, worker));
}
