import { readFile } from 'node:fs/promises';
import type { DockerEngine } from './docker-engine.ts';

/**
 * What a terminal does when its user goes away: SIGHUP to the command, so that no shell waits for ever in a container. The engine has no
 * call for it, but tells the process' number; it is only sent when that process is in the container indeed (an agent that runs in a
 * container itself counts processes otherwise).
 */
export async function hangUp(engine: DockerEngine, containerId: string, execId: string): Promise<void> {
  const purpose = 'look for a command whose terminal has gone';
  const answer = await engine.call({ method: 'GET', path: `/exec/${execId}/json`, purpose, accept: [404] });
  const { Running = false, Pid = 0 } = (answer.body ?? {}) as { Running?: boolean; Pid?: number };
  if (!Running || Pid <= 1) return;
  const groups = await readFile(`/proc/${Pid}/cgroup`, 'utf8').catch(() => '');
  if (groups.includes(containerId)) process.kill(Pid, 'SIGHUP');
}
