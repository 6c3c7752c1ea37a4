import { readdir, readFile, readlink, stat } from 'node:fs/promises';

/** A process in a network namespace, as seen from the machine itself. */
export interface NamespaceProcess {
  readonly pid: number;
  /** First process of a process namespace just below ours: killing it ends everything in it at once. */
  readonly isInit: boolean;
}

/**
 * Processes whose network namespace is `/run/netns/<namespace>`. Read from /proc each time: a record on disk would be
 * missing or stale after a crash.
 */
export async function processesIn(namespace: string): Promise<readonly NamespaceProcess[]> {
  let inode: number;
  try {
    inode = (await stat(`/run/netns/${namespace}`)).ino;
  } catch {
    return [];
  }
  const link = `net:[${inode}]`;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      try {
        if ((await readlink(`/proc/${pid}/ns/net`)) !== link) return [];
        return [{ pid: Number(pid), isInit: isInitStatus(await readFile(`/proc/${pid}/status`, 'utf8')) }];
      } catch {
        return []; // ended meanwhile
      }
    }),
  );
  return found.flat();
}

/** The init of a lab machine. A container on the machine's own network has one namespace level more. */
export async function initOf(namespace: string): Promise<number | undefined> {
  return (await processesIn(namespace)).find((process) => process.isInit)?.pid;
}

/** `NSpid:` lists the id at each level of nested process namespaces: `NSpid:\t4711\t1` is an init one level down. */
export function isInitStatus(status: string): boolean {
  const ids = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
  return ids.length === 2 && ids[1] === '1';
}
