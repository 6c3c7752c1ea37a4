import { readdir, readFile } from 'node:fs/promises';

/** A process that was about to fork is seen in the next look. */
const maxLooks = 10;
const pauseMs = 50;

/**
 * An engine that was killed while it started a container forgets it, but the container's shim and first process live on, with its
 * mounts, its address and its id. No call of the engine ends them: they are found by that id and killed. Only for a
 * container of which the engine itself has said that it does not run. Gives how many there were.
 */
export async function killLeftBehind(containerId: string): Promise<number> {
  let killed = 0;
  for (let looks = 0; looks < maxLooks; looks++) {
    const pids = await leftBehind(containerId);
    if (pids.length === 0) break;
    killed += pids.filter(killNow).length;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return killed;
}

/** Its processes first, then its shim: that one would tell nobody of their end. */
async function leftBehind(containerId: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 1 && pid !== process.pid);
  const inside: number[] = [];
  const shims: number[] = [];
  await Promise.all(
    pids.map(async (pid) => {
      const [groups, argv] = await Promise.all([textOf(pid, 'cgroup'), textOf(pid, 'cmdline')]);
      if (groups.includes(containerId)) inside.push(pid);
      else if (isShimOf(argv.split('\0'), containerId)) shims.push(pid);
    }),
  );
  return [...inside, ...shims];
}

export function isShimOf(argv: readonly string[], containerId: string): boolean {
  return /(^|\/)containerd-shim/.test(argv[0] ?? '') && argv[argv.indexOf('-id') + 1] === containerId;
}

/** Empty for a process that has ended meanwhile. */
function textOf(pid: number, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
}

function killNow(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}
