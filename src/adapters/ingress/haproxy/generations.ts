// Configurations on disk. Each has a directory of its own, `live` leads to the one that is in force: HAProxy reads all files by
// names relative to it, so one that is only tried overwrites nothing, and the last good one stays.
import { mkdir, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FlotillaError, messageOf } from '../../../lib/errors.ts';
import { type Exec, exec as run } from '../../../lib/exec.ts';
import { reasons } from './process.ts';

const checkTimeoutMs = 30_000;

export class Generations {
  readonly #directory: string;
  readonly #program: string;
  readonly #exec: Exec;

  constructor(directory: string, program: string, exec: Exec = run) {
    this.#directory = directory;
    this.#program = program;
    this.#exec = exec;
  }

  /** Overwrites what an earlier attempt left. Keys are in these files: nobody else reads them. */
  async write(generation: number, files: ReadonlyMap<string, string>): Promise<void> {
    const directory = this.#of(generation);
    try {
      await rm(directory, { recursive: true, force: true });
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const folders = new Set([...files.keys()].map((file) => dirname(join(directory, file))));
      for (const folder of folders) await mkdir(folder, { recursive: true, mode: 0o700 });
      for (const [file, content] of files)
        await this.#writeFile(join(directory, file), content, file.startsWith('../'));
    } catch (cause) {
      await rm(directory, { recursive: true, force: true }).catch(() => {});
      throw unwritten(directory, cause);
    }
  }

  /** One file of one that stands there. */
  async overwrite(generation: number, file: string, content: string): Promise<void> {
    await writeFile(join(this.#of(generation), file), content, { mode: 0o600 });
  }

  /** What HAProxy says against it; empty: nothing. */
  async check(generation: number): Promise<readonly string[]> {
    const argv = [this.#program, '-c', '-C', this.#of(generation), '-f', 'haproxy.cfg'];
    const { code, stderr, stdout } = await this.#exec(argv, { okCodes: [0, 1], timeoutMs: checkTimeoutMs });
    if (code === 0) return [];
    const found = reasons(stderr);
    return found.length > 0 ? found : [(stderr || stdout).trim().slice(-1_000)];
  }

  /** 0: none is. */
  async inForce(): Promise<number> {
    const target = await readlink(join(this.#directory, 'live')).catch(() => '');
    return Number(/^gen-(\d+)$/.exec(target)?.[1] ?? 0);
  }

  async putInForce(generation: number): Promise<void> {
    const live = join(this.#directory, 'live');
    const fresh = join(this.#directory, 'live.next');
    try {
      await rm(fresh, { force: true });
      await symlink(`gen-${generation}`, fresh);
      await rename(fresh, live);
    } catch (cause) {
      throw unwritten(live, cause);
    }
  }

  /** Leaves that one alone, and the certificates that it names. */
  async removeOthers(generation: number, files: ReadonlyMap<string, string>): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      const isOther = /^gen-\d+$/.test(name) && name !== `gen-${generation}`;
      if (isOther) await rm(join(this.#directory, name), { recursive: true, force: true });
    }
    const certificates = join(this.#directory, 'certs');
    for (const name of await readdir(certificates).catch(() => [])) {
      if (!files.has(`../certs/${name}`)) await rm(join(certificates, name), { force: true });
    }
  }

  /** Nothing runs any more: no key stays. */
  async removeAll(): Promise<void> {
    const names = await readdir(this.#directory).catch(() => []);
    for (const name of names) await rm(join(this.#directory, name), { recursive: true, force: true });
  }

  async #writeFile(path: string, content: string, isShared: boolean): Promise<void> {
    if (!isShared) return writeFile(path, content, { mode: 0o600 });
    // Named after its content: one that is there already is right, and half of one never gets the name.
    const fresh = `${path}.next`;
    await writeFile(fresh, content, { mode: 0o600 });
    await rename(fresh, path);
  }

  #of(generation: number): string {
    return join(this.#directory, `gen-${generation}`);
  }
}

export function unwritten(path: string, cause: unknown): FlotillaError {
  return new FlotillaError(
    'HostToolFailed',
    `cannot write the configuration of HAProxy in ${path}: ${messageOf(cause)}`,
    {
      cause,
      retryable: true,
      hint: 'look for space on that disk; HAProxy goes on as it is',
    },
  );
}
