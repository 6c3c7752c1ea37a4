import type { Client } from '../client/client.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { isApiError } from '../resources/api-error.ts';
import { type Lease, leases, namespaces } from '../resources/kinds.ts';

export const leaderLeaseName = 'flotilla-leader';
export const leaderNamespace = 'flotilla-system';

export interface LeaderElectionOptions {
  /** Of the grid `system`. */
  readonly client: Client;
  /** The same, but each of its writes also begins a new term: only for taking the lease. Default: `client`. */
  readonly taking?: Client;
  /** Unique to this process, unless nothing else can run with the same one. */
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** This server leads from now on; `lease` is as it took it. */
  readonly onStarted: (lease: Lease) => Promise<void> | void;
  /** It no longer does: must have stopped everything within a second; another server starts then. */
  readonly onStopped: () => Promise<void> | void;
}

export interface LeaderElection {
  readonly isLeader: boolean;
  /** Another server was seen to lead: stops at once, and stands for election again. */
  stepDown(why: string): void;
  /** The lease as somebody saw it just now: a candidate need not look first. */
  noteLease(lease: Lease | undefined): void;
  /** Stops leading, then releases the lease so that the next one starts at once. */
  stop(): Promise<void>;
}

const leaseMs = 4_000;
const renewMs = 1_000;
/** A candidate looks more often than the leader renews: a lost leader is replaced within 5 s. */
const lookMs = 500;
/** Without a renewal for so long the leader stops, one second before anybody may take its place. */
const giveUpMs = leaseMs - 1_000;
const callTimeoutMs = 2_000;

/**
 * One leader at a time, by a Lease. Times written into it are never compared with a clock: a candidate takes over when it
 * has seen no change for the lease's duration by its own monotonic clock, and a leader counts from before it asked to renew.
 */
export function startLeaderElection(options: LeaderElectionOptions): LeaderElection {
  const { client, taking = client, identity, clock, log } = options;
  const abort = new AbortController();
  let seen: { version: string; atMs: number } | undefined;
  let held: Lease | undefined;
  let isLeader = false;
  let cancelGiveUp = () => {};
  let change: Promise<void> = Promise.resolve();
  let wake = () => {};

  const lead = (lease: Lease) => {
    if (isLeader || abort.signal.aborted) return;
    isLeader = true;
    log.info('this server leads', { identity, term: lease.metadata.resourceVersion });
    change = change
      .then(() => options.onStarted(lease))
      .catch((error) => log.error('cannot start what the leader runs', { error }));
  };
  const giveUp = (why: string) => {
    cancelGiveUp();
    if (!isLeader) return;
    isLeader = false;
    log[abort.signal.aborted ? 'info' : 'warn']('this server no longer leads', { identity, why });
    change = change.then(options.onStopped).catch((error) => log.error('cannot stop what the leader ran', { error }));
  };
  const renewed = (lease: Lease, askedMs: number) => {
    held = lease;
    cancelGiveUp();
    const leftMs = askedMs + giveUpMs - clock.monotonicMs();
    if (leftMs <= 0) return giveUp('a renewal took too long');
    cancelGiveUp = clock.after(leftMs, () => giveUp('the lease could not be renewed in time'));
    lead(lease);
  };

  /** For how long the lease has been as it is, by this process' own clock. */
  const noteVersion = (lease: Lease): number => {
    const version = lease.metadata.resourceVersion ?? '';
    if (seen?.version !== version) seen = { version, atMs: clock.monotonicMs() };
    return clock.monotonicMs() - seen.atMs;
  };
  /** Reads, takes or renews once; undefined: somebody else leads. */
  const acquire = async (signal: AbortSignal): Promise<Lease | undefined> => {
    const lease = (isLeader ? held : undefined) ?? (await read(client, signal));
    if (!lease) {
      giveUp('somebody deleted the lease');
      return await create({ client, taking, identity, clock, signal });
    }
    const unchangedMs = noteVersion(lease);
    if (isLeader && lease.spec.holderIdentity === identity) {
      return await client.update(leases, taken(lease, identity, clock.wallMs()), { signal });
    }
    if (!isLeader && mayTake(lease, identity, unchangedMs)) {
      return await taking.update(leases, taken(lease, identity, clock.wallMs()), { signal });
    }
    giveUp(`${lease.spec.holderIdentity || 'nobody'} leads`);
    return undefined;
  };
  const step = async () => {
    const askedMs = clock.monotonicMs();
    try {
      const lease = await bounded(clock, acquire, abort.signal);
      if (lease) renewed(lease, askedMs);
    } catch (error) {
      held = undefined; // the next step reads what is there
      if (abort.signal.aborted || isApiError(error, 'Conflict') || isApiError(error, 'AlreadyExists')) return;
      log.warn('cannot renew the leader lease, trying again', { error: messageOf(error) });
    }
  };

  const ended = (async () => {
    while (!abort.signal.aborted) {
      await step();
      const isFree = Promise.withResolvers<void>();
      wake = isFree.resolve;
      await Promise.race([clock.sleep(isLeader ? renewMs : lookMs, abort.signal).catch(() => {}), isFree.promise]);
    }
  })();

  return {
    get isLeader() {
      return isLeader;
    },
    stepDown: (why) => {
      held = undefined;
      giveUp(why);
    },
    noteLease: (lease) => {
      if (isLeader) return;
      if (lease) noteVersion(lease);
      if (!lease?.spec.holderIdentity) wake();
    },
    stop: async () => {
      const wasLeader = isLeader;
      abort.abort(new Error('the server stops'));
      giveUp('the server stops');
      await Promise.all([ended, change]);
      if (wasLeader) await release(options);
    },
  };
}

/** It is ours, nobody's, or has not changed for as long as it lasts. */
function mayTake(lease: Lease, identity: string, unchangedMs: number): boolean {
  const { holderIdentity, leaseDurationSeconds } = lease.spec;
  if (!holderIdentity || holderIdentity === identity) return true;
  return unchangedMs >= (leaseDurationSeconds ?? leaseMs / 1_000) * 1_000;
}

async function read(client: Client, signal: AbortSignal): Promise<Lease | undefined> {
  try {
    return await client.get(leases, { namespace: leaderNamespace, name: leaderLeaseName }, { signal });
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
}

interface Creation {
  readonly client: Client;
  readonly taking: Client;
  readonly identity: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

async function create({ client, taking, identity, clock, signal }: Creation): Promise<Lease> {
  try {
    const metadata = { name: leaderNamespace };
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata }, { signal });
  } catch (error) {
    if (!isApiError(error, 'AlreadyExists')) throw error;
  }
  const metadata = { name: leaderLeaseName, namespace: leaderNamespace };
  const empty: Lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: {} };
  return await taking.create(leases, taken(empty, identity, clock.wallMs()), { signal });
}

function taken(lease: Lease, identity: string, wallMs: number): Lease {
  const now = microTime(wallMs);
  const { holderIdentity, acquireTime, leaseTransitions = 0 } = lease.spec;
  const isOurs = holderIdentity === identity;
  const spec = {
    holderIdentity: identity,
    leaseDurationSeconds: leaseMs / 1_000,
    acquireTime: isOurs && acquireTime ? acquireTime : now,
    renewTime: now,
    leaseTransitions: isOurs ? leaseTransitions : leaseTransitions + 1,
  };
  return { ...lease, spec };
}

/** Best effort: who cannot release it lets it expire. */
async function release({ client, identity, clock, log }: LeaderElectionOptions): Promise<void> {
  try {
    await bounded(clock, async (signal) => {
      const lease = await read(client, signal);
      if (lease?.spec.holderIdentity !== identity) return;
      const spec = { ...lease.spec, holderIdentity: '', renewTime: microTime(clock.wallMs()) };
      await client.update(leases, { ...lease, spec }, { signal });
    });
  } catch (error) {
    log.warn('cannot release the leader lease, it expires by itself', { error: messageOf(error) });
  }
}

/** Two seconds, whether or not the work listens to its signal: a call that hangs must not hide that time passes. */
async function bounded<T>(clock: Clock, work: (signal: AbortSignal) => Promise<T>, parent?: AbortSignal): Promise<T> {
  const abort = new AbortController();
  const onParent = () => abort.abort(parent?.reason);
  parent?.addEventListener('abort', onParent, { once: true });
  const cancel = clock.after(callTimeoutMs, () => abort.abort(new Error(`no answer within ${callTimeoutMs} ms`)));
  const aborted = new Promise<never>((_resolve, reject) => {
    abort.signal.addEventListener('abort', () => reject(abort.signal.reason), { once: true });
  });
  try {
    return await Promise.race([work(abort.signal), aborted]);
  } finally {
    cancel();
    parent?.removeEventListener('abort', onParent);
  }
}

/** Kubernetes' MicroTime. */
function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z');
}
