import type { WorkResult } from '../../lib/work-queue.ts';
import { formatTime } from '../../resources/conditions.ts';
import { type Node, nodes as nodeKind } from '../../resources/kinds.ts';
import { nodeConditions } from '../../resources/names.ts';
import { behindReasonOf } from '../../resources/network-behind.ts';
import type { ControllerContext } from '../controller-context.ts';
import { refOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { type NodeWatermark, patienceMs } from './following.ts';

/** A node silent for longer is not waited for. One whose agent was killed is back within this time, with a kernel that sends on as it did. */
const deadAfterMs = patienceMs;

/** How far nodes have applied what they were sent, and which of them are no longer waited for. */
export interface NodeMarks {
  /** Nodes that are heard by this server, and tell. */
  watermarks(): NodeWatermark[];
  /** They were waited for in vain: nobody waits for them again before they have reached the revision. */
  giveUp(names: readonly string[], revision: number): void;
  stop(): Promise<void>;
}

/**
 * Writes: Node condition NetworkBehind. `onTold`: a node tells that it follows up to a revision, or that it cannot (Infinity: nobody
 * waits for it).
 */
export function startNodeMarks(
  context: ControllerContext,
  onTold: (nodeName: string, revision: number) => void,
): NodeMarks {
  const { client, clock, events, liveness, log } = context;
  const nodes = context.informers.of(nodeKind);
  /** Node → what it has to reach before it is waited for again. */
  const behind = new Map<string, number>();
  /** Since when a node has told nothing: its agent was started then. One that is started again and again counts from the first time. */
  const startedMs = new Map<string, number>();
  const queue = startReconciler({ name: 'network-behind', context, reconcile, concurrency: 1 });
  nodes.onChange((name, node) => {
    if (node) return;
    behind.delete(name);
    startedMs.delete(name);
  });

  const stopListening = liveness.onApplied((grid, name) => {
    if (grid !== client.grid) return;
    const applied = liveness.appliedOf(grid, name);
    if (applied && applied.revision > 0) startedMs.delete(name);
    const isAsked = applied !== undefined && applied.problem === undefined;
    onTold(name, isAsked ? applied.revision : Number.POSITIVE_INFINITY);
    if (applied && applied.revision >= (behind.get(name) ?? Number.POSITIVE_INFINITY)) behind.delete(name);
    if (isMarked(nodes.get(name)) !== isBehind(name) || isAnotherReason(name)) queue.add(name);
  });

  function sinceStart(name: string, revision: number, nowMs: number): Pick<NodeWatermark, 'name' | 'startedMs'> {
    if (revision > 0) {
      startedMs.delete(name);
      return { name };
    }
    const since = startedMs.get(name) ?? nowMs;
    startedMs.set(name, since);
    return { name, startedMs: since };
  }

  const isBehind = (name: string): boolean =>
    behind.has(name) || liveness.appliedOf(client.grid, name)?.problem !== undefined;

  const reasonOf = (name: string) => behindReasonOf(liveness.appliedOf(client.grid, name) ?? { revision: 0 });
  /** Its proxy alone was sick, and now its names are, too. */
  const isAnotherReason = (name: string): boolean => {
    const marked = markOf(nodes.get(name));
    return marked?.status === 'True' && isBehind(name) && marked.reason !== reasonOf(name);
  };

  async function reconcile(name: string, signal: AbortSignal): Promise<WorkResult> {
    const node = nodes.get(name);
    if (!node || (isMarked(node) === isBehind(name) && !isAnotherReason(name))) return;
    const isNow = isBehind(name);
    const { problem } = liveness.appliedOf(client.grid, name) ?? {};
    const message = isNow
      ? (problem ?? `its names and service addresses have not followed a change for ${patienceMs / 1000} s`)
      : 'its names and service addresses follow';
    const condition = {
      ...{ type: nodeConditions.networkBehind, status: isNow ? 'True' : 'False', message },
      reason: isNow ? reasonOf(name) : 'ChangesApplied',
      lastTransitionTime: formatTime(clock.wallMs()),
    };
    const patch = { type: 'strategic', subresource: 'status', body: { status: { conditions: [condition] } } } as const;
    const written = await client.patch(nodeKind, refOf(node), patch, { signal });
    nodes.noteWritten(written, node.metadata.resourceVersion);
    events.record(node, isNow ? 'Warning' : 'Normal', isNow ? 'NetworkBehind' : 'NetworkFollows', message);
  }

  return {
    watermarks() {
      const nowMs = clock.monotonicMs();
      const found: NodeWatermark[] = [];
      for (const { metadata } of nodes.list()) {
        const applied = liveness.appliedOf(client.grid, metadata.name);
        const heardMs = liveness.lastHeardMs(client.grid, metadata.name);
        if (!applied || heardMs === undefined || nowMs - heardMs > deadAfterMs) continue;
        found.push({
          ...sinceStart(metadata.name, applied.revision, nowMs),
          applied,
          isBehind: behind.has(metadata.name),
        });
      }
      return found;
    },
    giveUp(names, revision) {
      for (const name of names) {
        behind.set(name, revision);
        queue.add(name);
        log.warn('a node does not follow; nobody waits for it any more', { node: name, revision });
      }
    },
    stop: async () => {
      stopListening();
      await queue.stop();
    },
  };
}

function isMarked(node: Node | undefined): boolean {
  return markOf(node)?.status === 'True';
}

function markOf(node: Node | undefined) {
  return node?.status?.conditions?.find(({ type }) => type === nodeConditions.networkBehind);
}
