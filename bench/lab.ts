// What a user waits for and pays: lab up, a deploy of three instances, memory with 30 pods, the start of the command.
// Measured on the installed package.   node bench/lab.ts [--idle-seconds 600] [--only-memory]     JSON: bench/results/lab.json, lab-memory.json
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  createService,
  docker,
  eventually,
  labDown,
  labUp,
  lastStartMs,
  on,
  removeService,
  run,
  runningOn,
  startSwarm,
  summary,
} from './lab-hosts.ts';

const { values } = parseArgs({
  options: { 'idle-seconds': { type: 'string', default: '600' }, 'only-memory': { type: 'boolean', default: false } },
});
const idleSeconds = Number(values['idle-seconds']);
const work = mkdtempSync(join(tmpdir(), 'flotilla-bench-'));
const hosts = ['h1', 'h2', 'h3'];
const idle = 'trap "exit 0" TERM; sleep 36000 & wait';

process.env.FLOTILLA_CONFIG = join(work, 'config.json');
process.env.FLOTILLA_NODE = process.execPath;
const bin = installPackage();
const lab = { bin, name: 'bench', prefix: '10.99.230', hosts };

const results: Record<string, unknown> = {};
try {
  if (values['only-memory']) {
    labDown(lab);
    labUp(lab);
    for (const host of hosts) docker(lab, host, 'pull', '-q', 'busybox');
  } else await measureTimes();
  Object.assign(results, await memoryWithPods(30));
  labDown(lab);
  results.up = await memoryOfUp(30);
} finally {
  labDown(lab);
  rmSync(work, { recursive: true, force: true });
}
mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
const report = { at: new Date().toISOString(), node: process.version, idleSeconds, ...results };
const file = values['only-memory'] ? 'lab-memory.json' : 'lab.json';
writeFileSync(join(import.meta.dirname, 'results', file), `${JSON.stringify(report, undefined, 2)}\n`);
console.log(JSON.stringify(report, undefined, 2));

async function measureTimes(): Promise<void> {
  results.versionMs = median(times(20, () => run([bin, 'version'])));
  labDown(lab);
  run([bin, 'version']);
  results.labUpMs = median(
    times(
      3,
      () => labUp(lab),
      () => labDown(lab),
    ),
  );
  labUp(lab);
  for (const host of hosts) on(lab, host, 'docker', 'pull', '-q', 'busybox');
  results.dockerRunMs = median(
    times(
      5,
      () => on(lab, 'h1', 'docker', 'run', '-d', '--name', 'one', 'busybox', 'sleep', '600'),
      () => on(lab, 'h1', 'docker', 'rm', '-f', 'one'),
    ),
  );
  results.three = await deployed(3, 7);
  results.thirty = await deployed(30, 5);
  results.thirtyDockerRunsOnOneHostMs = await parallelRuns(30);
  results.swarm = await swarmed({ three: 3, thirty: 30 }, 5);
}

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

/** Images present: from the start of `deploy` to its end, and to the last container's start. */
async function deployed(instances: number, rounds: number): Promise<object> {
  const commandMs: number[] = [];
  const runningMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const file = stackFile('web', instances);
    const startedAtMs = Date.now();
    const started = performance.now();
    run([bin, 'deploy', '-f', file, '--timeout', '3m']);
    commandMs.push(performance.now() - started);
    runningMs.push(lastStartMs(lab) - startedAtMs);
    run([bin, 'rm', 'web']);
    await eventually('an empty lab', 60_000, () => runningOn(lab).length === 0);
  }
  return { deployCommandMs: summary(commandMs), deployRunningMs: summary(runningMs) };
}

/** The peer, on hosts of the same kind in the same run: from the start of `docker service create` to the last container's start. */
async function swarmed(sizes: Readonly<Record<string, number>>, rounds: number): Promise<object> {
  const swarm = { bin, name: 'benchsw', prefix: '10.99.231', hosts };
  try {
    labDown(swarm);
    labUp(swarm, ['--no-flotilla']);
    await startSwarm(swarm);
    for (const host of hosts) docker(swarm, host, 'pull', '-q', 'busybox');
    const found: Record<string, object> = {};
    for (const [name, replicas] of Object.entries(sizes)) {
      const ms: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const startedAtMs = Date.now();
        createService(swarm, 's', replicas, ['sh', '-c', idle]);
        await eventually(`${replicas} tasks of Swarm`, 120_000, () => runningOn(swarm).length === replicas);
        ms.push(lastStartMs(swarm) - startedAtMs);
        await removeService(swarm, 's');
      }
      found[name] = summary(ms);
    }
    return found;
  } catch (error) {
    return { notMeasured: error instanceof Error ? error.message.slice(0, 300) : String(error) };
  } finally {
    labDown(swarm);
  }
}

/** As many `docker run` at once on one host, until the last has started. */
async function parallelRuns(count: number): Promise<number> {
  const script = `for i in $(seq ${count}); do docker run -d --name p$i busybox sh -c '${idle}' & done; wait`;
  const startedAtMs = Date.now();
  on(lab, 'h1', 'sh', '-c', script);
  const ms = lastStartMs(lab) - startedAtMs;
  on(lab, 'h1', 'sh', '-c', 'docker rm -f $(docker ps -q)');
  return ms;
}

async function memoryWithPods(count: number): Promise<object> {
  run([bin, 'deploy', '-f', stackFile('many', count), '--timeout', '3m']);
  await delay(idleSeconds * 1_000);
  const server = pssOf((line) => isNode(line) && line.includes(' server ') && line.includes(`/${lab.name}/`));
  const agents = pssOf((line) => isNode(line) && line.includes(' agent ') && line.includes(`/${lab.name}/`));
  const names = pssOf((line) => line.startsWith('flotilla-dns'));
  const proxies = pssOf((line) => /\bhaproxy .*-W -C .*\/live /.test(line));
  run([bin, 'rm', 'many']);
  return {
    pods: count,
    serverPssMiB: Math.max(...server),
    agentPssMiB: agents,
    dnsPssMiB: names,
    proxyPssMiB: proxies,
  };
}

/** `flotilla up` on one host of a lab that has Docker only. */
async function memoryOfUp(count: number): Promise<object> {
  const one = { ...lab, hosts: ['h1'] };
  labUp(one, ['--no-flotilla']);
  on(lab, 'h1', 'docker', 'pull', '-q', 'busybox');
  const data = join(work, 'up');
  const up = spawn(
    bin,
    [
      'lab',
      'exec',
      '--name',
      lab.name,
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
      on(lab, 'h1', 'env', `FLOTILLA_NODE=${process.execPath}`, `FLOTILLA_CONFIG=${work}/up.json`, bin, ...argv);
    await eventually('a node that is Ready', 30_000, () => {
      try {
        return /Ready/.test(inUp('node', 'ls'));
      } catch {
        return false; // its API is not there yet
      }
    });
    inUp('deploy', '-f', stackFile('many', count), '--timeout', '3m');
    await delay(idleSeconds * 1_000);
    return {
      pods: count,
      pssMiB: Math.max(...pssOf((line) => isNode(line) && line.includes(' up ') && line.includes(data))),
    };
  } finally {
    up.kill('SIGTERM');
  }
}

function stackFile(name: string, instances: number): string {
  const file = join(work, `${name}.yml`);
  writeFileSync(
    file,
    `name: ${name}\nservices:\n  web:\n    image: busybox\n    command: [sh, -c, '${idle}']\n    instances: ${instances}\n`,
  );
  return file;
}

function isNode(commandLine: string): boolean {
  return commandLine.startsWith(process.execPath);
}

/** Proportional memory of processes whose command line fits, MiB. */
function pssOf(fits: (commandLine: string) => boolean): number[] {
  const found: number[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      if (!fits(line)) continue;
      const kib = Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
      found.push(Math.round((kib / 1024) * 10) / 10);
    } catch {
      // ended meanwhile
    }
  }
  return found;
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

function median(all: readonly number[]): number {
  return Math.round([...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0);
}
