import { suspectAfterMs } from '../../resources/failover.ts';

/** What is known of one node's silence. Times are monotonic milliseconds of this server. */
export interface NodeSigns {
  readonly name: string;
  /** Newest sign of life in any session with this server; undefined: none since it started. */
  readonly lastHeardMs: number | undefined;
  /** When its Node object was first seen: one that has just joined has not been silent since this server started. */
  readonly knownSinceMs: number;
  /** On this server's own machine: its silence says nothing about the network. */
  readonly isLocal: boolean;
  /** Was given up, and has not been taken back. */
  readonly isLost: boolean;
  /** An operator said that it is lost. */
  readonly isConfirmed: boolean;
}

export interface Signs {
  readonly nodes: readonly NodeSigns[];
  /** Since when this server can be trusted to hear: start of its leadership, end of its own last lag. */
  readonly listeningSinceMs: number;
  readonly nowMs: number;
  /** By silent node: what the others said about it last. */
  readonly probes: ReadonlyMap<string, ProbeFinding>;
  /** Of the judgement before: until when silences were doubted. */
  readonly doubtedMs: ReadonlyMap<string, number>;
}

/** What agents that still answer found when they called a silent node's addresses. */
export interface ProbeFinding {
  readonly atMs: number;
  /** Nodes that reached it. */
  readonly reachedBy: readonly string[];
  /** Nodes that did not. */
  readonly missedBy: readonly string[];
}

export type Verdict =
  /** It answered within the suspect time. */
  | { readonly state: 'heard' }
  /** No answer, for less than the suspect time, as far as this server can be trusted. */
  | { readonly state: 'waiting'; readonly silentSinceMs: number }
  /** Silent, and its silence is its own. */
  | { readonly state: 'silent'; readonly silentSinceMs: number; readonly isConfirmed: boolean; readonly why: string }
  /** Silent, but it may be this server that is cut off: nothing is done to it. */
  | { readonly state: 'doubted'; readonly silentSinceMs: number; readonly why: string };

export interface Judgement {
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** For the next judgement. */
  readonly doubtedMs: ReadonlyMap<string, number>;
  /** Nodes that should be called by others, and who could call them. */
  readonly targets: readonly string[];
  readonly askers: readonly string[];
}

/** Silent for so long counts towards "many at once", so that a short `failover.after` does not outrun it. */
export const quietAfterMs = 1_250;
/** Nodes already lost count as part of the same failure when they fell silent so close to it. */
export const windowMs = 30_000;
export const manyShare = 0.55;
/** A finding of others is believed for so long. */
export const findingValidMs = 5_000;
export const maxAskers = 3;

/**
 * Whose silence can be believed. Many at once (two remote nodes or more, and more than 55 % of those that counted before)
 * look the same as this server's own cable pulled out. Then the nodes that still answer are asked: not reached by them
 * either → believed; reached, or nobody left to ask → doubted. When a doubt ends, because the others answer again, silence
 * counts from then on: whoever needs a second longer to come back has not been silent all the time. Pure.
 */
export function judgeNodes(signs: Signs): Judgement {
  const { nowMs, listeningSinceMs } = signs;
  const sinceOf = (node: NodeSigns) => Math.max(node.lastHeardMs ?? 0, node.knownSinceMs, listeningSinceMs);
  const isQuiet = (node: NodeSigns) => nowMs - sinceOf(node) >= quietAfterMs;
  const remote = signs.nodes.filter((node) => !node.isLocal);
  const answering = remote.filter((node) => !isQuiet(node) && node.lastHeardMs !== undefined && !node.isLost);
  const quiet = remote.filter((node) => isQuiet(node) && !node.isLost);
  // Of this server's own hearing only: one that it never heard was lost before it listened.
  const lost = remote.filter((node) => node.isLost && isQuiet(node) && node.lastHeardMs !== undefined);

  const lostSinceMs = lost.map(sinceOf).sort((a, b) => a - b);
  const groupOf = (node: NodeSigns): number =>
    quiet.length +
    countUpTo(lostSinceMs, sinceOf(node) + windowMs) -
    countUpTo(lostSinceMs, sinceOf(node) - windowMs - 1);
  const isMany = (size: number) => size >= 2 && size > manyShare * (size + answering.length);

  const verdicts = new Map<string, Verdict>();
  const doubtedMs = new Map<string, number>();
  for (const node of signs.nodes) {
    const size = node.isLocal || node.isLost || !isQuiet(node) ? 0 : groupOf(node);
    const finding = findingAbout(node.name, sinceOf(node), signs);
    const isBelieved = !isMany(size) || (finding.missedBy.length > 0 && finding.reachedBy.length === 0);
    const doubtedUntilMs = signs.doubtedMs.get(node.name) ?? Number.NEGATIVE_INFINITY;
    const silentSinceMs = isMany(size) ? sinceOf(node) : Math.max(sinceOf(node), doubtedUntilMs);
    const isSilent = nowMs - silentSinceMs >= suspectAfterMs;
    if (!isBelieved) doubtedMs.set(node.name, nowMs);
    else if (doubtedUntilMs > sinceOf(node)) doubtedMs.set(node.name, doubtedUntilMs);
    if (node.lastHeardMs !== undefined && nowMs - node.lastHeardMs < suspectAfterMs) {
      verdicts.set(node.name, { state: 'heard' });
    } else if (!isSilent) {
      verdicts.set(node.name, { state: 'waiting', silentSinceMs });
    } else if (node.isConfirmed) {
      verdicts.set(node.name, { state: 'silent', silentSinceMs, isConfirmed: true, why: 'an operator confirmed it' });
    } else if (isMany(size)) {
      const crowd = `${size} of ${size + answering.length} nodes fell silent together`;
      verdicts.set(node.name, judgeMany(silentSinceMs, crowd, finding));
    } else {
      verdicts.set(node.name, { state: 'silent', silentSinceMs, isConfirmed: false, why: '' });
    }
  }
  // Also about a single one: should others stumble for a moment, what is known about it keeps its silence believed.
  const targets = quiet.map((node) => node.name);
  return { verdicts, doubtedMs, targets, askers: answering.slice(0, maxAskers).map((node) => node.name) };
}

/** How many of the sorted times are not later. */
function countUpTo(sorted: readonly number[], time: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What others said, if they said it lately and about this silence. */
function findingAbout(name: string, silentSinceMs: number, { probes, nowMs }: Signs): Omit<ProbeFinding, 'atMs'> {
  const finding = probes.get(name);
  const isFresh = finding !== undefined && finding.atMs >= silentSinceMs && nowMs - finding.atMs <= findingValidMs;
  return isFresh ? finding : { reachedBy: [], missedBy: [] };
}

function judgeMany(
  silentSinceMs: number,
  crowd: string,
  { reachedBy, missedBy }: Pick<ProbeFinding, 'reachedBy' | 'missedBy'>,
): Verdict {
  if (reachedBy.length > 0) {
    const why = `${crowd}, and ${reachedBy.join(', ')} can still reach it: this server may be cut off from it`;
    return { state: 'doubted', silentSinceMs, why };
  }
  if (missedBy.length > 0) {
    const why = `${crowd}; ${missedBy.join(', ')} cannot reach it either`;
    return { state: 'silent', silentSinceMs, isConfirmed: false, why };
  }
  const why = `${crowd}, and no other node could be asked about it: this server may be cut off`;
  return { state: 'doubted', silentSinceMs, why };
}
