import { Histogram, type Percentiles } from './histogram.ts';
import type { LedgerVerdict } from './ledger.ts';
import type { PhaseRun } from './run-phases.ts';
import type { CountsData, Failure, LoadReport } from './tally.ts';
import type { WebSocketCounts } from './web-sockets.ts';

export interface Counted extends Percentiles {
  readonly requests: number;
  readonly failed: number;
  readonly refused: number;
}

/** What `bench/results/lossless.json` has of one run. */
export interface LosslessSummary {
  readonly requests: number;
  /** Not answered with 200; those that HTTP/2 said were not processed are told apart. */
  readonly failed: number;
  readonly refused: number;
  readonly requestsPerSecond: number;
  /** In the order in which they came. */
  readonly phases: Readonly<Record<string, Counted & { readonly rounds?: number; readonly seconds?: number }>>;
  readonly kinds: Readonly<Record<string, Counted>>;
  readonly problems: readonly string[];
  readonly failuresByKind: Readonly<Record<string, number>>;
  /** The first ones, with all that is known of them. */
  readonly failures: readonly Failure[];
  readonly log: {
    readonly lines: number;
    readonly answeredNotLogged: number;
    readonly loggedTwice: number;
    readonly failedButLogged: number;
    readonly refusedButLogged: number;
    readonly unknown: number;
    readonly examples: readonly string[];
  };
  /** How late the client itself was. Above 50 ms at p99 its latencies are its own. */
  readonly lateness: Percentiles;
  readonly isClientTooSlow: boolean;
  readonly connections: {
    readonly opened: number;
    readonly closedIdle: number;
    readonly resetIdle: number;
    readonly goaways: number;
    readonly unsent: number;
    readonly certificates: number;
    readonly moved: number;
  };
  readonly webSockets: WebSocketCounts;
}

const maxFailures = 100;
const tooLateMs = 50;

/** `allFailures` is for measures; the file has the first ones. */
export function summarize(
  reports: readonly LoadReport[],
  verdict: LedgerVerdict,
  runs: readonly PhaseRun[],
  seconds: number,
): LosslessSummary & { readonly allFailures: readonly Failure[] } {
  const lateness = new Histogram();
  for (const report of reports) lateness.merge(report.lateness);
  const failures = reports.flatMap((report) => report.failures).sort((a, b) => a.atMs - b.atMs);
  const requests = sum(reports, (one) => one.sent);
  const kinds = mergeCounts(reports.map((report) => report.kinds));
  const refused = Object.values(kinds).reduce((total, one) => total + one.refused, 0);
  const byRun = new Map(runs.map((run) => [run.name, run]));
  const phases = Object.entries(mergeCounts(reports.map((report) => report.phases))).map(([name, counted]) => {
    const run = byRun.get(name);
    return [name, { ...counted, ...(run ? { rounds: run.rounds, seconds: run.seconds } : {}) }] as const;
  });
  const { answeredNotLogged, loggedTwice, failedButLogged, refusedButLogged, unknown } = verdict;
  return {
    requests,
    failed: sum(reports, (one) => one.notAnswered.length) - refused,
    refused,
    requestsPerSecond: Math.round(requests / seconds),
    phases: Object.fromEntries(phases),
    kinds,
    problems: runs.flatMap((run) => run.problems.map((problem) => `${run.name}: ${problem}`)),
    failuresByKind: count(failures.map((one) => `${one.phase} · ${one.kind} · ${one.stage} · ${one.error}`)),
    failures: failures.slice(0, maxFailures),
    allFailures: failures,
    log: {
      lines: verdict.logged,
      ...{ answeredNotLogged: answeredNotLogged.length, loggedTwice: loggedTwice.length },
      ...{ failedButLogged: failedButLogged.length, refusedButLogged: refusedButLogged.length },
      unknown: unknown.length,
      examples: [
        ...answeredNotLogged.slice(0, 5).map((id) => `${id} was answered and is not in the log`),
        ...loggedTwice.slice(0, 5).map(({ id, instances }) => `${id} was done by ${instances.join(' and ')}`),
        ...refusedButLogged.slice(0, 5).map((id) => `${id} was said to be not processed, and was`),
        ...unknown.slice(0, 5).map((id) => `${id} was done and never sent`),
      ],
    },
    lateness: lateness.summary(),
    isClientTooSlow: lateness.percentileMs(0.99) > tooLateMs,
    connections: {
      opened: sum(reports, (one) => one.connections.opened),
      closedIdle: sum(reports, (one) => one.connections.closedIdle.fin),
      resetIdle: sum(reports, (one) => one.connections.closedIdle.reset + one.connections.closedIdle['unasked bytes']),
      goaways: sum(reports, (one) => one.connections.goaways),
      unsent: sum(reports, (one) => one.connections.unsent),
      certificates: new Set(reports.flatMap((one) => one.connections.certificates)).size,
      moved: sum(reports, (one) => one.connections.moved),
    },
    webSockets: {
      opened: sum(reports, (one) => one.connections.webSockets.opened),
      echoes: sum(reports, (one) => one.connections.webSockets.echoes),
      told: sum(reports, (one) => one.connections.webSockets.told),
      cut: sum(reports, (one) => one.connections.webSockets.cut),
      notOpened: sum(reports, (one) => one.connections.webSockets.notOpened),
    },
  };
}

/** Undefined: nothing was lost and nothing done twice. Otherwise what, in one sentence. */
export function whatWasLost(summary: LosslessSummary): string | undefined {
  const { failed, log } = summary;
  const wrong = log.answeredNotLogged + log.loggedTwice + log.refusedButLogged + log.unknown;
  if (failed === 0 && wrong === 0) return undefined;
  const kinds = Object.entries(summary.failuresByKind).map(([kind, times]) => `${times} × ${kind}`);
  return `${failed} of ${summary.requests} requests failed; ${[...kinds, ...log.examples].join('; ')}`;
}

/** How long after `sinceMs` requests were still sent that failed, seconds; 0: none of those failed. */
export function secondsOfErrors(failures: readonly Failure[], sinceMs: number): number {
  const sentMs = failures.map((one) => one.atMs - one.afterMs);
  return Math.max(0, Math.round((Math.max(sinceMs, ...sentMs) - sinceMs) / 10) / 100);
}

function mergeCounts(all: readonly Readonly<Record<string, CountsData>>[]): Record<string, Counted> {
  const names = [...new Set(all.flatMap((one) => Object.keys(one)))];
  return Object.fromEntries(
    names.map((name) => {
      const parts = all.flatMap((one) => one[name] ?? []);
      const latency = new Histogram();
      for (const part of parts) latency.merge(part.latency);
      const [failed, refused] = [sum(parts, (one) => one.failed), sum(parts, (one) => one.refused)];
      const requests = sum(parts, (one) => one.answered) + failed + refused;
      return [name, { requests, failed, refused, ...latency.summary() }];
    }),
  );
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}

function count(all: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const one of all) found[one] = (found[one] ?? 0) + 1;
  return found;
}
