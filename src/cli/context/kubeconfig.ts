import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { contextsPath, readContexts, selectContext } from '../../client/contexts.ts';
import { kubeconfigOf, mergeKubeconfig, parseKubeconfig, renderKubeconfig } from '../../client/kubeconfig.ts';
import { print } from '../output.ts';

export async function kubeconfig(flags: { readonly merge?: boolean }, command: Command): Promise<void> {
  const { context: wanted, grid } = command.optsWithGlobals<{ context?: string; grid?: string }>();
  const context = selectContext(readContexts(contextsPath()), wanted);
  const own = kubeconfigOf(grid === undefined ? context : { ...context, grid });
  if (!flags.merge) return void process.stdout.write(renderKubeconfig(own));
  const path = process.env.KUBECONFIG?.split(':')[0] || join(homedir(), '.kube', 'config');
  const merged = existsSync(path) ? mergeKubeconfig(parseKubeconfig(readFileSync(path, 'utf8'), path), own) : own;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.flotilla`, renderKubeconfig(merged), { mode: 0o600 });
  renameSync(`${path}.flotilla`, path);
  print(`${path} has the context ${own['current-context']}, now current`);
}
