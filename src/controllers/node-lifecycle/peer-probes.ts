import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { AskPeers } from '../liveness.ts';
import type { ProbeFinding } from './judge.ts';

export interface PeerProbes {
  readonly findings: ReadonlyMap<string, ProbeFinding>;
  /** Asks again when the last time is long enough ago; returns at once. */
  ask(targets: readonly string[], askers: readonly string[]): void;
  stop(): Promise<void>;
}

export interface PeerProbesOptions {
  readonly grid: string;
  readonly askPeers: AskPeers;
  /** Of the host and of its pod network. */
  readonly addressesOf: (nodeName: string) => readonly string[];
  readonly onFindings: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const everyMs = 1_500;
const deadlineMs = 2_500;
/** One asker is told so many at most; with more silent ones a few stand for all. */
const maxTargets = 64;

/** Keeps what nodes that answer say about nodes that do not. One round at a time. */
export function createPeerProbes(options: PeerProbesOptions): PeerProbes {
  const { clock, log } = options;
  const findings = new Map<string, ProbeFinding>();
  const abort = new AbortController();
  let lastMs = Number.NEGATIVE_INFINITY;
  let running: Promise<void> | undefined;

  async function askOne(asker: string, byTarget: ReadonlyMap<string, readonly string[]>, signal: AbortSignal) {
    try {
      const answers = await options.askPeers(options.grid, asker, [...byTarget.values()].flat(), signal);
      return { asker, answers };
    } catch (error) {
      log.warn('a node could not be asked about silent ones', { node: asker, error: messageOf(error) });
      return { asker, answers: undefined };
    }
  }

  async function round(targets: readonly string[], askers: readonly string[]): Promise<void> {
    const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(deadlineMs)]);
    const byTarget = new Map(targets.slice(0, maxTargets).map((name) => [name, options.addressesOf(name)] as const));
    const atMs = clock.monotonicMs(); // what was found is as old as the question
    const answered = await Promise.all(askers.map((asker) => askOne(asker, byTarget, signal)));
    findings.clear();
    for (const [target, addresses] of byTarget) {
      const said = answered.filter((one) => one.answers !== undefined);
      const reached = (one: (typeof said)[number]) => addresses.some((address) => one.answers?.get(address) === true);
      findings.set(target, {
        atMs,
        reachedBy: said.filter(reached).map((one) => one.asker),
        // Without an address nobody can have tried.
        missedBy: addresses.length === 0 ? [] : said.filter((one) => !reached(one)).map((one) => one.asker),
      });
    }
    for (const target of targets.slice(maxTargets)) findings.set(target, standIn(findings, atMs));
    log.info('asked other nodes about silent ones', { askers, findings: [...findings].slice(0, 8) });
    if (!abort.signal.aborted) options.onFindings();
  }

  return {
    findings,
    ask: (targets, askers) => {
      const nowMs = clock.monotonicMs();
      if (targets.length === 0 || askers.length === 0 || running || nowMs - lastMs < everyMs) return;
      lastMs = nowMs;
      running = round(targets, askers).finally(() => {
        running = undefined;
      });
    },
    stop: async () => {
      abort.abort(new Error('this server no longer leads'));
      await running;
    },
  };
}

/** Too many to call each: what holds for all that were called holds for the others. */
function standIn(findings: ReadonlyMap<string, ProbeFinding>, atMs: number): ProbeFinding {
  const all = [...findings.values()];
  const names = (of: 'reachedBy' | 'missedBy') => [...new Set(all.flatMap((one) => one[of]))];
  return { atMs, reachedBy: names('reachedBy'), missedBy: names('missedBy') };
}
