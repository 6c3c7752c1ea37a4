import { isApiError } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import type { EventRecorder } from '../../client/events.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { formatTime } from '../../resources/conditions.ts';
import { type Node, nodes as nodeKind, type Pod, pods as podKind } from '../../resources/kinds.ts';
import { nodeConditions, podConditions } from '../../resources/names.ts';
import { createObjectWriter } from '../object-writer.ts';
import { refOf } from '../owners.ts';
import type { SharedInformer } from '../shared-informer.ts';
import type { NodeConditionWanted, NodeLifecycleStep } from './plan.ts';

export interface StepWriterOptions {
  readonly client: Client;
  readonly nodes: SharedInformer<Node>;
  readonly pods: SharedInformer<Pod>;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Does what was planned for one node, and tells people about it. */
export interface StepWriter {
  /** Throws ApiError; what was done until then stays, and the next plan goes on from there. */
  apply(node: Node, steps: readonly NodeLifecycleStep[], signal: AbortSignal): Promise<void>;
}

const writesAtOnce = 16;

export function createStepWriter(options: StepWriterOptions): StepWriter {
  const { client, nodes, pods, events, clock, log } = options;
  const writer = createObjectWriter(client);

  /** The node's own marks first: they are what counts as "given up". */
  async function apply(node: Node, steps: readonly NodeLifecycleStep[], signal: AbortSignal): Promise<void> {
    for (const step of steps) if (step.type === 'mark') await mark(node, step, signal);
    const wanted = steps.filter((step) => step.type === 'setCondition');
    if (wanted.length > 0) await setConditions(node, wanted, signal);
    const ofPods = steps.filter((step) => step.type !== 'mark' && step.type !== 'setCondition').values();
    const worker = async () => {
      for (const step of ofPods) await applyToPod(step, signal);
    };
    await Promise.all(Array.from({ length: writesAtOnce }, worker));
  }

  async function mark(node: Node, step: NodeLifecycleStep & { type: 'mark' }, signal: AbortSignal): Promise<void> {
    const { resourceVersion } = node.metadata;
    const body = {
      metadata: { ...(resourceVersion === undefined ? {} : { resourceVersion }), annotations: step.annotations },
      spec: { taints: step.taints.length > 0 ? step.taints : null },
    };
    const written = await client.patch(nodeKind, refOf(node), { type: 'merge', body }, { signal });
    nodes.noteWritten(written, resourceVersion);
    const reason = { lost: 'NodeLost', held: 'NodeFlapping', usable: 'NodeReturned' }[step.as];
    events.record(node, step.as === 'usable' ? 'Normal' : 'Warning', reason, step.message);
    log.warn('node judged anew', { node: node.metadata.name, as: step.as, why: step.message });
  }

  async function setConditions(
    node: Node,
    steps: readonly (NodeLifecycleStep & { type: 'setCondition' })[],
    signal: AbortSignal,
  ): Promise<void> {
    const conditions = steps.map(({ condition }) => conditionAt(node, condition, clock.wallMs()));
    const patch = { type: 'strategic', subresource: 'status', body: { status: { conditions } } } as const;
    const written = await client.patch(nodeKind, refOf(node), patch, { signal });
    nodes.noteWritten(written, node.metadata.resourceVersion);
    for (const { condition, reasonOfEvent } of steps) {
      if (reasonOfEvent === undefined) continue;
      const isNews = condition.status !== 'False' || condition.type !== nodeConditions.suspect;
      events.record(node, isNews ? 'Warning' : 'Normal', reasonOfEvent, sentenceOf(node, condition));
      log.info('node condition', { node: node.metadata.name, ...condition });
    }
  }

  async function applyToPod(step: NodeLifecycleStep, signal: AbortSignal): Promise<void> {
    try {
      if (step.type === 'loseNodeOf') await setNodeLost(step.pod, 'True', step.message, signal);
      else if (step.type === 'countAgain') await setNodeLost(step.pod, 'False', step.message, signal);
      else if (step.type === 'deletePod') {
        events.record(step.pod, 'Warning', 'NodeLost', `deleted: ${step.why}`);
        await writer.remove(pods, step.pod, { signal, gracePeriodSeconds: 0 });
      }
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }

  async function setNodeLost(pod: Pod, status: 'True' | 'False', message: string, signal: AbortSignal): Promise<void> {
    const isLost = status === 'True';
    const reason = isLost ? 'NodeSilent' : 'NodeReturned';
    const lastTransitionTime = formatTime(clock.wallMs());
    const condition = { type: podConditions.nodeLost, status, reason, message, lastTransitionTime };
    const patch = { type: 'strategic', subresource: 'status', body: { status: { conditions: [condition] } } } as const;
    const written = await client.patch(podKind, refOf(pod), patch, { signal });
    pods.noteWritten(written, pod.metadata.resourceVersion);
    events.record(pod, isLost ? 'Warning' : 'Normal', isLost ? 'NodeLost' : 'NodeReturned', message);
  }

  return { apply };
}

function sentenceOf(node: Node, { status, message }: NodeConditionWanted): string {
  if (status !== 'Unknown') return message;
  return `${message}; its pods stay. If it is lost: flotilla node lost ${node.metadata.name} --confirm`;
}

function conditionAt(node: Node, wanted: NodeConditionWanted, wallMs: number): object {
  const old = node.status?.conditions?.find((one) => one.type === wanted.type);
  const lastTransitionTime = old?.status === wanted.status ? old.lastTransitionTime : formatTime(wallMs);
  return { ...wanted, ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }) };
}
