import type { WorkResult } from '../../lib/work-queue.ts';
import { nodes as nodeKind } from '../../resources/kinds.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { refOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { planNodeRanges } from './plan.ts';

const everything = 'nodes';

/** Gives each node its share of the pod range. Writes: Node.spec.podCIDR and podCIDRs, once a node. */
export function startNodeRangeController(context: ControllerContext): RunningController {
  const { client, events, settings, log } = context;
  const nodes = context.informers.of(nodeKind);
  /** Node uid → share written and not shown by the watch yet: two nodes must never get the same. */
  const given = new Map<string, { readonly name: string; readonly podCIDR: string }>();
  // One key, one flight: shares are given one after the other.
  const queue = startReconciler({ name: 'node-range', context, reconcile, concurrency: 1 });
  nodes.onChange((_key, object, old) => {
    if (!object && old) given.delete(old.metadata.uid ?? '');
    if (object?.spec.podCIDRs?.length) given.delete(object.metadata.uid ?? '');
    queue.add(everything);
  });

  async function reconcile(_key: string, signal: AbortSignal): Promise<WorkResult> {
    const steps = planNodeRanges({
      nodes: [...nodes.list()],
      podRange: settings.podRange,
      nodePrefixLength: settings.nodePrefixLength,
      given: new Map([...given.values()].map((one) => [one.name, one.podCIDR])),
    });
    for (const step of steps) {
      const { node } = step;
      if (step.type === 'exhausted') {
        events.record(node, 'Warning', 'PodRangeExhausted', step.reason);
        log.error('pod range exhausted', { node: node.metadata.name, podRange: settings.podRange });
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

  return { stop: () => queue.stop() };
}
