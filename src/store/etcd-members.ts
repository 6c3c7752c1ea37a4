import type { Etcd3, IOptions } from 'etcd3';
import { type Clock, systemClock } from '../lib/clock.ts';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import { faultOf } from './etcd-faults.ts';

/** What one try of a call gets. */
export interface EtcdTry {
  readonly client: Etcd3;
  readonly call: { readonly deadline: number };
  /** 1 for the first try of this call; the ones before may still be under way, or have worked without an answer. */
  readonly number: number;
}

export interface AskOptions {
  /**
   * A member silent for so long is left aside, and the next one asked besides; whoever answers first is believed.
   * Undefined: the call must not be made twice; it is only repeated where it surely never left.
   */
  readonly hedgeMs: number | undefined;
}

export interface EtcdMembersOptions {
  readonly endpoints: readonly string[];
  readonly open: (endpoint: string) => Etcd3;
  /** Of a call with all its tries. */
  readonly timeoutMs: number;
  /** One cheap question that only a member in touch with the majority answers. */
  readonly probe: (one: EtcdTry) => Promise<unknown>;
  readonly clock?: Clock;
}

interface Member {
  readonly endpoint: string;
  readonly client: Etcd3;
  /** It failed or was silent; asked last until a probe is answered. */
  isBad: boolean;
}

const probeEveryMs = 1_000;
const probeTimeoutMs = 1_000;
/** Between two rounds in which no member could be reached. */
const roundMs = 150;

/**
 * The members of one etcd, asked in the order given, those that failed last. The library's own ways (a random member for
 * each call, a breaker, three blind tries) would ask dead ones again and again, and repeat what must not be repeated.
 */
export class EtcdMembers {
  readonly #options: EtcdMembersOptions;
  readonly #clock: Clock;
  readonly #members: readonly Member[];
  readonly #stopping = new AbortController();
  #probing = false;

  constructor(options: EtcdMembersOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#members = options.endpoints.map((endpoint) => ({ endpoint, client: options.open(endpoint), isBad: false }));
  }

  /**
   * A client of its own at the member to ask now, for what lasts longer than a call; close it. When one of a client's
   * streams ends, the library closes all its connections, and the other streams on them end when they are pinged next.
   */
  openBest(): { readonly endpoint: string; readonly client: Etcd3 } {
    const { endpoint } = this.#inOrder()[0]!;
    return { endpoint, client: this.#options.open(endpoint) };
  }

  /** Makes a call, at several members if need be. Throws what a member refuses with, or StoreUnavailable (retryable). */
  ask<R>(run: (one: EtcdTry) => Promise<R>, { hedgeMs }: AskOptions): Promise<R> {
    const { timeoutMs } = this.#options;
    const deadline = Date.now() + timeoutMs;
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    const failures = new Map<string, string>();
    const timers = new Set<() => void>();
    let left = this.#inOrder();
    let running = 0;
    let tries = 0;
    let isUnsure = false;
    let isDone = false;

    const finish = (settle: () => void) => {
      if (isDone) return;
      isDone = true;
      for (const cancel of timers) cancel();
      settle();
    };
    const giveUp = () => {
      if (isDone) return;
      finish(() => this.#unavailable(failures, isUnsure || running > 0).then(reject, reject));
    };
    const later = (ms: number, then: () => void) => {
      const cancel = this.#clock.after(ms, () => {
        timers.delete(cancel);
        then();
      });
      timers.add(cancel);
      return cancel;
    };
    const next = () => {
      if (isDone) return;
      const member = left.shift();
      if (member) return start(member);
      if (running > 0) return; // one of them may still answer; if not, its hedge asks again
      later(roundMs, () => {
        left = this.#inOrder();
        next();
      });
    };
    const start = (member: Member) => {
      running += 1;
      tries += 1;
      let cancelHedge = () => {};
      if (hedgeMs !== undefined && this.#members.length > 1) {
        cancelHedge = later(hedgeMs, () => {
          this.#markBad(member);
          // All were asked: a request that a member gave to a leader which is dead by now is never answered.
          if (left.length === 0) left = this.#inOrder();
          next();
        });
      }
      run({ client: member.client, call: { deadline }, number: tries }).then(
        (answer) => {
          running -= 1;
          cancelHedge();
          member.isBad = false;
          finish(() => resolve(answer));
        },
        (error: unknown) => {
          running -= 1;
          cancelHedge();
          const fault = faultOf(error);
          if (fault === 'refused') return finish(() => reject(error));
          failures.set(member.endpoint, messageOf(error));
          this.#markBad(member);
          if (fault === 'unknown') {
            isUnsure = true;
            if (hedgeMs === undefined) return giveUp();
          }
          next();
        },
      );
    };
    later(timeoutMs, giveUp);
    this.#stopping.signal.addEventListener('abort', giveUp, { once: true });
    next();
    return promise.finally(() => this.#stopping.signal.removeEventListener('abort', giveUp));
  }

  close(): void {
    this.#stopping.abort();
    for (const { client } of this.#members) client.close();
  }

  #inOrder(): Member[] {
    return [...this.#members.filter((one) => !one.isBad), ...this.#members.filter((one) => one.isBad)];
  }

  #markBad(member: Member): void {
    if (this.#members.length === 1) return; // asked each time: there is no other
    member.isBad = true;
    if (!this.#probing) void this.#probeBad();
  }

  async #probeBad(): Promise<void> {
    const { signal } = this.#stopping;
    this.#probing = true;
    while (!signal.aborted && this.#members.some((one) => one.isBad)) {
      await this.#clock.sleep(probeEveryMs, signal).catch(() => {});
      if (signal.aborted) break;
      const bad = this.#members.filter((one) => one.isBad);
      await Promise.all(
        bad.map(async (member) => {
          const call = { deadline: Date.now() + probeTimeoutMs };
          try {
            await this.#options.probe({ client: member.client, call, number: 1 });
            member.isBad = false;
          } catch {
            // still bad
          }
        }),
      );
    }
    this.#probing = false;
  }

  /** Why nobody answered: asked of each member itself, so that a person knows what to start again. */
  async #unavailable(failures: ReadonlyMap<string, string>, isUnsure: boolean): Promise<FlotillaError> {
    const states = this.#stopping.signal.aborted ? [] : await Promise.all(this.#members.map((one) => stateOf(one)));
    const words = this.#members.map(({ endpoint }, at) => `${endpoint} ${states[at] ?? failures.get(endpoint) ?? ''}`);
    const hasNoQuorum = states.includes(knowsNoLeader) && !states.includes(hasLeader);
    const what = hasNoQuorum ? 'the store has no quorum' : 'the store does not answer';
    const unsure = isUnsure ? '; a change that was asked for may or may not be made' : '';
    return new FlotillaError('StoreUnavailable', `${what}: etcd at ${words.join(', ')}${unsure}`, {
      retryable: true,
      hint: hasNoQuorum
        ? 'start the members of etcd that are down; everything else comes back by itself'
        : 'check that etcd runs and has a majority: etcdctl endpoint status',
    });
  }
}

const knowsNoLeader = 'answers, but knows no leader';
const hasLeader = 'answers';

async function stateOf({ client }: Member): Promise<string> {
  try {
    const { leader } = await client.maintenance.status({ deadline: Date.now() + 500 });
    return leader === '0' ? knowsNoLeader : hasLeader;
  } catch (error) {
    return messageOf(error);
  }
}

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

const never = () => ({ dispose: () => {} });
const oneTry: Policy = {
  _altReturn: undefined as never, // a phantom of its types
  onSuccess: never,
  onFailure: never,
  execute: async (run) => run({ signal: new AbortController().signal }),
};

/** A failure that the library does not know: at one that it does, it would close the connection under all other calls. */
class CallFailed extends Error {}

const oneTryOnConnection: Policy = {
  ...oneTry,
  execute: async (run) => {
    try {
      return await run({ signal: new AbortController().signal });
    } catch (cause) {
      throw new CallFailed(messageOf(cause), { cause });
    }
  },
};

/** For each member's client: one try a call, no breaker; gRPC connects again by itself. */
export const noFaultHandling: NonNullable<IOptions['faultHandling']> = {
  global: oneTry,
  host: () => oneTryOnConnection,
};
