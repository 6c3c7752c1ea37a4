import { setTimeout as delay } from 'node:timers/promises';
import { readContexts, selectContext } from '../../src/client/contexts.ts';
import { createHttpClient, type HttpClient } from '../../src/client/http-client.ts';
import { oneToOneViolations } from '../e2e/invariants.ts';
import type { TestLab } from '../e2e/lab.ts';
import { lost, unfinished } from './check.ts';
import { describeFault, planFaults, type TimedFault } from './faults.ts';
import { injectFault, prepareClocks } from './inject.ts';
import { startObserver } from './observe.ts';
import { createRandom } from './random.ts';
import { startWorkload } from './workload.ts';

export interface ChaosOptions {
  readonly lab: TestLab;
  readonly seed: number;
  readonly durationMs: number;
  readonly hosts: readonly string[];
  readonly servers: readonly string[];
  /** Default 2500. */
  readonly meanGapMs?: number;
  /** Within so long after the last fault everything must be as it was asked for. Default 30,000. */
  readonly calmMs?: number;
  /** Called with a line for each thing that happens. */
  readonly say?: (line: string) => void;
}

export interface ChaosReport {
  readonly seed: number;
  readonly faults: number;
  readonly acknowledgedWrites: number;
  readonly unknownWrites: number;
  /** From the end of the last fault until everything was as asked for. */
  readonly calmAfterMs: number;
  /** Empty when everything held. */
  readonly violations: readonly string[];
}

/** One run on a fresh lab: faults and changes side by side, then calm, then the invariants. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { lab, seed, durationMs, hosts, servers, say = () => {}, calmMs = 30_000 } = options;
  await prepareClocks(lab, {
    ...Object.fromEntries(hosts.map((host) => [host, ['agent'] as const])),
    ...Object.fromEntries(servers.map((server) => [server, ['server'] as const])),
  });
  const startedMs = performance.now();
  const at = (): string => `${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s`;
  const clients = clientsOf(lab);
  const plan = planFaults(createRandom(seed), {
    ...{ durationMs, hosts, servers, withEtcd: servers.length > 1, withClock: true },
    meanGapMs: options.meanGapMs ?? 2500,
  });
  const workload = startWorkload({ clients, random: createRandom(seed + 1), deployments: 4, maxReplicas: 6 });
  const observer = startObserver(clients, createRandom(seed + 2));
  const violations: string[] = [];
  try {
    await injectAll(lab, plan, (line) => say(`${at()}  ${line}`));
    await delay(Math.max(0, durationMs - (performance.now() - startedMs)));
    await workload.stop();
    say(`${at()}  calm`);
    const calmFromMs = performance.now();
    let open: readonly string[] = ['nothing read yet'];
    for (;;) {
      open = await unfinishedOrWhy(lab, clients, hosts);
      if (open.length === 0 || performance.now() - calmFromMs > calmMs) break;
      await delay(250);
    }
    const calmAfterMs = Math.round(performance.now() - calmFromMs);
    violations.push(...open.map((sentence) => `not so ${calmMs / 1000} s after calm: ${sentence}`));
    for (const client of clients) {
      violations.push(
        ...(await lost(client, workload.history).catch((error) => [
          `${client.server} cannot be read: ${String(error)}`,
        ])),
      );
    }
    violations.push(...workload.staleReads, ...observer.violations);
    say(`${at()}  everything as asked for ${calmAfterMs} ms after calm; ${violations.length} violations`);
    return {
      ...{ seed, faults: plan.length, calmAfterMs, violations },
      acknowledgedWrites: workload.history.writes,
      unknownWrites: workload.history.unknown,
    };
  } finally {
    await workload.stop();
    await observer.stop();
    for (const client of clients) client.close();
  }
}

async function unfinishedOrWhy(
  lab: TestLab,
  clients: readonly HttpClient[],
  hosts: readonly string[],
): Promise<readonly string[]> {
  try {
    const seen = await Promise.all(clients.map((client) => unfinished(client)));
    const open = [...new Set(seen.flat())];
    return open.length > 0 ? open : await oneToOneViolations(lab, hosts);
  } catch (error) {
    return [`cannot be read: ${String(error)}`];
  }
}

async function injectAll(lab: TestLab, plan: readonly TimedFault[], say: (line: string) => void): Promise<void> {
  const startedMs = performance.now();
  const stopping = new AbortController();
  const running: Promise<void>[] = [];
  for (const { atMs, fault } of plan) {
    await delay(Math.max(0, atMs - (performance.now() - startedMs)));
    say(describeFault(fault));
    running.push(
      injectFault(lab, fault, stopping.signal).then((failure) => {
        if (failure !== undefined) say(`${describeFault(fault)}: ${failure}`);
      }),
    );
  }
  await Promise.all(running);
}

/** One client a server: a fault of one shows at that one. */
function clientsOf(lab: TestLab): readonly HttpClient[] {
  const context = selectContext(readContexts(lab.env.FLOTILLA_CONFIG ?? ''), undefined);
  return context.servers.map((server) =>
    createHttpClient({
      ...{ servers: [server], caCertificate: context.caCertificate, token: context.token, grid: context.grid },
      ...{ userAgent: 'chaos', timeoutMs: 5000 },
    }),
  );
}
