import { setTimeout as delay } from 'node:timers/promises';
import type { Load } from './load.ts';

/** Something that is done to a cluster while it is used. */
export interface Phase {
  /** Under which its requests are counted. */
  readonly name: string;
  readonly rounds: number;
  /** Resolves when it is over, as its user would see it. */
  round(index: number): Promise<void>;
}

export interface PhaseRun {
  readonly name: string;
  readonly rounds: number;
  readonly seconds: number;
  /** What did not become what it should: the round, and in whose words. */
  readonly problems: readonly string[];
}

const leastMs = 1_000;

/** What is done fails: noted, and the rest goes on, since the question is what clients saw. */
export async function runPhases(
  load: Load,
  phases: readonly Phase[],
  log: (line: string) => void,
): Promise<PhaseRun[]> {
  const runs: PhaseRun[] = [];
  for (const { name, rounds, round } of phases) {
    load.phase(name);
    const startedMs = performance.now();
    const [sent, failed] = [load.sent(), load.failed()];
    const problems: string[] = [];
    for (let index = 0; index < rounds; index++) {
      await round(index).catch((error: unknown) => {
        problems.push(`round ${index + 1}: ${error instanceof Error ? error.message : String(error)}`.slice(0, 500));
      });
    }
    // What takes a moment only is looked at for longer: its harm may show afterwards.
    await delay(Math.max(0, leastMs - (performance.now() - startedMs)));
    const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
    runs.push({ name, rounds, seconds, problems });
    const what = problems.length > 0 ? `; ${problems.length} rounds failed: ${problems[0]}` : '';
    log(
      `${name}: ${rounds} in ${seconds} s, ${load.sent() - sent} requests, ${load.failed() - failed} not answered${what}`,
    );
  }
  return runs;
}
