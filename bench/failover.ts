// How long until what a dead host ran runs elsewhere: 10 of 30 instances, the power of their host cut. And what a cut of 9 s
// does. Docker Swarm beside it on hosts of the same kind.   node bench/failover.ts [--rounds 3] [--octet 221] [--no-swarm]
// JSON: bench/results/failover.json
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    octet: { type: 'string', default: '221' },
    'no-swarm': { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const work = mkdtempSync(join(tmpdir(), 'flotilla-failover-'));
const hosts = ['h1', 'h2', 'h3'];
const bin = fileURLToPath(new URL('../bin/flotilla', import.meta.url));
process.env.FLOTILLA_CONFIG = join(work, 'config.json');
const idle = 'trap "exit 0" TERM; sleep 36000 & wait';

interface Lab {
  readonly name: string;
  readonly prefix: string;
}

const results: Record<string, unknown> = {};
try {
  const lab = { name: 'benchfo', prefix: `10.99.${values.octet}` };
  results.flotilla = await inLab(lab, [], flotillaRounds);
  if (!values['no-swarm']) {
    const swarm = { name: 'benchfosw', prefix: `10.99.${Number(values.octet) + 1}` };
    results.swarm = await inLab(swarm, ['--no-flotilla'], swarmRounds).catch((error: Error) => ({
      notMeasured: error.message.slice(0, 300),
    }));
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
const report = { at: new Date().toISOString(), node: process.version, instances: 30, onTheDeadHost: 10, ...results };
mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
writeFileSync(join(import.meta.dirname, 'results/failover.json'), `${JSON.stringify(report, undefined, 2)}\n`);
console.log(JSON.stringify(report, undefined, 2));

async function inLab<T>(lab: Lab, more: readonly string[], use: (lab: Lab) => Promise<T>): Promise<T> {
  run([bin, 'lab', 'down', '--name', lab.name]);
  run([bin, 'lab', 'up', '--name', lab.name, '--network', `${lab.prefix}.0/24`, '--hosts', '3', ...more]);
  try {
    for (const host of hosts) on(lab, host, 'docker', 'pull', '-q', 'busybox');
    return await use(lab);
  } finally {
    run([bin, 'lab', 'down', '--name', lab.name]);
  }
}

async function flotillaRounds(lab: Lab): Promise<object> {
  const file = join(work, 'thirty.yml');
  const service = `{image: busybox, instances: 30, command: [sh, -c, '${idle}']}`;
  writeFileSync(file, `name: thirty\nservices:\n  web: ${service}\n`);
  run([bin, 'deploy', '-f', file, '--timeout', '3m']);
  const cut = await nineSecondCut(lab);
  const measured: Record<string, object> = {};
  for (const after of ['10s', '3s']) {
    run([bin, 'grid', 'set', '--failover-after', after]);
    const ms: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const host = hosts[round % hosts.length] ?? '';
      await eventually(120_000, () => running(lab, hosts) === 30 && running(lab, [host]) === 10);
      ms.push(await timeUntilRunning(lab, host, () => running(lab, others(host))));
      run([bin, 'lab', 'on', '--name', lab.name, host]);
      await eventually(120_000, () => /^(\S+ +Ready +.*\n?){3}$/m.test(lines(run([bin, 'node', 'ls']))));
      run([bin, 'node', 'undrain', host]);
      // Ten on each host again, all of them new: what came back after a power cut had to be started anew.
      run([bin, 'rm', 'thirty']);
      run([bin, 'deploy', '-f', file, '--timeout', '3m']);
    }
    measured[`after${after}`] = summary(ms);
  }
  return { ...measured, nineSecondCut: cut };
}

async function swarmRounds(lab: Lab): Promise<object> {
  for (const host of hosts) {
    const config = `/var/lib/flotilla-lab/${lab.name}/${host}/daemon.json`;
    const change = `sed -i 's/"live-restore": true/"live-restore": false/' ${config} && kill -HUP $(cat /run/docker.pid)`;
    on(lab, host, 'sh', '-c', change);
  }
  await delay(2_000);
  on(lab, 'h1', 'docker', 'swarm', 'init', '--advertise-addr', `${lab.prefix}.1`);
  const token = on(lab, 'h1', 'docker', 'swarm', 'join-token', '-q', 'worker').trim();
  for (const host of ['h2', 'h3']) on(lab, host, 'docker', 'swarm', 'join', '--token', token, `${lab.prefix}.1:2377`);
  const ms: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const host = round % 2 === 0 ? 'h2' : 'h3'; // h1 is the manager
    const create = [
      '--no-resolve-image',
      '--detach=true',
      '--name',
      's',
      '--replicas',
      '30',
      '--stop-grace-period',
      '1s',
    ];
    on(lab, 'h1', 'docker', 'service', 'create', '-q', ...create, 'busybox', 'sh', '-c', idle);
    await eventually(120_000, () => running(lab, hosts) === 30);
    ms.push(await timeUntilRunning(lab, host, () => running(lab, others(host))));
    run([bin, 'lab', 'on', '--name', lab.name, host]);
    on(lab, 'h1', 'docker', 'service', 'rm', 's');
    await eventually(120_000, () => running(lab, hosts) === 0);
    await eventually(120_000, () => (on(lab, 'h1', 'docker', 'node', 'ls').match(/Ready/g) ?? []).length === 3);
  }
  return summary(ms);
}

/** From the moment the power is off until the containers of the other hosts are thirty. */
async function timeUntilRunning(lab: Lab, host: string, count: () => number): Promise<number> {
  run([bin, 'lab', 'off', '--name', lab.name, host]);
  const started = performance.now();
  await eventually(120_000, () => count() >= 30);
  return performance.now() - started;
}

/** Containers that were there before and have been started again since; and instances made meanwhile. */
async function nineSecondCut(lab: Lab): Promise<object> {
  const times = () => {
    const script =
      "docker ps -q --no-trunc | xargs -r docker inspect -f '{{.Id}} {{.State.StartedAt}} {{.RestartCount}}'";
    return new Map(
      hosts
        .flatMap((host) => on(lab, host, 'sh', '-c', script).trim().split('\n'))
        .map((line) => [line.slice(0, 64), line]),
    );
  };
  const names = () => run([bin, 'ps', '-q']).trim().split('\n').sort().join();
  const [before, namesBefore] = [times(), names()];
  run([bin, 'lab', 'cut', '--name', lab.name, 'h2']);
  await delay(9_000);
  run([bin, 'lab', 'plug', '--name', lab.name, 'h2']);
  await delay(10_000);
  const after = times();
  const changed = [...before].filter(([id, line]) => after.get(id) !== line).length;
  return { startedAgain: changed, instancesAreTheSame: names() === namesBefore };
}

/** Asked from outside the hosts: entering one costs a process of our own each time. */
function running(lab: Lab, of: readonly string[]): number {
  const count = (host: string) => {
    const socket = `unix:///var/lib/flotilla-lab/${lab.name}/${host}/docker.sock`;
    try {
      return run(['docker', '-H', socket, 'ps', '-q']).split('\n').filter(Boolean).length;
    } catch {
      return 0; // its daemon is still coming up
    }
  };
  return of.reduce((sum, host) => sum + count(host), 0);
}

function others(host: string): readonly string[] {
  return hosts.filter((one) => one !== host);
}

function lines(text: string): string {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('NODE'))
    .join('\n')
    .trim();
}

function on(lab: Lab, host: string, ...argv: string[]): string {
  return run([bin, 'lab', 'exec', '--name', lab.name, host, '--', ...argv]);
}

function run(argv: readonly string[]): string {
  const [program = '', ...args] = argv;
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 300_000 });
}

async function eventually(timeoutMs: number, isSo: () => boolean): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (performance.now() < end) {
    if (isSo()) return;
    await delay(50);
  }
  throw new Error(`not within ${timeoutMs / 1_000} s`);
}

function summary(all: readonly number[]): object {
  const sorted = [...all].sort((a, b) => a - b).map(Math.round);
  return {
    medianMs: sorted[Math.floor(sorted.length / 2)],
    minMs: sorted[0],
    maxMs: sorted.at(-1),
    rounds: all.length,
  };
}
