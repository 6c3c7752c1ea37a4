// Hosts of a lab as a bench uses them: commands, what runs, when it started, and Docker Swarm on hosts of the same kind.
import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

export interface LabHosts {
  /** The `flotilla` that is measured. */
  readonly bin: string;
  readonly name: string;
  /** `10.99.230`: of a /24. */
  readonly prefix: string;
  readonly hosts: readonly string[];
}

export function run(argv: readonly string[]): string {
  const [program = '', ...args] = argv;
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 300_000 });
}

export function labUp({ bin, name, prefix, hosts }: LabHosts, more: readonly string[] = []): void {
  run([bin, 'lab', 'up', '--name', name, '--network', `${prefix}.0/24`, '--hosts', String(hosts.length), ...more]);
}

/** Also what a killed run left. */
export function labDown({ bin, name }: LabHosts): void {
  run([bin, 'lab', 'down', '--name', name]);
}

export function on({ bin, name }: LabHosts, host: string, ...argv: string[]): string {
  return run([bin, 'lab', 'exec', '--name', name, host, '--', ...argv]);
}

/** The host's engine, asked from outside: entering a host costs a process of our own each time. */
export function docker({ name }: LabHosts, host: string, ...argv: string[]): string {
  return run(['docker', '-H', `unix:///var/lib/flotilla-lab/${name}/${host}/docker.sock`, ...argv]);
}

export function runningOn(lab: LabHosts, of: readonly string[] = lab.hosts): readonly string[] {
  return of.flatMap((host) => {
    try {
      return docker(lab, host, 'ps', '-q', '--no-trunc').split('\n').filter(Boolean);
    } catch {
      return []; // its engine is still coming up
    }
  });
}

/** When the last of all containers that run now was started, by the engines' clock, ms since 1970. */
export function lastStartMs(lab: LabHosts): number {
  const times = lab.hosts.flatMap((host) => {
    const ids = runningOn(lab, [host]);
    return ids.length === 0
      ? []
      : docker(lab, host, 'inspect', '-f', '{{.State.StartedAt}}', ...ids)
          .trim()
          .split('\n');
  });
  return Math.max(...times.map((text) => Date.parse(text)));
}

/** Swarm on a lab that was made with `--no-flotilla`: h1 manages. Live-restore excludes it, and is switched off. */
export async function startSwarm(lab: LabHosts): Promise<void> {
  for (const host of lab.hosts) {
    const config = `/var/lib/flotilla-lab/${lab.name}/${host}/daemon.json`;
    const change = `sed -i 's/"live-restore": true/"live-restore": false/' ${config} && kill -HUP $(cat /run/docker.pid)`;
    on(lab, host, 'sh', '-c', change);
  }
  await delay(2_000);
  const [manager = '', ...workers] = lab.hosts;
  docker(lab, manager, 'swarm', 'init', '--advertise-addr', `${lab.prefix}.1`);
  const token = docker(lab, manager, 'swarm', 'join-token', '-q', 'worker').trim();
  for (const host of workers) docker(lab, host, 'swarm', 'join', '--token', token, `${lab.prefix}.1:2377`);
}

export function createService(lab: LabHosts, name: string, replicas: number, command: readonly string[]): void {
  const [manager = ''] = lab.hosts;
  const how = ['-q', '--no-resolve-image', '--detach=true', '--stop-grace-period', '1s'];
  docker(
    lab,
    manager,
    'service',
    'create',
    ...how,
    '--name',
    name,
    '--replicas',
    String(replicas),
    'busybox',
    ...command,
  );
}

export async function removeService(lab: LabHosts, name: string): Promise<void> {
  const [manager = ''] = lab.hosts;
  docker(lab, manager, 'service', 'rm', name);
  await eventually(`no container of service ${name}`, 120_000, () => runningOn(lab).length === 0);
}

export async function eventually(what: string, timeoutMs: number, isSo: () => boolean): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (performance.now() < end) {
    if (isSo()) return;
    await delay(50);
  }
  throw new Error(`${what}: not within ${timeoutMs / 1_000} s`);
}

export function summary(all: readonly number[]): object {
  const sorted = [...all].sort((a, b) => a - b).map(Math.round);
  const medianMs = sorted[Math.floor(sorted.length / 2)];
  return { medianMs, minMs: sorted[0], maxMs: sorted.at(-1), rounds: all.length };
}
