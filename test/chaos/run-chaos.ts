import { setTimeout as delay } from 'node:timers/promises';
import { readContexts, selectContext } from '../../src/client/contexts.ts';
import { createHttpClient, type HttpClient } from '../../src/client/http-client.ts';
import { oneToOneViolations } from '../e2e/invariants.ts';
import type { TestLab } from '../e2e/lab.ts';
import { lost, undeleted, unfinished } from './check.ts';
import { prepareClocks } from './clocks.ts';
import { describeFault, planFaults, type TimedFault } from './faults.ts';
import { injectFault, type Target } from './inject.ts';
import { memoryOf, storeKeys } from './leftovers.ts';
import { wrongNames } from './names.ts';
import { startObserver } from './observe.ts';
import { createRandom } from './random.ts';
import { startWorkload, type Workload } from './workload.ts';

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
  /** Done and undone. */
  readonly faults: number;
  /** Could not be done, or not undone: with a reason each. */
  readonly notDone: readonly string[];
  readonly acknowledgedWrites: number;
  readonly unknownWrites: number;
  /** From the end of the last fault until everything was as asked for. */
  readonly calmAfterMs: number;
  /** Proportional share of each of our programs at the end. */
  readonly megabytes: Readonly<Record<string, number>>;
  /** Of the members of etcd; undefined without one. */
  readonly receipts: number | undefined;
  /** Empty when everything held. */
  readonly violations: readonly string[];
}

/** Several times what any of them needs for a lab. */
const maxMegabytes = 400;

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
  const workload = startWorkload({ clients, random: createRandom(seed + 1), deployments: 3, maxReplicas: 5 });
  const observer = startObserver(lab, clients, createRandom(seed + 2));
  const violations: string[] = [];
  try {
    const notDone = await injectAll({ lab, servers, clients }, plan, (line) => say(`${at()}  ${line}`));
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
    violations.push(...(await brokenPromises(workload, clients)), ...observer.violations);
    const keys = servers.length > 1 ? await storeKeys(lab, servers[0]!) : undefined;
    violations.push(...(keys?.strange ?? []).map((key) => `the store holds ${key}`));
    const megabytes = await memoryOf(lab, [...hosts, ...servers]);
    for (const [program, size] of Object.entries(megabytes)) {
      if (size > maxMegabytes) violations.push(`${program} has ${size} MB`);
    }
    say(`${at()}  everything as asked for ${calmAfterMs} ms after calm; ${violations.length} violations`);
    return {
      ...{ seed, faults: plan.length - notDone.length, notDone, calmAfterMs, megabytes, violations },
      receipts: keys?.receipts,
      acknowledgedWrites: workload.history.writes,
      unknownWrites: workload.history.unknown,
    };
  } finally {
    await workload.stop();
    await observer.stop();
    for (const client of clients) client.close();
  }
}

/** Of writes that were acknowledged, whichever server is asked. */
async function brokenPromises(workload: Workload, clients: readonly HttpClient[]): Promise<readonly string[]> {
  const broken = clients.map(async (client) => {
    try {
      return [...(await lost(client, workload.history)), ...(await undeleted(client, workload.deletedPods))];
    } catch (error) {
      return [`${client.server} cannot be read: ${String(error)}`];
    }
  });
  return [...(await Promise.all(broken)).flat(), ...workload.staleReads];
}

async function unfinishedOrWhy(
  lab: TestLab,
  clients: readonly HttpClient[],
  hosts: readonly string[],
): Promise<readonly string[]> {
  try {
    const seen = await Promise.all(clients.map((client) => unfinished(client)));
    const open = [...new Set(seen.flat())];
    if (open.length > 0) return open;
    const left = await oneToOneViolations(lab, hosts);
    return left.length > 0 ? left : await wrongNames(lab, clients[0]!, hosts);
  } catch (error) {
    return [`cannot be read: ${String(error)}`];
  }
}

/** Gives what could not be done. */
async function injectAll(
  target: Target,
  plan: readonly TimedFault[],
  say: (line: string) => void,
): Promise<readonly string[]> {
  const startedMs = performance.now();
  const notDone: string[] = [];
  const running: Promise<void>[] = [];
  for (const { atMs, fault } of plan) {
    await delay(Math.max(0, atMs - (performance.now() - startedMs)));
    say(describeFault(fault));
    running.push(
      injectFault(target, fault).then((failure) => {
        if (failure === undefined) return;
        notDone.push(`${describeFault(fault)}: ${failure}`);
        say(`${describeFault(fault)}: ${failure}`);
      }),
    );
  }
  await Promise.all(running);
  return notDone;
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
