// What a user waits for and pays: lab up, a deploy of three instances, memory with 30 pods, the start of the command.
// Measured on the installed package.   node bench/lab.ts [--idle-seconds 600]     JSON: bench/results/lab.json
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { 'idle-seconds': { type: 'string', default: '600' } } });
const idleSeconds = Number(values['idle-seconds']);
const work = mkdtempSync(join(tmpdir(), 'flotilla-bench-'));
const network = '10.99.230.0/24';
const lab = 'bench';
const hosts = ['h1', 'h2', 'h3'];

process.env.FLOTILLA_CONFIG = join(work, 'config.json');
process.env.FLOTILLA_NODE = process.execPath;
const bin = installPackage();

const results: Record<string, unknown> = {};
try {
  results.versionMs = median(times(20, () => run([bin, 'version'])));
  labDown();
  run([bin, 'version']);
  results.labUpMs = median(times(3, () => labUp(), labDown));
  labUp();
  for (const host of hosts) inLab(host, 'docker', 'pull', '-q', 'busybox');
  results.dockerRunMs = median(
    times(
      5,
      () => inLab('h1', 'docker', 'run', '-d', '--name', 'one', 'busybox', 'sleep', '600'),
      () => inLab('h1', 'docker', 'rm', '-f', 'one'),
    ),
  );
  Object.assign(results, await deployThree());
  results.swarm = await swarmThree();
  Object.assign(results, await memoryWithPods(30));
  labDown();
  results.up = await memoryOfUp(30);
} finally {
  labDown();
  rmSync(work, { recursive: true, force: true });
}
mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
const report = { at: new Date().toISOString(), node: process.version, idleSeconds, ...results };
writeFileSync(join(import.meta.dirname, 'results/lab.json'), `${JSON.stringify(report, undefined, 2)}\n`);
console.log(JSON.stringify(report, undefined, 2));

function installPackage(): string {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', work], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  ) as { filename: string }[];
  execFileSync(
    'npm',
    [
      'install',
      '--global',
      '--silent',
      '--no-audit',
      '--no-fund',
      '--prefix',
      work,
      join(work, packed?.filename ?? ''),
    ],
    { stdio: 'ignore' },
  );
  return join(work, 'bin/flotilla');
}

function labUp(): void {
  run([bin, 'lab', 'up', '--name', lab, '--network', network, '--hosts', '3']);
}

function labDown(): void {
  run([bin, 'lab', 'down', '--name', lab]);
}

/** One instance a host, image present: from the start of `deploy` to its end, and to the third container's start. */
async function deployThree(): Promise<object> {
  const commandMs: number[] = [];
  const runningMs: number[] = [];
  for (let round = 0; round < 7; round++) {
    const name = `three${round}`;
    const file = stackFile(name, 3);
    const startedAtMs = Date.now();
    const started = performance.now();
    run([bin, 'deploy', '-f', file]);
    commandMs.push(performance.now() - started);
    const startedAt = hosts.map((host) =>
      inLab(
        host,
        'sh',
        '-c',
        `docker inspect -f '{{.State.StartedAt}}' $(docker ps -q --filter label=flotilla.dev/pod-namespace=${name})`,
      ).trim(),
    );
    runningMs.push(Math.max(...startedAt.map((text) => Date.parse(text))) - startedAtMs);
    run([bin, 'rm', name]);
  }
  return { deployCommandMs: summary(commandMs), deployRunningMs: summary(runningMs) };
}

/** The peer, on the same hosts in the same run: `docker service create` of three replicas until all run. */
async function swarmThree(): Promise<object> {
  // Swarm and live-restore exclude each other: daemons of their own, beside the lab's.
  run([bin, 'lab', 'down', '--name', 'benchsw']);
  run([bin, 'lab', 'up', '--name', 'benchsw', '--network', '10.99.231.0/24', '--hosts', '3', '--no-flotilla']);
  const at = (host: string, ...argv: string[]) => run([bin, 'lab', 'exec', '--name', 'benchsw', host, '--', ...argv]);
  try {
    for (const host of hosts) {
      const file = `/var/lib/flotilla-lab/benchsw/${host}/daemon.json`;
      at(
        host,
        'sh',
        '-c',
        `sed -i 's/"live-restore": true/"live-restore": false/' ${file} && kill -HUP $(cat /run/docker.pid)`,
      );
    }
    await delay(2_000);
    at('h1', 'docker', 'swarm', 'init', '--advertise-addr', '10.99.231.1');
    const token = at('h1', 'docker', 'swarm', 'join-token', '-q', 'worker').trim();
    for (const host of ['h2', 'h3']) at(host, 'docker', 'swarm', 'join', '--token', token, '10.99.231.1:2377');
    for (const host of hosts) at(host, 'docker', 'pull', '-q', 'busybox');
    const ms = times(
      5,
      () =>
        at(
          'h1',
          'docker',
          'service',
          'create',
          '-q',
          '--no-resolve-image',
          '--detach=true',
          '--name',
          's',
          '--replicas',
          '3',
          'busybox',
          'sleep',
          '600',
        ) && waitSwarm(at),
      () => {
        at('h1', 'docker', 'service', 'rm', 's');
      },
    );
    return { runningMs: summary(ms) };
  } catch (error) {
    return { notMeasured: error instanceof Error ? error.message.slice(0, 300) : String(error) };
  } finally {
    run([bin, 'lab', 'down', '--name', 'benchsw']);
  }
}

function waitSwarm(at: (host: string, ...argv: string[]) => string): void {
  const end = performance.now() + 30_000;
  while (performance.now() < end) {
    if (at('h1', 'docker', 'service', 'ls', '--format', '{{.Replicas}}').trim() === '3/3') return;
  }
  throw new Error('swarm did not start three replicas in 30 s');
}

async function memoryWithPods(count: number): Promise<object> {
  run([bin, 'deploy', '-f', stackFile('many', count), '--timeout', '3m']);
  await delay(idleSeconds * 1_000);
  const server = pssOf((line) => line.includes(' server ') && line.includes(`/${lab}/`));
  const agents = pssOf((line) => line.includes(' agent ') && line.includes(`/${lab}/`));
  run([bin, 'rm', 'many']);
  return { pods: count, serverPssMiB: Math.max(...server), agentPssMiB: agents };
}

/** `flotilla up` on one host of a lab that has Docker only. */
async function memoryOfUp(count: number): Promise<object> {
  run([bin, 'lab', 'up', '--name', lab, '--network', network, '--hosts', '1', '--no-flotilla']);
  inLab('h1', 'docker', 'pull', '-q', 'busybox');
  const data = join(work, 'up');
  const up = spawn(
    bin,
    [
      'lab',
      'exec',
      '--name',
      lab,
      'h1',
      '--',
      'env',
      `FLOTILLA_NODE=${process.execPath}`,
      `FLOTILLA_CONFIG=${work}/up.json`,
      bin,
      'up',
      '--data',
      data,
      '--address',
      '10.99.230.1',
    ],
    { stdio: 'ignore' },
  );
  try {
    const inUp = (...argv: string[]) =>
      inLab('h1', 'env', `FLOTILLA_NODE=${process.execPath}`, `FLOTILLA_CONFIG=${work}/up.json`, bin, ...argv);
    await eventually(() => /Ready/.test(inUp('node', 'ls')));
    inUp('deploy', '-f', stackFile('many', count), '--timeout', '3m');
    await delay(idleSeconds * 1_000);
    return { pods: count, pssMiB: Math.max(...pssOf((line) => line.includes(' up ') && line.includes(data))) };
  } finally {
    up.kill('SIGTERM');
  }
}

function stackFile(name: string, instances: number): string {
  const file = join(work, `${name}.yml`);
  writeFileSync(
    file,
    `name: ${name}\nservices:\n  web:\n    image: busybox\n    command: [sh, -c, 'trap "exit 0" TERM; sleep 36000 & wait']\n    instances: ${instances}\n`,
  );
  return file;
}

/** Proportional memory of node processes whose command line fits, MiB. */
function pssOf(fits: (commandLine: string) => boolean): number[] {
  const found: number[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      if (!line.startsWith(process.execPath) || !fits(line)) continue;
      const kib = Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
      found.push(Math.round((kib / 1024) * 10) / 10);
    } catch {
      // ended meanwhile
    }
  }
  return found;
}

function inLab(host: string, ...argv: string[]): string {
  return run([bin, 'lab', 'exec', '--name', lab, host, '--', ...argv]);
}

function run(argv: readonly string[]): string {
  const [program = '', ...args] = argv;
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 300_000 });
}

function times(count: number, work: () => unknown, after: () => unknown = () => {}): number[] {
  return Array.from({ length: count }, () => {
    const started = performance.now();
    work();
    const ms = performance.now() - started;
    after();
    return ms;
  });
}

async function eventually(isSo: () => boolean): Promise<void> {
  const end = performance.now() + 30_000;
  while (performance.now() < end) {
    try {
      if (isSo()) return;
    } catch {
      // not yet
    }
    await delay(200);
  }
  throw new Error('not within 30 s');
}

function median(all: readonly number[]): number {
  return Math.round([...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0);
}

function summary(all: readonly number[]): object {
  return {
    median: median(all),
    min: Math.round(Math.min(...all)),
    max: Math.round(Math.max(...all)),
    runs: all.length,
  };
}
