import { access, chmod, mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Exec } from '../../lib/exec.ts';
import type { PodDirectories, PodVolumePlan } from '../pod/volume-plan.ts';
import { applyPayload } from './payload.ts';

/** The directories of pods: `<data>/pods/<uid>` on disk, `<data>/memory/<uid>` in memory. */
export interface PodFiles {
  directories(uid: string): PodDirectories;
  /** Makes what is planned; idempotent. Named volumes are the engine's and not touched here. */
  apply(uid: string, volumes: readonly PodVolumePlan[]): Promise<void>;
  /** Writes anew what files there are; nothing for a pod that has been removed, or was never applied. */
  refresh(uid: string, volumes: readonly PodVolumePlan[]): Promise<void>;
  /** Writes a file of the pod's own and gives its path. Default mode 0644. */
  write(uid: string, name: string, text: string, mode?: number): Promise<string>;
  /** The beginning of such a file; empty when there is none. */
  read(uid: string, name: string, maxBytes: number): Promise<string>;
  drop(uid: string, name: string): Promise<void>;
  remove(uid: string): Promise<void>;
  /** Pods that have left something behind. */
  list(): Promise<readonly string[]>;
}

export interface PodFilesOptions {
  readonly dataDirectory: string;
  readonly exec: Exec;
  /** False: secrets are written to disk as well; only for tests without the right to mount. Default true. */
  readonly mountMemory?: boolean;
}

const memoryLimit = '256m';

export function createPodFiles(options: PodFilesOptions): PodFiles {
  const { dataDirectory, exec } = options;
  const diskRoot = join(dataDirectory, 'pods');
  const memoryRoot = join(dataDirectory, 'memory');
  let memoryMounted: Promise<void> | undefined;

  const mountMemory = async (): Promise<void> => {
    await mkdir(memoryRoot, { recursive: true, mode: 0o700 });
    if (options.mountMemory === false || (await mountPoints()).has(memoryRoot)) return;
    await exec(['mount', '-t', 'tmpfs', '-o', `size=${memoryLimit},mode=0700`, 'flotilla', memoryRoot]);
  };
  /** One at a time a pod: a refresh that runs beside a removal would bring directories back. */
  const running = new Map<string, Promise<void>>();
  const inTurn = (uid: string, run: () => Promise<void>): Promise<void> => {
    const before = running.get(uid) ?? Promise.resolve();
    const mine = before.catch(() => {}).then(run);
    running.set(uid, mine);
    const end = () => {
      if (running.get(uid) === mine) running.delete(uid);
    };
    mine.then(end, end);
    return mine;
  };
  const directories = (uid: string): PodDirectories => ({ disk: join(diskRoot, uid), memory: join(memoryRoot, uid) });

  const applyAll = async (uid: string, volumes: readonly PodVolumePlan[]): Promise<void> => {
    await mkdir(join(diskRoot, uid), { recursive: true, mode: 0o711 });
    for (const volume of volumes) {
      if (volume.type === 'files') {
        memoryMounted ??= mountMemory();
        await memoryMounted.catch((error) => {
          memoryMounted = undefined;
          throw error;
        });
        await applyPayload(volume.path, volume.files);
      } else if (volume.type === 'directory') {
        await mkdir(volume.path, { recursive: true, mode: volume.mode });
        if (volume.isOurs) await chmod(volume.path, volume.mode); // whatever the umask is
      } else if (volume.type === 'tmpfs') {
        await mkdir(volume.path, { recursive: true });
        if (options.mountMemory === false || (await mountPoints()).has(volume.path)) continue;
        const size = volume.sizeBytes === undefined ? '' : `,size=${volume.sizeBytes}`;
        await exec(['mount', '-t', 'tmpfs', '-o', `mode=0777${size}`, 'flotilla', volume.path]);
      }
    }
  };
  const removeAll = async (uid: string): Promise<void> => {
    const { disk, memory } = directories(uid);
    for (const path of await mountPoints()) {
      if (path.startsWith(`${disk}/`)) await exec(['umount', path]);
    }
    await rm(disk, { recursive: true, force: true });
    await rm(memory, { recursive: true, force: true });
  };

  return {
    directories,
    refresh: (uid, volumes) =>
      inTurn(uid, async () => {
        for (const volume of volumes) {
          if (volume.type !== 'files' || !(await exists(volume.path))) continue;
          await applyPayload(volume.path, volume.files);
        }
      }),
    apply: (uid, volumes) => inTurn(uid, () => applyAll(uid, volumes)),
    async write(uid, name, text, mode = 0o644) {
      const path = join(diskRoot, uid, name);
      await mkdir(dirname(path), { recursive: true, mode: 0o711 });
      await writeFile(path, text, { mode });
      await chmod(path, mode); // whatever the umask is
      return path;
    },
    read: (uid, name, maxBytes) => readBeginning(join(diskRoot, uid, name), maxBytes),
    drop: (uid, name) => rm(join(diskRoot, uid, name), { force: true }),
    remove: (uid) => inTurn(uid, () => removeAll(uid)),
    list: async () => [...new Set((await Promise.all([diskRoot, memoryRoot].map(names))).flat())],
  };
}

async function mountPoints(): Promise<Set<string>> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return new Set(text.split('\n').map((line) => unescapeOctal(line.split(' ')[4] ?? '')));
}

/** proc(5): space, tab, newline and backslash are written as octal. */
function unescapeOctal(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_whole, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

async function names(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function readBeginning(path: string, maxBytes: number): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes), 0, maxBytes, 0);
      return buffer.subarray(0, bytesRead).toString('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
