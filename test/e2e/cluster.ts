import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createKubectl, type Kubectl, type KubectlVersion } from '../integration/kubectl.ts';
import { eventually, type TestLab } from './lab.ts';

/** An instance as `flotilla ps -o json` tells it. */
export interface PodView {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly labels?: Record<string, string>;
  };
  readonly spec: { readonly nodeName?: string };
  readonly status?: {
    readonly hostIP?: string;
    readonly podIP?: string;
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly restartCount: number; readonly containerID?: string }[];
  };
}

export async function podsOf(lab: TestLab, stack?: string): Promise<readonly PodView[]> {
  return JSON.parse(await lab.flotilla(['ps', ...(stack === undefined ? [] : [stack]), '-o', 'json'])) as PodView[];
}

export function isReady(pod: PodView): boolean {
  const has = (type: string) =>
    pod.status?.conditions?.some((one) => one.type === type && one.status === 'True') ?? false;
  return has('Ready') && !has('flotilla.dev/NodeLost');
}

export function serviceOf(pod: PodView): string {
  return pod.metadata.labels?.['flotilla.dev/service'] ?? '';
}

/** Labelled containers of a host as Docker knows them: `namespace/pod state`, sorted. */
export async function containersOn(lab: TestLab, host: string, all = false): Promise<readonly string[]> {
  const format = '{{.Label "flotilla.dev/pod-namespace"}}/{{.Label "flotilla.dev/pod-name"}} {{.State}}';
  const text = await lab.exec(host, [
    'docker',
    'ps',
    ...(all ? ['-a'] : []),
    '--filter',
    'label=flotilla.dev/managed',
    '--format',
    format,
  ]);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

/** What the API calls running is what Docker runs, on every host given. */
export async function assertSameAsDocker(lab: TestLab, hosts: readonly string[]): Promise<void> {
  await eventually('the API and docker ps to tell the same', async () => {
    const pods = await podsOf(lab);
    for (const host of hosts) {
      const told = pods
        .filter((pod) => pod.spec.nodeName === host && pod.status?.phase === 'Running')
        .map((pod) => `${pod.metadata.namespace}/${pod.metadata.name} running`)
        .sort();
      const seen = await containersOn(lab, host);
      if (JSON.stringify(told) !== JSON.stringify(seen))
        throw new Error(`${host}: API ${told.join(', ')}; docker ${seen.join(', ')}`);
    }
    return true;
  });
}

/** kubectl with the lab's kubeconfig. */
export async function kubectlOf(lab: TestLab, version: KubectlVersion): Promise<Kubectl> {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-kubeconfig-'));
  const file = join(directory, 'config');
  await writeFile(file, await lab.flotilla(['kubeconfig']), { mode: 0o600 });
  return createKubectl(version, ['--kubeconfig', file]);
}

/** Lines of a process' standard output as they come, with the time of each. */
export function collectLines(child: ReturnType<Kubectl['start']>): {
  readonly lines: { readonly text: string; readonly atMs: number }[];
  stop(): Promise<void>;
} {
  const lines: { text: string; atMs: number }[] = [];
  if (child.stdout)
    createInterface({ input: child.stdout }).on('line', (text) => lines.push({ text, atMs: Date.now() }));
  return {
    lines,
    stop: async () => {
      const ended = once(child, 'close');
      child.kill('SIGKILL');
      await ended;
    },
  };
}
