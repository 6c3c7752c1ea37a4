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
  | { readonly type: 'container'; readonly machine: string; readonly how: 'kill' | 'stop' | 'rm' };

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
    if ((busyUntilMs.get(fault.machine) ?? 0) > atMs) continue;
    busyUntilMs.set(fault.machine, atMs + ('forMs' in fault ? fault.forMs : 0));
    plan.push({ atMs, fault });
  }
}

function chooseFault(random: Random, options: FaultPlanOptions, leftMs: number): Fault {
  const isHost = random.next() < 0.6;
  const machine = random.pick(isHost ? options.hosts : options.servers);
  const units: readonly Unit[] = isHost ? ['agent', 'dockerd'] : options.withEtcd ? ['server', 'etcd'] : ['server'];
  const unit = random.pick(units);
  const forMs = Math.min(random.between(300, 14_000), leftMs);
  const dice = random.next();
  if (dice < 0.25) return { type: 'kill', machine, unit };
  if (dice < 0.4) return { type: 'freeze', machine, unit, forMs };
  if (dice < 0.5) return { type: 'hold', machine, unit, forMs };
  if (dice < 0.65) return { type: 'cut', machine, forMs };
  if (dice < 0.8) return { type: 'off', machine, forMs };
  if (options.withClock && dice < 0.9 && unit !== 'dockerd' && unit !== 'etcd') {
    return { type: 'clock', machine, unit, byMs: random.pick([-hour, hour]), forMs };
  }
  if (isHost) return { type: 'container', machine, how: random.pick(['kill', 'stop', 'rm'] as const) };
  return { type: 'kill', machine, unit };
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
  }
}
