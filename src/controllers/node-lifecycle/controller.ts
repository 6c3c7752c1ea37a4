import { isApiError } from '../../client/api-error.ts';
import type { WorkResult } from '../../lib/work-queue.ts';
import { formatTime } from '../../resources/conditions.ts';
import { isNodeLost } from '../../resources/failover.ts';
import { type Node, nodes as nodeKind, type Pod, pods as podKind } from '../../resources/kinds.ts';
import { annotations, nodeConditions, nodeTaints, podConditions } from '../../resources/names.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { refOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { type Judgement, judgeNodes, type NodeSigns, type Verdict } from './judge.ts';
import { createPeerProbes } from './peer-probes.ts';
import { type NodeConditionWanted, type NodeLifecycleStep, planNode } from './plan.ts';

/** How often nodes are judged, and this process looks whether it was itself asleep. */
const tickMs = 250;
/** A tick so late means: pings may have waited unread for as long. */
const lagMs = 1_000;
/** Judged anew for a reconcile when the last judgement is older. */
const judgementValidMs = 50;
const writesAtOnce = 16;

/**
 * Decides who is lost. Writes: Node conditions Suspect, Flapping and Ready=Unknown, the taints unreachable and flapping, the
 * annotations lost-times and (takes away) lost-confirmed; Pod condition NodeLost. Deletes pods only where an operator
 * confirmed the loss: a host that comes back has its pods still.
 */
export function startNodeLifecycleController(context: ControllerContext): RunningController {
  const { client, clock, events, liveness, log, gridSettings } = context;
  const nodes = context.informers.of(nodeKind);
  const pods = context.informers.of(podKind);
  const writer = createObjectWriter(client);
  pods.index('node', (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []));
  let listeningSinceMs = clock.monotonicMs();
  let judgement: Judgement = { verdicts: new Map(), doubtedMs: new Map(), targets: [], askers: [] };
  let judgedMs = Number.NEGATIVE_INFINITY;
  /** Since when a node has been heard without a suspicion in between. */
  const heardSinceMs = new Map<string, number>();
  const lastStates = new Map<string, string>();

  const probes = createPeerProbes({
    grid: client.grid,
    askPeers: context.askPeers,
    addressesOf,
    onFindings: judgeAll,
    clock,
    log,
  });
  const queue = startReconciler({ name: 'node-lifecycle', context, reconcile });
  nodes.onChange((key, object) => {
    if (!object) for (const map of [heardSinceMs, lastStates]) map.delete(key);
    queue.add(key);
  });
  // A pod that is bound to, or marked on, a node after the node was judged.
  pods.onChange((_key, object, old) => {
    const nodeName = object?.spec.nodeName;
    if (nodeName && (old?.spec.nodeName !== nodeName || object.status?.conditions !== old.status?.conditions))
      queue.add(nodeName);
  });
  const stopListening = liveness.onChange((of, nodeName) => {
    if (of === client.grid) queue.add(nodeName);
  });
  const stopFollowing = gridSettings.onChange(() => {
    for (const node of nodes.list()) queue.add(node.metadata.name);
  });
  let lastTickMs = clock.monotonicMs();
  let cancelTick = clock.after(tickMs, tick);

  function tick(): void {
    const nowMs = clock.monotonicMs();
    if (nowMs - lastTickMs > tickMs + lagMs) {
      doubtOurselves('this server was busy or asleep', { lagMs: Math.round(nowMs - lastTickMs - tickMs) });
    }
    lastTickMs = nowMs;
    judgeAll();
    probes.ask(judgement.targets, judgement.askers);
    cancelTick = clock.after(tickMs, tick);
  }

  function doubtOurselves(why: string, fields: object): void {
    listeningSinceMs = clock.monotonicMs();
    log.warn('silence of nodes is timed anew', { why, ...fields });
  }

  /** Everybody at once: many silent nodes mean something else than one. */
  function judgeAll(): void {
    const nowMs = clock.monotonicMs();
    const signs = [...nodes.list()].map((node) => signsOf(node));
    const { doubtedMs } = judgement;
    judgement = judgeNodes({ nodes: signs, listeningSinceMs, nowMs, probes: probes.findings, doubtedMs });
    judgedMs = nowMs;
    for (const [name, verdict] of judgement.verdicts) {
      if (verdict.state === 'silent' || verdict.state === 'doubted') heardSinceMs.delete(name);
      else if (verdict.state === 'heard' && !heardSinceMs.has(name)) heardSinceMs.set(name, nowMs);
      const state = textOf(verdict);
      if (lastStates.get(name) === state) continue;
      lastStates.set(name, state);
      queue.add(name);
    }
  }

  function signsOf(node: Node): NodeSigns {
    const { name } = node.metadata;
    return {
      name,
      lastHeardMs: liveness.lastHeardMs(client.grid, name),
      isLocal: liveness.isLocal(client.grid, name),
      isLost: isNodeLost(node),
      isConfirmed:
        node.metadata.annotations?.[annotations.lostConfirmed] !== undefined ||
        (node.spec.taints?.some((taint) => taint.key === nodeTaints.outOfService) ?? false),
    };
  }

  function addressesOf(name: string): readonly string[] {
    const node = nodes.get(name);
    const own = (node?.status?.addresses ?? []).filter((one) => one.type === 'InternalIP').map((one) => one.address);
    return [...own, ...(node?.spec.podCIDRs ?? []).flatMap(gatewayOf)];
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const nowMs = clock.monotonicMs();
    if (nowMs - lastTickMs > tickMs + lagMs) return { againAfterMs: tickMs }; // woke before the tick did
    if (nowMs - judgedMs > judgementValidMs || !judgement.verdicts.has(key)) judgeAll();
    const node = nodes.get(key);
    const verdict = judgement.verdicts.get(key);
    if (!node || !verdict) return;
    const plan = planNode({
      node,
      pods: pods.byIndex('node', key),
      verdict,
      heardSinceMs: heardSinceMs.get(key),
      hasOthers: hasOthers(key),
      failoverAfter: gridSettings.failoverAfter(),
      nowMs,
      wallMs: clock.wallMs(),
    });
    try {
      await doAll(node, plan.steps, signal);
    } catch (error) {
      if (!isApiError(error, 'Conflict')) doubtOurselves('the store did not take a write', { node: key });
      throw error;
    }
    return plan.againAfterMs === undefined ? undefined : { againAfterMs: plan.againAfterMs };
  }

  /** The node's own marks first: they are what counts as "given up". */
  async function doAll(node: Node, steps: readonly NodeLifecycleStep[], signal: AbortSignal): Promise<void> {
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

  function hasOthers(name: string): boolean {
    for (const node of nodes.list()) {
      if (node.metadata.name === name || node.spec.unschedulable) continue;
      if (judgement.verdicts.get(node.metadata.name)?.state === 'heard' && isReady(node)) return true;
    }
    return false;
  }

  return {
    stop: async () => {
      cancelTick();
      stopListening();
      stopFollowing();
      await Promise.all([queue.stop(), probes.stop()]);
    },
  };
}

function textOf(verdict: Verdict): string {
  return 'why' in verdict ? `${verdict.state} ${verdict.why}` : verdict.state;
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

function isReady(node: Node): boolean {
  return node.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;
}

/** `10.80.3.0/24` → `10.80.3.1`, on which the node answers for names. */
function gatewayOf(range: string): readonly string[] {
  const found = /^(\d+\.\d+\.\d+)\.(\d+)\/\d+$/.exec(range);
  return found ? [`${found[1]}.${Number(found[2]) + 1}`] : [];
}
