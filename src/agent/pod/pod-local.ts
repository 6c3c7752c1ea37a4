import type { MayStop } from './withdrawal.ts';

/** What the agent knows of a pod besides the API object and the engine's containers. Times are monotonic. */
export interface PodLocal {
  readonly admission: 'unknown' | 'admitted' | 'refused';
  readonly isNetworkReady: boolean;
  readonly hasAddress: boolean;
  /** It has an address, directories or files. */
  readonly hasResources: boolean;
  /** By container name; absent: nothing is known of that one. */
  readonly members: ReadonlyMap<string, MemberLocal>;
  /** When the agent saw a container's end first, by container id; so are the next ones. */
  readonly endedAtMs: ReadonlyMap<string, number>;
  /** Ended because their host did: no crash. */
  readonly endedWithHost: ReadonlySet<string>;
  readonly stopping: ReadonlyMap<string, { readonly deadlineMs: number }>;
  /** Their liveness or startup probe, or postStart handler, failed; with a grace period of its own. */
  readonly unhealthy: ReadonlyMap<string, { readonly graceSeconds?: number }>;
  /** They have just started, and their postStart handler has not begun. */
  readonly hooksPending: ReadonlySet<string>;
  /** They run, their postStart handler has ended and their startup probe has succeeded. */
  readonly started: ReadonlySet<string>;
  /** When the pod's end began: one grace period is for all of its containers. */
  readonly endingSinceMs?: number;
  /** For the time when the pod object is gone. */
  readonly graceSeconds: number;
  /** Whether nobody is sent to it any more. Until then a pod that is being deleted runs on, at most until `untilMs`. */
  readonly mayStop: MayStop;
  /** The same for containers that are to be started anew, by id; absent: at once. */
  readonly mayStepAside: ReadonlyMap<string, MayStop>;
  /** When all that runs on the host has to have ended: it is going down. */
  readonly hostEndsAtMs?: number;
}

/** Of one of the pod's containers, by its name. */
export interface MemberLocal {
  readonly image: 'unknown' | 'pulling' | 'present';
  /** The pod asked for another one before. */
  readonly isNewImage?: boolean;
  /** The last try failed: none before `retryAtMs`. */
  readonly problem?: { readonly retryAtMs: number };
  /** Ends in a row without a long run between them, the last one not counted. */
  readonly crashes: number;
  /** The highest attempt ever created; -1: none. */
  readonly lastAttempt: number;
}

const unknownMember: MemberLocal = { image: 'unknown', crashes: 0, lastAttempt: -1 };

export function memberOf(local: Pick<PodLocal, 'members'>, name: string): MemberLocal {
  return local.members.get(name) ?? unknownMember;
}
