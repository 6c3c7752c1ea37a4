import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestLab } from '../e2e/lab.ts';
import { type KubectlVersion, kubectlProgram } from '../integration/kubectl.ts';
import { isFor, matches, parseTranscript, type Step } from './transcript.ts';

export interface Console {
  readonly version: KubectlVersion;
  /** Runs all steps of a transcript in a namespace of its own; throws at the first that prints something else. */
  run(text: string, file: string): Promise<void>;
  remove(): Promise<void>;
}

interface Printed {
  text: string;
  code?: number;
}

const deadlineMs = 30_000;

/**
 * A shell in which `kubectl` and `helm` are those of one release, `flotilla` is ours, and `containers NAMESPACE` lists what
 * Docker runs for it on all hosts, `pod state` a line. `$NS` is the namespace, `$FILES` where the manifests lie.
 */
export async function openConsole(lab: TestLab, version: KubectlVersion, hosts: readonly string[]): Promise<Console> {
  const home = await mkdtemp(join(tmpdir(), 'flotilla-console-'));
  const bin = join(home, 'bin');
  await mkdir(bin);
  for (const program of ['kubectl', 'helm'] as const)
    await symlink(await kubectlProgram(version, program), join(bin, program));
  const flotilla = join(import.meta.dirname, '../../bin/flotilla');
  const format = '{{.Label "flotilla.dev/pod-name"}} {{.State}}';
  await writeFile(join(bin, 'flotilla'), `#!/bin/sh\nexec ${flotilla} "$@"\n`, { mode: 0o755 });
  await writeFile(
    join(bin, 'containers'),
    `#!/bin/sh
for host in ${hosts.join(' ')}; do
  ${flotilla} lab exec --name ${lab.name} "$host" -- docker ps -a --filter "label=flotilla.dev/pod-namespace=$1" --format '${format}'
done | sort
`,
    { mode: 0o755 },
  );
  const kubeconfig = join(home, 'kubeconfig');
  await writeFile(kubeconfig, await lab.flotilla(['kubeconfig']), { mode: 0o600 });
  const env = {
    ...lab.env,
    PATH: `${bin}:${dirname(process.execPath)}:${process.env.PATH ?? ''}`,
    HOME: home,
    TMPDIR: home,
    KUBECONFIG: kubeconfig,
    KUBECACHEDIR: join(home, 'cache'),
    FILES: join(import.meta.dirname, 'files'),
    TERM: 'dumb',
  };
  return {
    version,
    run: (text, file) => runSteps(parseTranscript(text, file), { env, home, version, file }),
    remove: () => rm(home, { recursive: true, force: true }),
  };
}

interface Place {
  readonly env: Readonly<Record<string, string>>;
  readonly home: string;
  readonly version: KubectlVersion;
  readonly file: string;
}

async function runSteps(steps: readonly Step[], place: Place): Promise<void> {
  const namespace = `t${place.version}-${place.file.replace(/\W+/g, '-')}`;
  const env = { ...place.env, NS: namespace };
  const background: { readonly printed: Printed; stop(): Promise<void> }[] = [];
  const once_ = async (command: string): Promise<Printed> => (await runLine(command, env, place.home)).done;
  await once_(`kubectl create namespace ${namespace}; kubectl config set-context --current --namespace=${namespace}`);
  try {
    for (const step of steps) {
      if (!isFor(step, Number(place.version))) continue;
      const asked = /^printed (\d+)$/.exec(step.command);
      if (step.mode === 'background') {
        const line = await runLine(step.command, env, place.home);
        background.push({ printed: line.printed, stop: line.stop });
        continue;
      }
      const ask = async (): Promise<Printed> => {
        if (!asked) return once_(step.command);
        const printed = background[Number(asked[1]) - 1]?.printed;
        if (!printed) throw new Error(`${place.file}:${step.line}: nothing runs in the background as ${asked[1]}`);
        return { ...printed, code: 0 };
      };
      await expectStep(step, ask, place);
    }
  } finally {
    for (const one of background) await one.stop();
    await once_(`kubectl delete namespace ${namespace} --wait=false`);
  }
}

async function expectStep(step: Step, ask: () => Promise<Printed>, place: Place): Promise<void> {
  const endMs = performance.now() + (step.mode === 'until' ? deadlineMs : 0);
  for (;;) {
    const { text, code } = await ask();
    if (code === step.code && matches(step.expected, text)) return;
    if (performance.now() >= endMs) {
      throw new Error(
        `${place.file}:${step.line} (kubectl 1.${place.version}): ${step.command}\nprinted, code ${code}:\n${text}` +
          `expected, code ${step.code}:\n${step.expected.join('\n')}\n`,
      );
    }
    await delay(200);
  }
}

async function runLine(command: string, env: Readonly<Record<string, string>>, cwd: string) {
  const child = spawn('sh', ['-c', command], { env, cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const printed: Printed = { text: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed.text += text;
    });
  }
  const kill = (): void => {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // it has ended
    }
  };
  const timer = setTimeout(kill, 2 * deadlineMs);
  const done = once(child, 'close').then(([code]) => {
    clearTimeout(timer);
    printed.code = (code as number | null) ?? -1;
    return printed;
  });
  return {
    printed,
    done,
    stop: async () => {
      kill();
      await done;
    },
  };
}
