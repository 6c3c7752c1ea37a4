import { randomFillSync } from 'node:crypto';
import type { Clock } from '../../../lib/clock.ts';
import { headerBytes, type Question } from '../message/question.ts';
import { writeOpt } from '../message/response.ts';
import { AnswerCache } from './answer-cache.ts';
import { exchange, type Upstream } from './exchange.ts';
import { type Fetched, readFetched } from './fetched.ts';
import { Resolvers } from './resolvers.ts';

export interface ForwarderOptions {
  /** Instead of the host's resolvers; see DnsSettings. */
  readonly upstreams?: readonly string[];
  readonly resolvConfPath?: string;
  readonly isOwn: (upstream: Upstream) => boolean;
  /** For all tries together. Default 4,000: less than clients wait. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
}

export interface Asked {
  readonly fetched: Fetched;
  readonly ageSeconds: number;
}

/** At most so many different questions wait for resolvers, and so many clients for them; more are answered SERVFAIL at once. */
const maxInFlight = 512;
const maxWaiting = 4_096;
const cacheLimits = { entries: 4_096, bytes: 2 * 1024 * 1024 };
/** The next resolver is asked when one has not answered for so long, and the first again when none has: packets get lost. */
const nextAfterMs = 400;
const rounds = 2;
const optBytes = 11;

/**
 * Asks the host's resolvers. Equal questions wait for one fetch: a burst for one name costs one packet, and a question that
 * comes back to us in a circle ends there.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #resolvers: Resolvers;
  readonly #cache: AnswerCache;
  readonly #inFlight = new Map<string, Promise<Fetched | undefined>>();
  #waiting = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#cache = new AnswerCache(cacheLimits, options.clock);
    this.#resolvers = new Resolvers({ ...options, resolvConfPath: options.resolvConfPath ?? '/etc/resolv.conf' });
  }

  /** Undefined when none answered. At once where it is known. */
  ask(question: Question): Asked | Promise<Asked | undefined> {
    const key = keyOf(question);
    const known = this.#cache.get(key);
    if (known) return known;
    if (this.#waiting >= maxWaiting) return Promise.resolve(undefined);
    let fetching = this.#inFlight.get(key);
    if (!fetching) {
      if (this.#inFlight.size >= maxInFlight) return Promise.resolve(undefined);
      fetching = this.#fetch(question).then(
        (fetched) => {
          this.#inFlight.delete(key);
          if (fetched) this.#cache.set(key, fetched);
          return fetched;
        },
        () => {
          this.#inFlight.delete(key);
          return undefined;
        },
      );
      this.#inFlight.set(key, fetching);
    }
    this.#waiting++;
    return fetching.then((fetched) => {
      this.#waiting--;
      return fetched && { fetched, ageSeconds: 0 };
    });
  }

  /**
   * One resolver after the other, none waited for to its end: the first answer counts. One that fails, refuses, or lets
   * another one be faster by that much is asked last for a while.
   */
  async #fetch(question: Question): Promise<Fetched | undefined> {
    const upstreams = await this.#resolvers.inOrder();
    if (upstreams.length === 0) return undefined;
    const done = new AbortController();
    const { clock, timeoutMs = 4_000 } = this.#options;
    return new Promise((resolve) => {
      const tries = Array.from({ length: rounds }, () => upstreams).flat();
      /** Asked and not answered yet → since when. */
      const open = new Map<Upstream, number>();
      let worst: Fetched | undefined;
      let cancelNext = () => {};
      const finish = (fetched: Fetched | undefined) => {
        if (done.signal.aborted) return;
        cancelNext();
        cancelDeadline();
        done.abort();
        resolve(fetched);
      };
      const cancelDeadline = clock.after(timeoutMs, () => {
        for (const one of upstreams) this.#resolvers.markBad(one);
        finish(worst);
      });
      const next = () => {
        cancelNext();
        const upstream = tries.shift();
        if (done.signal.aborted) return;
        if (!upstream) {
          if (open.size === 0) finish(worst);
          return;
        }
        open.set(upstream, open.get(upstream) ?? clock.monotonicMs());
        // The second round waits longer: who is slow is still asked.
        cancelNext = clock.after(tries.length < upstreams.length ? nextAfterMs * 2 : nextAfterMs, next);
        askOne(question, upstream, done.signal).then(
          (fetched) => {
            if (done.signal.aborted) return;
            open.delete(upstream);
            const isRefusal = fetched.code === 5;
            if (fetched.code === 0 || fetched.code === 3) {
              this.#resolvers.markGood(upstream);
              for (const [one, sinceMs] of open) {
                if (clock.monotonicMs() - sinceMs >= nextAfterMs) this.#resolvers.markBad(one);
              }
              finish(fetched);
              return;
            }
            // REFUSED says nothing about the name, and musl stops its search at it.
            if (isRefusal) this.#resolvers.markBad(upstream);
            else worst = fetched;
            drop(tries, upstream);
            next();
          },
          () => {
            if (done.signal.aborted) return;
            open.delete(upstream);
            this.#resolvers.markBad(upstream);
            drop(tries, upstream);
            next();
          },
        );
      };
      next();
    });
  }
}

function drop(tries: Upstream[], upstream: Upstream): void {
  const at = tries.indexOf(upstream);
  if (at >= 0) tries.splice(at, 1);
}

/** Without EDNS once more, where the resolver does not know it (RFC 6891 §7). */
async function askOne(question: Question, upstream: Upstream, signal: AbortSignal): Promise<Fetched> {
  const end = headerBytes + question.section.length;
  for (const hasEdns of [true, false]) {
    const packet = await exchange(queryFor(question, hasEdns), upstream, signal);
    const code = (packet[3] ?? 0) & 0xf;
    if (hasEdns && code === 1) continue;
    const fetched = readFetched(packet, end);
    if (fetched) return fetched;
    throw new Error('an answer that cannot be read');
  }
  throw new Error('it cannot read questions');
}

function queryFor(question: Question, hasEdns: boolean): Buffer {
  const end = headerBytes + question.section.length;
  const query = Buffer.alloc(end + (hasEdns ? optBytes : 0));
  randomFillSync(query, 0, 2);
  query.writeUInt16BE(0x0100 | (question.checkingDisabled ? 0x0010 : 0), 2);
  query.writeUInt16BE(1, 4);
  query.writeUInt16BE(hasEdns ? 1 : 0, 10);
  query.set(question.section, headerBytes);
  if (hasEdns) writeOpt(query, end, { extendedCode: 0, dnssecOk: question.dnssecOk });
  return query;
}

function keyOf({ name, type, class: kind, dnssecOk, checkingDisabled }: Question): string {
  return `${name} ${type} ${kind}${dnssecOk ? ' do' : ''}${checkingDisabled ? ' cd' : ''}`;
}
