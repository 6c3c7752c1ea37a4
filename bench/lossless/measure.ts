import { setTimeout as delay } from 'node:timers/promises';
import { type Collector, type Load, startLoad } from './load.ts';
import type { LoadOptions } from './load-generator.ts';
import { type PhaseRun, runPhases } from './run-phases.ts';
import { type LosslessSummary, secondsOfErrors, summarize } from './summary.ts';
import { faultNames, type PhaseName, type World } from './world.ts';

export interface MeasureOptions {
  /** At least so many in all; more while the phases are not over. */
  readonly requests: number;
  /** A second, by all processes together. */
  readonly rate: number;
  /** Each phase once. */
  readonly isShort: boolean;
  readonly only: readonly PhaseName[];
  readonly log: (line: string) => void;
}

const clientProcesses = 2;
const roundsOf: Readonly<Record<PhaseName, number>> = {
  ...{ 'rolling updates': 20, 'scale-ups and -downs': 20, drains: 10, 'certificate renewals': 5 },
  ...{ 'new host names': 50, reloads: 5, 'agent restarts': 3, 'server restarts': 1, 'label edits': 5 },
};

/** Everything planned, in turn, under one load. */
export async function measureLossless(
  world: World,
  collector: Collector,
  options: MeasureOptions,
): Promise<LosslessSummary> {
  const phases = options.only.flatMap((name) => {
    const round = world.phases[name];
    return round === undefined ? [] : [{ name, rounds: options.isShort ? 1 : roundsOf[name], round }];
  });
  const { allFailures: _, ...summary } = await underLoad(
    world,
    collector,
    { options, firstClient: 0 },
    async (load) => {
      load.phase('calm');
      await delay(1_000);
      const runs = await runPhases(load, phases, (line) => options.log(`${world.name}: ${line}`));
      load.phase('calm');
      const missing = options.requests - load.sent();
      const endMs = performance.now() + 60_000 + (2_000 * missing) / options.rate;
      while (load.sent() < options.requests) {
        if (performance.now() > endMs)
          throw new Error(`${load.sent()} of ${options.requests} requests were sent in time`);
        await delay(50);
      }
      await delay(1_000); // what the last phase has broken shows
      return runs;
    },
  );
  return summary;
}

export interface FaultResult {
  readonly failed: number;
  readonly refused: number;
  /** So long after it requests were still sent that failed. */
  readonly secondsOfErrors: number;
  /** Of those that were answered. */
  readonly maxMs: number;
  readonly requests: number;
  readonly problems: readonly string[];
  readonly failuresByKind: Readonly<Record<string, number>>;
  readonly log: LosslessSummary['log'];
  /** Of which proxies requests failed. */
  readonly targets: readonly string[];
}

/** What nobody has planned, each by itself: for how long clients see errors. */
export async function measureFaults(
  world: World,
  collector: Collector,
  options: MeasureOptions,
): Promise<Record<string, FaultResult>> {
  const results: Record<string, FaultResult> = {};
  for (const [index, name] of faultNames.entries()) {
    const fault = world.faults[name];
    if (fault === undefined) continue;
    const firstClient = (index + 1) * clientProcesses;
    let sinceMs = 0;
    const summary = await underLoad(world, collector, { options, firstClient }, async (load) => {
      load.phase('calm');
      await delay(2_000);
      const round = () =>
        fault(() => {
          sinceMs = Date.now();
        });
      const runs = await runPhases(load, [{ name, rounds: 1, round }], (line) => options.log(line));
      await delay(2_000);
      return runs;
    });
    const { failed, refused, requests, problems, failuresByKind, allFailures, log } = summary;
    results[name] = {
      ...{
        failed,
        refused,
        secondsOfErrors: secondsOfErrors(allFailures, sinceMs),
        requests,
        problems,
        failuresByKind,
      },
      maxMs: summary.phases[name]?.maxMs ?? 0,
      ...{ log, targets: [...new Set(allFailures.map((one) => one.target))].sort() },
    };
  }
  return results;
}

async function underLoad(
  world: World,
  collector: Collector,
  { options, firstClient }: { readonly options: MeasureOptions; readonly firstClient: number },
  use: (load: Load) => Promise<readonly PhaseRun[]>,
): Promise<ReturnType<typeof summarize>> {
  const load = startLoad(
    Array.from({ length: clientProcesses }, (_, index) => loadOf(world, options, firstClient + index)),
  );
  try {
    const startedMs = performance.now();
    const runs = await use(load);
    const seconds = (performance.now() - startedMs) / 1_000;
    const reports = await load.stop();
    const { verdict } = await collector.check(reports);
    const summary = summarize(reports, verdict, runs, seconds);
    options.log(`${world.name}: ${summary.failed} of ${summary.requests} failed, ${summary.refused} refused`);
    return summary;
  } finally {
    load.kill();
  }
}

function loadOf(world: World, options: MeasureOptions, client: number): LoadOptions {
  const { http, https, host } = world;
  const hasH2 = https.length > 0;
  return {
    ...{ client, http, https, host, timeoutMs: 10_000 },
    // 500 and more that rest, over all processes.
    idleConnections: hasH2 ? { h1: 210, h2: 50 } : { h1: 260, h2: 0 },
    webSockets: 10,
    plan: {
      rate: options.rate / clientProcesses,
      mix: hasH2 ? { 'h1-keep-alive': 40, 'h1-new': 20, h2: 35, 'h2-new': 5 } : { 'h1-keep-alive': 40, 'h1-new': 60 },
      ...{ slowShare: 0.005, slowMs: 2_000, users: 100, targets: http.length },
    },
  };
}
