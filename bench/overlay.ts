// How fast pods of two hosts talk to each other by each way, against the bare link between the hosts, in one run.
// Needs root and iperf3. `node bench/overlay.ts [--seconds 5] [--rounds 3] [--swarm]`: JSON in bench/results/overlay.json.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { exec } from '../src/lib/exec.ts';
import { type OverlayHost, startOverlayHosts } from '../test/integration/overlay-hosts.ts';
import { docker, type LabHosts, labDown, labUp, startSwarm } from './lab-hosts.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    swarm: { type: 'boolean', default: false },
  },
});
const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];

/** A network namespace. */
interface Place {
  /** What goes before a command that runs there. */
  readonly enter: readonly string[];
  readonly address: string;
}

interface Measured {
  readonly gigabitsPerSecond: number[];
  readonly roundTripMicroseconds: number[];
}

const loadBefore = loadavg()[0];
const results = new Map<string, Measured>();

async function measure(name: string, from: Place, to: Place): Promise<void> {
  const server = exec([...to.enter, 'iperf3', '-s', '-1'], { timeoutMs: (seconds + 30) * 1_000 });
  await delay(300); // until it listens
  const client = [...from.enter, 'iperf3', '-J', '-c', to.address, '-t', String(seconds)];
  const { stdout } = await exec(client, { timeoutMs: (seconds + 20) * 1_000 });
  await server;
  const report = JSON.parse(stdout) as { end: { sum_received: { bits_per_second: number } } };
  const ping = await exec([...from.enter, 'ping', '-n', '-q', '-c', '300', '-i', '0.005', to.address]);
  const average = Number(/= [\d.]+\/([\d.]+)\//.exec(ping.stdout)?.[1]);
  const found = results.get(name) ?? { gigabitsPerSecond: [], roundTripMicroseconds: [] };
  found.gigabitsPerSecond.push(report.end.sum_received.bits_per_second / 1e9);
  found.roundTripMicroseconds.push(average * 1_000);
  results.set(name, found);
  console.log(`${name}: ${found.gigabitsPerSecond.at(-1)?.toFixed(2)} Gbit/s, ${(average * 1000).toFixed(0)} µs`);
}

function within(pid: number): readonly string[] {
  return ['nsenter', `--net=/proc/${pid}/ns/net`];
}

async function measureOurs(): Promise<void> {
  const world = await startOverlayHosts(3);
  try {
    const [a, b] = world.hosts as [OverlayHost, OverlayHost];
    const podOf = (host: OverlayHost): Place => ({ enter: within(host.pod.pid), address: host.podAddress });
    const hostOf = (host: OverlayHost): Place => ({ enter: within(host.machine.pid), address: host.address });
    // In turn, so that what else the machine does falls on all of them.
    for (let round = 0; round < rounds; round++) {
      await measure('bare', hostOf(a), hostOf(b));
      for (const way of ['route', 'vxlan', 'wireguard'] as const) {
        await world.applyAll(() => way);
        for (const host of world.hosts) {
          const mtu = 1_500 - { route: 0, vxlan: 50, wireguard: 80 }[way]; // as their bridge would be made
          await host.pod.ip(`link set eth0 mtu ${mtu}`);
        }
        await measure(way === 'wireguard' ? 'wireguard-go' : way, podOf(a), podOf(b));
      }
    }
  } finally {
    await world.stop();
  }
}

/** Swarm's plain overlay (VXLAN), between containers on hosts of the same kind. */
async function measureSwarm(): Promise<void> {
  const bin = fileURLToPath(new URL('../bin/flotilla', import.meta.url));
  const lab: LabHosts = { bin, name: 'benchov', prefix: '10.99.104', hosts: ['h1', 'h2'] };
  labDown(lab);
  labUp(lab, ['--no-flotilla']);
  try {
    await startSwarm(lab);
    docker(lab, 'h1', 'network', 'create', '--driver', 'overlay', '--attachable', 'net');
    const start = (host: string): Place => {
      const how = ['-d', '--network', 'net', '--name', `bench-${host}`];
      docker(lab, host, 'run', ...how, '--pull', 'always', 'busybox', 'sleep', '3600');
      const format = '{{.State.Pid}} {{.NetworkSettings.Networks.net.IPAddress}}';
      const [pid, address = ''] = docker(lab, host, 'inspect', '-f', format, `bench-${host}`).trim().split(' ');
      return { enter: [bin, 'lab', 'exec', '--name', lab.name, host, '--', ...within(Number(pid))], address };
    };
    const [a, b] = [start('h1'), start('h2')];
    for (let round = 0; round < rounds; round++) await measure('swarm overlay', a, b);
  } finally {
    labDown(lab);
  }
}

function median(all: readonly number[]): number {
  return all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
}

await measureOurs();
if (values.swarm) await measureSwarm();
const bare = median(results.get('bare')?.gigabitsPerSecond ?? []);
const rows = [...results].map(([name, { gigabitsPerSecond, roundTripMicroseconds }]) => ({
  name,
  gigabitsPerSecond: Number(median(gigabitsPerSecond).toFixed(2)),
  toBare: Number((median(gigabitsPerSecond) / bare).toFixed(2)),
  roundTripMicroseconds: Math.round(median(roundTripMicroseconds)),
  allGigabitsPerSecond: gigabitsPerSecond.map((one) => Number(one.toFixed(2))),
}));
console.table(rows.map(({ allGigabitsPerSecond: _, ...row }) => row));
const report = { at: new Date().toISOString(), cpus: cpus().length, loadBefore, seconds, rounds, rows };
mkdirSync('bench/results', { recursive: true });
writeFileSync('bench/results/overlay.json', `${JSON.stringify(report, undefined, 2)}\n`);
