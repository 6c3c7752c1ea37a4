import { ApiError } from '../../client/api-error.ts';
import type { WorkResult } from '../../lib/work-queue.ts';
import { isNodeHeld, isNodeLost, isNodeReady } from '../../resources/failover.ts';
import { type Node, nodes as nodeKind, pods as podKind } from '../../resources/kinds.ts';
import { annotations, nodeTaints } from '../../resources/names.ts';
import { isPodLost } from '../../resources/pod-facts.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { startReconciler } from '../reconciler.ts';
import { type Judgement, judgeNodes, type NodeSigns, type Verdict } from './judge.ts';
import { createPeerProbes } from './peer-probes.ts';
import { planNode } from './plan.ts';
import { createStepWriter } from './step-writer.ts';

/** How often nodes are judged, and this process looks whether it was itself asleep. */
const tickMs = 250;
/** A tick so late means: pings may have waited unread for as long. */
const lagMs = 1_000;
/** Judged anew for a reconcile when the last judgement is older. */
const judgementValidMs = 50;
/** One object that can never be written must not keep all nodes from ever being lost. */
const storeDoubtEveryMs = 60_000;

/**
 * Decides who is lost. Writes: Node conditions Suspect, Flapping and Ready=Unknown, the taints unreachable and flapping, the
 * annotations lost-times and (takes away) lost-confirmed; Pod condition NodeLost. Deletes pods only where an operator
 * confirmed the loss: a host that comes back has its pods still.
 */
export function startNodeLifecycleController(context: ControllerContext): RunningController {
  const { client, clock, events, liveness, log, gridSettings } = context;
  const nodes = context.informers.of(nodeKind);
  const pods = context.informers.of(podKind);
  const steps = createStepWriter({ client, nodes, pods, events, clock, log });
  pods.index('node', (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []));
  let listeningSinceMs = clock.monotonicMs();
  let judgement: Judgement = { verdicts: new Map(), doubtedMs: new Map(), targets: [], askers: [] };
  let judgedMs = Number.NEGATIVE_INFINITY;
  let storeDoubtMs = Number.NEGATIVE_INFINITY;
  /** Since when a node has been heard without a suspicion in between. */
  const heardSinceMs = new Map<string, number>();
  const lastStates = new Map<string, string>();
  const knownSinceMs = new Map<string, number>();

  const probes = createPeerProbes({
    grid: client.grid,
    askPeers: context.askPeers,
    addressesOf,
    onFindings: judgeAll,
    clock,
    log,
  });
  const queue = startReconciler({ name: 'node-lifecycle', context, reconcile });
  nodes.onChange((key, object, old) => {
    if (!object) for (const map of [heardSinceMs, lastStates, knownSinceMs]) map.delete(key);
    else if (old?.metadata.uid !== object.metadata.uid) knownSinceMs.set(key, clock.monotonicMs());
    queue.add(key);
  });
  // A pod that is bound to, changed on, or marked on a node after the node was judged. Most changes are of sound nodes.
  pods.onChange((_key, object, old) => {
    const nodeName = object?.spec.nodeName;
    if (!nodeName) return;
    const isMarkNew = isPodLost(object) !== (old !== undefined && isPodLost(old));
    if (isMarkNew || !isSound(nodeName)) queue.add(nodeName);
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
    let isNews = false;
    for (const [name, verdict] of judgement.verdicts) {
      if (verdict.state === 'silent' || verdict.state === 'doubted') heardSinceMs.delete(name);
      else if (verdict.state === 'heard' && !heardSinceMs.has(name)) heardSinceMs.set(name, nowMs);
      const state = textOf(verdict);
      if (lastStates.get(name) === state) continue;
      lastStates.set(name, state);
      queue.add(name);
      isNews = true;
    }
    // Whoever is held back may be the only one left now.
    if (isNews) for (const node of nodes.list()) if (isNodeHeld(node)) queue.add(node.metadata.name);
  }

  function signsOf(node: Node): NodeSigns {
    const { name } = node.metadata;
    return {
      name,
      lastHeardMs: liveness.lastHeardMs(client.grid, name),
      knownSinceMs: knownSinceMs.get(name) ?? listeningSinceMs,
      isLocal: liveness.isLocal(client.grid, name),
      isLost: isNodeLost(node),
      isConfirmed:
        node.metadata.annotations?.[annotations.lostConfirmed] !== undefined ||
        (node.spec.taints?.some((taint) => taint.key === nodeTaints.outOfService) ?? false),
    };
  }

  /** Nothing is to be done about its pods; when it is judged otherwise, all of them are looked at. */
  function isSound(name: string): boolean {
    const node = nodes.get(name);
    return (
      node !== undefined && judgement.verdicts.get(name)?.state === 'heard' && !isNodeLost(node) && !isNodeHeld(node)
    );
  }

  function addressesOf(name: string): readonly string[] {
    const node = nodes.get(name);
    const own = (node?.status?.addresses ?? []).filter((one) => one.type === 'InternalIP').map((one) => one.address);
    return [...own, ...(node?.spec.podCIDRs ?? []).flatMap(gatewayOf)];
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const nowMs = clock.monotonicMs();
    if (nowMs - lastTickMs > tickMs + lagMs) return { againAfterMs: tickMs }; // woke before the tick did
    const isNewer = (liveness.lastHeardMs(client.grid, key) ?? 0) > judgedMs; // its agent may have spoken meanwhile
    if (isNewer || nowMs - judgedMs > judgementValidMs || !judgement.verdicts.has(key)) judgeAll();
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
      await steps.apply(node, plan.steps, signal);
    } catch (error) {
      const isRefused = error instanceof ApiError && error.status.code < 500;
      if (!isRefused && !signal.aborted && nowMs - storeDoubtMs > storeDoubtEveryMs) {
        storeDoubtMs = nowMs;
        doubtOurselves('the store did not take a write', { node: key });
      }
      throw error;
    }
    return plan.againAfterMs === undefined ? undefined : { againAfterMs: plan.againAfterMs };
  }

  function hasOthers(name: string): boolean {
    for (const node of nodes.list()) {
      if (node.metadata.name === name || node.spec.unschedulable || isNodeHeld(node) || isNodeLost(node)) continue;
      if (judgement.verdicts.get(node.metadata.name)?.state === 'heard' && isNodeReady(node)) return true;
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

/** `10.80.3.0/24` → `10.80.3.1`, on which the node answers for names. */
function gatewayOf(range: string): readonly string[] {
  const found = /^(\d+\.\d+\.\d+)\.(\d+)\/\d+$/.exec(range);
  return found ? [`${found[1]}.${Number(found[2]) + 1}`] : [];
}
