// How long until what a dead host ran runs elsewhere: 10 of 30 instances, the power of their host cut. And what a cut of 9 s
// does. Docker Swarm beside it on hosts of the same kind.   node bench/failover.ts [--rounds 3] [--octet 221] [--no-swarm | --only-swarm]
// JSON: bench/results/failover.json
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  createService,
  docker,
  eventually,
  type LabHosts,
  labDown,
  labUp,
  on,
  run,
  runningOn,
  startSwarm,
  summary,
} from './lab-hosts.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    octet: { type: 'string', default: '221' },
    'no-swarm': { type: 'boolean', default: false },
    'only-swarm': { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const work = mkdtempSync(join(tmpdir(), 'flotilla-failover-'));
const hosts = ['h1', 'h2', 'h3'];
const bin = fileURLToPath(new URL('../bin/flotilla', import.meta.url));
process.env.FLOTILLA_CONFIG = join(work, 'config.json');
const idle = 'trap "exit 0" TERM; sleep 36000 & wait';

const results: Record<string, unknown> = {};
try {
  const lab = { bin, name: 'benchfo', prefix: `10.99.${values.octet}`, hosts };
  if (!values['only-swarm']) results.flotilla = await inLab(lab, [], flotillaRounds);
  if (!values['no-swarm']) {
    const swarm = { bin, name: 'benchfosw', prefix: `10.99.${Number(values.octet) + 1}`, hosts };
    results.swarm = await swarmRounds(swarm).catch((error: Error) => ({ notMeasured: error.message.slice(0, 300) }));
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
const report = { at: new Date().toISOString(), node: process.version, instances: 30, onTheDeadHost: 10, ...results };
mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
writeFileSync(join(import.meta.dirname, 'results/failover.json'), `${JSON.stringify(report, undefined, 2)}\n`);
console.log(JSON.stringify(report, undefined, 2));

async function inLab<T>(lab: LabHosts, more: readonly string[], use: (lab: LabHosts) => Promise<T>): Promise<T> {
  labDown(lab);
  labUp(lab, more);
  try {
    for (const host of hosts) docker(lab, host, 'pull', '-q', 'busybox');
    return await use(lab);
  } finally {
    labDown(lab);
  }
}

async function flotillaRounds(lab: LabHosts): Promise<object> {
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
      await eventually(
        'ten instances a host',
        120_000,
        () => running(lab, hosts) === 30 && running(lab, [host]) === 10,
      );
      ms.push(await timeUntilRunning(lab, host, () => running(lab, others(host))));
      run([bin, 'lab', 'on', '--name', lab.name, host]);
      await eventually('three nodes', 120_000, () => /^(\S+ +Ready +.*\n?){3}$/m.test(lines(run([bin, 'node', 'ls']))));
      run([bin, 'node', 'undrain', host]);
      // Ten on each host again, all of them new: what came back after a power cut had to be started anew.
      run([bin, 'rm', 'thirty']);
      run([bin, 'deploy', '-f', file, '--timeout', '3m']);
    }
    measured[`after${after}`] = summary(ms);
  }
  return { ...measured, nineSecondCut: cut };
}

/** Each in a lab of its own: a host of Swarm that was switched on again was not Ready within two minutes. */
async function swarmRounds(lab: LabHosts): Promise<object> {
  const ms: number[] = [];
  for (let round = 0; round < rounds; round++) ms.push(await inLab(lab, ['--no-flotilla'], swarmRound));
  return summary(ms);
}

async function swarmRound(lab: LabHosts): Promise<number> {
  await startSwarm(lab);
  createService(lab, 's', 30, ['sh', '-c', idle]);
  await eventually('30 tasks of Swarm', 120_000, () => running(lab, hosts) === 30);
  return await timeUntilRunning(lab, 'h3', () => running(lab, others('h3'))); // h1 is the manager
}

/** From the moment the power is off until the containers of the other hosts are thirty. */
async function timeUntilRunning(lab: LabHosts, host: string, count: () => number): Promise<number> {
  run([bin, 'lab', 'off', '--name', lab.name, host]);
  const started = performance.now();
  await eventually('30 instances without the dead host', 120_000, () => count() >= 30);
  return performance.now() - started;
}

/** Containers that were there before and have been started again since; and instances made meanwhile. */
async function nineSecondCut(lab: LabHosts): Promise<object> {
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

function running(lab: LabHosts, of: readonly string[]): number {
  return runningOn(lab, of).length;
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
