import { setTimeout as delay } from 'node:timers/promises';
import { startTime } from './process.ts';
import type { ProcessList, RuntimeClient } from './runtime-client.ts';

const pollMs = 20;
const killAfterMs = 2_000;

/** Takes no connection from now on; those that there are may take so long, then they are closed. Resolves when all have ended. */
export async function endProcesses({ master, worker, oldWorkers }: ProcessList, graceMs: number): Promise<void> {
  const pids = [master, ...(worker === undefined ? [] : [worker]), ...oldWorkers];
  const since = new Map(await Promise.all(pids.map(async (pid) => [pid, await startTime(pid)] as const)));
  const isThere = async (pid: number) => {
    const started = await startTime(pid);
    return started !== undefined && started === since.get(pid);
  };
  const haveEnded = async (timeoutMs: number) => {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const left = await Promise.all(pids.map(isThere));
      if (!left.includes(true)) return true;
      if (performance.now() >= deadline) return false;
      await delay(pollMs);
    }
  };
  const send = async (signal: NodeJS.Signals) => {
    for (const pid of pids) {
      if (await isThere(pid)) signalTo(pid, signal);
    }
  };
  if (await isThere(master)) signalTo(master, 'SIGUSR1'); // it passes it on to its workers
  if (await haveEnded(graceMs)) return;
  await send('SIGTERM');
  if (await haveEnded(killAfterMs)) return;
  await send('SIGKILL');
  await haveEnded(killAfterMs);
}

/** Until no worker of an earlier configuration is left, or the deadline (`performance.now()`), or nobody waits any more. */
export async function oldWorkersEnd(client: RuntimeClient, deadline: number, isWanted: () => boolean): Promise<void> {
  while (isWanted() && performance.now() < deadline) {
    const isOver = await client.list().then(
      (list) => !list || list.oldWorkers.length === 0,
      () => false,
    );
    if (isOver) return;
    await delay(pollMs);
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ended meanwhile
  }
}
