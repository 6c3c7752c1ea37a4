import { isApiError } from '../../client/api-error.ts';
import type { WorkResult } from '../../lib/work-queue.ts';
import { formatTime } from '../../resources/conditions.ts';
import { type Node, nodes as nodeKind, type Pod, pods as podKind } from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { refOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { planNode } from './plan.ts';

/** How often this process looks whether it was itself asleep. */
const tickMs = 250;
/** A tick so late means: pings may have waited unread for as long. */
const lagMs = 1_000;

/**
 * Notices silent nodes. Writes: Node condition Ready=Unknown, Pod condition NodeLost; nothing else, and in particular no
 * deletion: a host that comes back has its pods still.
 */
export function startNodeLifecycleController(context: ControllerContext): RunningController {
  const { client, clock, events, liveness, log, settings } = context;
  const nodes = context.informers.of(nodeKind);
  const pods = context.informers.of(podKind);
  pods.index('node', (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []));
  const suspects = new Set<string>();
  let listeningSinceMs = clock.monotonicMs();

  const queue = startReconciler({ name: 'node-lifecycle', context, reconcile });
  nodes.onChange((key) => queue.add(key));
  // A pod that is bound to, or marked on, a node after the node was judged.
  pods.onChange((_key, object, old) => {
    const nodeName = object?.spec.nodeName;
    if (nodeName && (old?.spec.nodeName !== nodeName || object.status?.conditions !== old.status?.conditions))
      queue.add(nodeName);
  });
  const stopListening = liveness.onChange((grid, nodeName) => {
    if (grid === client.grid) queue.add(nodeName);
  });
  let lastTickMs = clock.monotonicMs();
  let cancelTick = clock.after(tickMs, tick);

  function tick(): void {
    const nowMs = clock.monotonicMs();
    if (nowMs - lastTickMs > tickMs + lagMs) {
      listeningSinceMs = nowMs;
      log.warn('this server was busy or asleep: silence of nodes is timed anew', {
        lagMs: Math.round(nowMs - lastTickMs - tickMs),
      });
    }
    lastTickMs = nowMs;
    cancelTick = clock.after(tickMs, tick);
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const node = nodes.get(key);
    if (!node) return;
    if (clock.monotonicMs() - lastTickMs > tickMs + lagMs) return { againAfterMs: tickMs }; // woke before the tick did
    const lastHeardMs = liveness.lastHeardMs(client.grid, key);
    const { steps, againAfterMs } = planNode({
      node,
      pods: pods.byIndex('node', key),
      lastHeardMs,
      listeningSinceMs,
      nowMs: clock.monotonicMs(),
      failoverAfterMs: settings.failoverAfterMs,
    });
    if (!steps.some((step) => step.type === 'noteSuspect')) suspects.delete(key);
    for (const step of steps) {
      if (step.type === 'markUnknown') await markUnknown(node, step.message, signal);
      else if (step.type === 'markLost') await setLost(step.pod, step.message, signal);
      else if (step.type === 'unmarkLost') await setLost(step.pod, undefined, signal);
      else if (!suspects.has(key)) {
        suspects.add(key);
        log.warn('node is silent', { node: key, silentMs: Math.round(step.silentMs) });
      }
    }
    return { againAfterMs };
  }

  async function markUnknown(node: Node, message: string, signal: AbortSignal): Promise<void> {
    const time = formatTime(clock.wallMs());
    const condition = {
      type: 'Ready',
      status: 'Unknown',
      reason: 'NodeSilent',
      message,
      lastHeartbeatTime: time,
      lastTransitionTime: time,
    };
    const patch = { type: 'strategic', subresource: 'status', body: { status: { conditions: [condition] } } } as const;
    const written = await client.patch(nodeKind, refOf(node), patch, { signal });
    nodes.noteWritten(written, node.metadata.resourceVersion);
    events.record(node, 'Warning', 'NodeLost', message);
    log.warn('node is lost', { node: node.metadata.name });
  }

  /** `message` undefined takes the condition away. */
  async function setLost(pod: Pod, message: string | undefined, signal: AbortSignal): Promise<void> {
    const type = podConditions.nodeLost;
    const condition =
      message === undefined
        ? { type, $patch: 'delete' }
        : { type, status: 'True', reason: 'NodeSilent', message, lastTransitionTime: formatTime(clock.wallMs()) };
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
      cancelTick();
      stopListening();
      await queue.stop();
    },
  };
}
