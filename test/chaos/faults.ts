// What is done to a lab, and when, as data: decided by the seed alone before anything starts.
import type { Random } from './random.ts';

/** A long-running program of a machine. */
export type Unit = 'agent' | 'dockerd' | 'server' | 'etcd';

export type Fault =
  /** SIGKILL; the machine starts it again by itself. */
  | { readonly type: 'kill'; readonly machine: string; readonly unit: Unit }
  /** SIGSTOP, and SIGCONT after `forMs`. */
  | { readonly type: 'freeze'; readonly machine: string; readonly unit: Unit; readonly forMs: number }
  /** Killed, and not started again for `forMs`. */
  | { readonly type: 'hold'; readonly machine: string; readonly unit: Unit; readonly forMs: number }
  /** The network cable is out for `forMs`. */
  | { readonly type: 'cut'; readonly machine: string; readonly forMs: number }
  /** No power for `forMs`. */
  | { readonly type: 'off'; readonly machine: string; readonly forMs: number }
  /** The wall clock of a program jumps, and back after `forMs`. */
  | {
      readonly type: 'clock';
      readonly machine: string;
      readonly unit: Unit;
      readonly byMs: number;
      readonly forMs: number;
    }
  /** A container of the workload is killed by its host's Docker, without our doing. */
  | { readonly type: 'container'; readonly machine: string; readonly how: 'kill' | 'stop' | 'rm' }
  /** The cable loses packets, both ways. */
  | { readonly type: 'loss'; readonly machine: string; readonly percent: number; readonly forMs: number }
  /** What goes to a machine comes through a line of 1 Mbit/s. */
  | { readonly type: 'narrow'; readonly machine: string; readonly forMs: number }
  /** The disk takes 20 writes a second from a program. */
  | { readonly type: 'disk'; readonly machine: string; readonly unit: Unit; readonly forMs: number }
  /** Members of etcd are held stopped: those that are left are no majority. */
  | { readonly type: 'quorum'; readonly machines: readonly string[]; readonly forMs: number }
  /** Whoever leads at that moment. */
  | { readonly type: 'leader'; readonly how: 'kill' | 'freeze' | 'cut'; readonly forMs: number }
  /** The registry answers nobody. */
  | { readonly type: 'registry'; readonly forMs: number };

export interface TimedFault {
  readonly atMs: number;
  readonly fault: Fault;
}

export interface FaultPlanOptions {
  readonly durationMs: number;
  readonly hosts: readonly string[];
  readonly servers: readonly string[];
  /** Whether servers have an etcd member each. */
  readonly withEtcd: boolean;
  /** Whether programs' wall clocks can be moved. */
  readonly withClock: boolean;
  /** Between the beginnings of two faults, on average. */
  readonly meanGapMs: number;
}

const hour = 3_600_000;

/**
 * Several faults may be under way at once, also on different machines; one machine has one lasting fault at a time. All of
 * them are over at `durationMs`: what comes after is calm.
 */
export function planFaults(random: Random, options: FaultPlanOptions): readonly TimedFault[] {
  const { durationMs, meanGapMs } = options;
  const busyUntilMs = new Map<string, number>();
  const plan: TimedFault[] = [];
  for (let atMs = meanGapMs; ; atMs += random.between(meanGapMs / 4, (meanGapMs * 7) / 4)) {
    if (atMs >= durationMs - 500) return plan;
    const fault = chooseFault(random, options, durationMs - atMs);
    const places = placesOf(fault);
    if (places.some((place) => (busyUntilMs.get(place) ?? 0) > atMs)) continue;
    for (const place of places) busyUntilMs.set(place, atMs + ('forMs' in fault ? fault.forMs : 0));
    plan.push({ atMs, fault });
  }
}

/** What a fault keeps busy. Who leads is not known beforehand: that one has a place of its own. */
export function placesOf(fault: Fault): readonly string[] {
  if ('machine' in fault) return [fault.machine];
  return fault.type === 'quorum' ? fault.machines : [fault.type];
}

function chooseFault(random: Random, options: FaultPlanOptions, leftMs: number): Fault {
  const forMs = Math.min(random.between(300, 14_000), leftMs);
  const dice = random.next();
  if (dice < 0.03) return { type: 'registry', forMs };
  if (dice < 0.13) return { type: 'leader', how: random.pick(['kill', 'freeze', 'cut'] as const), forMs };
  if (dice < 0.18 && options.withEtcd) return { type: 'quorum', machines: mostOf(random, options.servers), forMs };
  return chooseMachineFault(random, options, forMs);
}

function chooseMachineFault(random: Random, options: FaultPlanOptions, forMs: number): Fault {
  const isHost = random.next() < 0.6;
  const machine = random.pick(isHost ? options.hosts : options.servers);
  const units: readonly Unit[] = isHost ? ['agent', 'dockerd'] : options.withEtcd ? ['server', 'etcd'] : ['server'];
  const unit = random.pick(units);
  const dice = random.next();
  if (dice < 0.2) return { type: 'kill', machine, unit };
  if (dice < 0.32) return { type: 'freeze', machine, unit, forMs };
  if (dice < 0.42) return { type: 'hold', machine, unit, forMs };
  if (dice < 0.54) return { type: 'cut', machine, forMs };
  if (dice < 0.67) return { type: 'off', machine, forMs };
  if (dice < 0.75) return { type: 'loss', machine, percent: random.pick([5, 20, 60]), forMs };
  if (dice < 0.79) return { type: 'narrow', machine, forMs };
  if (dice < 0.84) return { type: 'disk', machine, unit, forMs };
  if (options.withClock && dice < 0.92 && unit !== 'dockerd' && unit !== 'etcd') {
    return { type: 'clock', machine, unit, byMs: random.pick([-hour, hour]), forMs };
  }
  if (isHost) return { type: 'container', machine, how: random.pick(['kill', 'stop', 'rm'] as const) };
  return { type: 'kill', machine, unit };
}

/** The smallest number of them without which the others are no majority. */
function mostOf(random: Random, all: readonly string[]): readonly string[] {
  const left = [...all];
  const taken: string[] = [];
  while (left.length > 0 && left.length * 2 > all.length) {
    const one = random.pick(left);
    left.splice(left.indexOf(one), 1);
    taken.push(one);
  }
  return taken;
}

export function describeFault(fault: Fault): string {
  const lasting = 'forMs' in fault ? ` for ${(fault.forMs / 1000).toFixed(1)} s` : '';
  switch (fault.type) {
    case 'kill':
    case 'freeze':
    case 'hold':
      return `${fault.type} ${fault.unit} of ${fault.machine}${lasting}`;
    case 'cut':
      return `cut the cable of ${fault.machine}${lasting}`;
    case 'off':
      return `power off ${fault.machine}${lasting}`;
    case 'clock':
      return `clock of ${fault.unit} of ${fault.machine} jumps by ${fault.byMs / hour} h${lasting}`;
    case 'container':
      return `docker ${fault.how} a container on ${fault.machine}`;
    case 'loss':
      return `the cable of ${fault.machine} loses ${fault.percent} %${lasting}`;
    case 'narrow':
      return `a narrow line to ${fault.machine}${lasting}`;
    case 'disk':
      return `a slow disk for ${fault.unit} of ${fault.machine}${lasting}`;
    case 'quorum':
      return `hold etcd of ${fault.machines.join(' and ')}${lasting}`;
    case 'leader':
      return `${fault.how} the leader${fault.how === 'kill' ? '' : lasting}`;
    case 'registry':
      return `freeze the registry${lasting}`;
  }
}
