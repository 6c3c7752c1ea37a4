import type { WorkResult } from '../../lib/work-queue.ts';
import { formatTime } from '../../resources/conditions.ts';
import { type Node, nodes as nodeKind } from '../../resources/kinds.ts';
import { nodeConditions } from '../../resources/names.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { refOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { planNodeRanges, saysExhausted } from './plan.ts';

const everything = 'nodes';

/** So many nodes that are gone are remembered, in case they come back. */
const maxFormer = 4_096;

/**
 * Gives each node its share of the pod range. Writes: Node.spec.podCIDR and podCIDRs, once a node; Node condition
 * `flotilla.dev/PodRangeExhausted`.
 */
export function startNodeRangeController(context: ControllerContext): RunningController {
  const { client, clock, events, gridSettings, log } = context;
  const nodes = context.informers.of(nodeKind);
  /** Node uid → share written and not shown by the watch yet: two nodes must never get the same. */
  const given = new Map<string, { readonly name: string; readonly podCIDR: string }>();
  /** By name, the one that went last at the end. Forgotten with the leader: then the lowest free share is as good as any. */
  const former = new Map<string, string>();
  // One key, one flight: shares are given one after the other.
  const queue = startReconciler({ name: 'node-range', context, reconcile, concurrency: 1 });
  nodes.onChange((_key, object, old) => {
    if (!object && old) {
      given.delete(old.metadata.uid ?? '');
      remember(old);
    }
    if (object?.spec.podCIDRs?.length) given.delete(object.metadata.uid ?? '');
    queue.add(everything);
  });
  const stopFollowing = gridSettings.onChange(() => queue.add(everything));

  function remember({ metadata, spec }: Node): void {
    const [share] = spec.podCIDRs ?? [];
    former.delete(metadata.name);
    if (share !== undefined) former.set(metadata.name, share);
    for (const name of former.keys()) {
      if (former.size <= maxFormer) break;
      former.delete(name);
    }
  }

  async function reconcile(_key: string, signal: AbortSignal): Promise<WorkResult> {
    const { podRange, nodePrefixLength } = await gridSettings.network();
    const steps = planNodeRanges({
      nodes: [...nodes.list()],
      podRange,
      nodePrefixLength,
      former,
      given: new Map([...given.values()].map((one) => [one.name, one.podCIDR])),
    });
    for (const step of steps) {
      const { node } = step;
      if (step.type === 'exhausted') {
        if (saysExhausted(node)) continue;
        events.record(node, 'Warning', 'PodRangeExhausted', step.reason);
        log.error('pod range exhausted', { node: node.metadata.name, podRange });
        await say(node, 'True', 'NoShareLeft', step.reason, signal);
        continue;
      }
      if (step.type === 'supplied') {
        await say(node, 'False', 'HasShare', `its share is ${node.spec.podCIDRs?.join(', ')}`, signal);
        continue;
      }
      given.set(node.metadata.uid ?? '', { name: node.metadata.name, podCIDR: step.podCIDR });
      const { resourceVersion } = node.metadata;
      const body = {
        // With the version read: a second leader in a hand-over must not overwrite a share that has been given.
        metadata: resourceVersion === undefined ? {} : { resourceVersion },
        spec: { podCIDR: step.podCIDR, podCIDRs: [step.podCIDR] },
      };
      try {
        const written = await client.patch(nodeKind, refOf(node), { type: 'merge', body }, { signal });
        nodes.noteWritten(written, resourceVersion);
      } catch (error) {
        given.delete(node.metadata.uid ?? '');
        throw error;
      }
      log.info('node has its share of the pod range', { node: node.metadata.name, podCIDR: step.podCIDR });
    }
  }

  async function say(node: Node, status: 'True' | 'False', reason: string, message: string, signal: AbortSignal) {
    const lastTransitionTime = formatTime(clock.wallMs());
    const condition = { type: nodeConditions.podRangeExhausted, status, reason, message, lastTransitionTime };
    const patch = { type: 'strategic', subresource: 'status', body: { status: { conditions: [condition] } } } as const;
    const written = await client.patch(nodeKind, refOf(node), patch, { signal });
    nodes.noteWritten(written, node.metadata.resourceVersion);
  }

  return {
    stop: async () => {
      stopFollowing();
      await queue.stop();
    },
  };
}
