import type { WorkResult } from '../../lib/work-queue.ts';
import { nodes as nodeKind, type Pod, pods as podKind } from '../../resources/kinds.ts';
import { disruptionPatch } from '../../resources/pod-facts.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { startReconciler } from '../reconciler.ts';
import { noExecuteTaints, planTaintEviction } from './plan.ts';

const byNode = 'node';

/** Deletes pods from nodes whose NoExecute taints they do not tolerate (any more). Writes: deletion of Pods, and why. */
export function startTaintEvictionController(context: ControllerContext): RunningController {
  const { client, clock, events, log } = context;
  const pods = context.informers.of(podKind);
  const nodes = context.informers.of(nodeKind);
  const writer = createObjectWriter(client);
  /** When the taints were first seen at a pod, by node and pod uid; a new leader counts anew, as Kubernetes does. */
  const seen = new Map<string, Map<string, number>>();
  pods.index(byNode, ({ spec }) => (spec.nodeName ? [spec.nodeName] : []));
  const queue = startReconciler({ name: 'taint-eviction', context, reconcile, concurrency: 2 });
  nodes.onChange((name, node) => {
    if (seen.has(name) || noExecuteTaints(node).length > 0) queue.add(name);
  });
  pods.onChange((_key, pod, old) => {
    const { nodeName } = pod?.spec ?? {};
    if (nodeName && nodeName !== old?.spec.nodeName && noExecuteTaints(nodes.get(nodeName)).length > 0)
      queue.add(nodeName);
  });

  async function reconcile(name: string, signal: AbortSignal): Promise<WorkResult> {
    const node = nodes.get(name);
    if (!node || noExecuteTaints(node).length === 0) {
      seen.delete(name);
      return;
    }
    const nowMs = clock.monotonicMs();
    const before = seen.get(name);
    const since = new Map<string, number>();
    const own = pods.byIndex(byNode, name);
    for (const { metadata } of own) since.set(metadata.uid ?? '', before?.get(metadata.uid ?? '') ?? nowMs);
    seen.set(name, since);
    let nextMs: number | undefined;
    for (const step of planTaintEviction(node, own, (pod) => since.get(pod.metadata.uid ?? '') ?? nowMs, nowMs)) {
      if (step.type === 'evict') await evict(step.pod, step.taint, signal);
      else nextMs = Math.min(nextMs ?? Number.POSITIVE_INFINITY, step.untilMs);
    }
    return nextMs === undefined ? undefined : { againAfterMs: Math.max(1, nextMs - nowMs) };
  }

  async function evict(pod: Pod, taint: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = pod.metadata;
    log.info('pod evicted', { namespace, pod: name, node: pod.spec.nodeName, taint });
    const words = `Marking for deletion Pod ${namespace}/${name}: its node ${pod.spec.nodeName} has the taint ${taint}`;
    events.record(pod, 'Normal', 'TaintManagerEviction', words);
    const why = 'Taint manager: deleting due to NoExecute taint';
    const body = disruptionPatch('DeletionByTaintManager', why, clock.wallMs());
    await client.patch(podKind, { name, namespace }, { type: 'strategic', subresource: 'status', body }, { signal });
    await writer.remove(pods, pod, { signal });
  }

  return { stop: () => queue.stop() };
}
