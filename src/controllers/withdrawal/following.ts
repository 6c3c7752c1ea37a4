import type { Applied } from '../../resources/applied.ts';
import type { EndpointSlice, Pod } from '../../resources/kinds.ts';

/** So long somebody waits for a node that does not follow. */
export const patienceMs = 5_000;

export interface NodeWatermark {
  readonly name: string;
  readonly applied: Applied;
  /** It was waited for in vain, and has not reached that revision since. */
  readonly isBehind: boolean;
  /** Its agent has just been started, and says nothing before it has applied everything: it is given its time from then on. */
  readonly startedMs?: number;
}

/** When something was first seen as it must be known everywhere, and the revision that says so: later changes are not about it. */
export interface FirstSight {
  readonly atMs: number;
  readonly revision: number;
}

export type FollowingStep =
  /** `lagging` have not applied `revision` yet. */
  | {
      readonly type: 'awaitNodes';
      readonly revision: number;
      readonly lagging: readonly string[];
      readonly untilMs: number;
    }
  | {
      readonly type: 'followed';
      readonly revision: number;
      /** `waited 40 ms for 3 nodes; 2 of them have a proxy`, for people. */
      readonly message: string;
      readonly waitedMs: number;
      /** Waited for in vain: not waited for again before they have caught up. */
      readonly lagging: readonly string[];
    };

/** Whether every node that is heard and can follow has applied a revision. */
export function planFollowing(nodes: readonly NodeWatermark[], first: FirstSight, nowMs: number): FollowingStep {
  const { atMs, revision } = first;
  const waitedMs = Math.round(nowMs - atMs);
  const asked = nodes.filter(({ isBehind, applied }) => !isBehind && applied.problem === undefined);
  const late = asked.filter(({ applied }) => applied.revision < revision);
  const lagging = late.map(({ name }) => name);
  const untilMs = Math.max(atMs, ...late.map(({ startedMs = atMs }) => startedMs)) + patienceMs;
  if (lagging.length > 0 && nowMs < untilMs) return { type: 'awaitNodes', revision, lagging, untilMs };
  const proxies = asked.filter(({ applied }) => applied.ingress !== undefined).length;
  const skipped = nodes.length - asked.length;
  const waited = [
    `waited ${waitedMs} ms for ${asked.length} ${asked.length === 1 ? 'node' : 'nodes'}`,
    ...(lagging.length > 0 ? [`in vain for ${shortList(lagging)}`] : []),
    ...(skipped > 0 ? [`not for ${skipped} that cannot follow`] : []),
  ].join(', ');
  const message = proxies === 0 ? waited : `${waited}; ${proxies} of them ${proxies === 1 ? 'has' : 'have'} a proxy`;
  return { type: 'followed', revision, message, waitedMs, lagging };
}

export function newestRevision(slices: readonly EndpointSlice[]): number {
  return Math.max(0, ...slices.map(({ metadata }) => Number(metadata.resourceVersion)));
}

/** New connections may go there. With `publishNotReadyAddresses` an endpoint stays ready to its end: nobody asked for less. */
export function isUsable(slice: EndpointSlice, pod: Pod): boolean {
  const own = slice.endpoints?.filter(({ targetRef }) => targetRef?.uid === pod.metadata.uid) ?? [];
  return own.some(({ conditions }) => conditions?.terminating !== true && conditions?.ready !== false);
}

function shortList(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
