import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { HttpClient } from '../../src/client/http-client.ts';
import { labRoot, readLab } from '../../src/lab/lab-record.ts';
import type { LabLayout } from '../../src/lab/layout.ts';
import { cutCable, plugCable, powerOff } from '../../src/lab/power.ts';
import { processesIn } from '../../src/lab/processes.ts';
import { exec } from '../../src/lib/exec.ts';
import { machineOf, shellOn } from '../e2e/host-state.ts';
import type { TestLab } from '../e2e/lab.ts';
import { setClock } from './clocks.ts';
import type { Fault, Unit } from './faults.ts';
import { leaderOf } from './leader.ts';

export interface Target {
  readonly lab: TestLab;
  readonly servers: readonly string[];
  /** One for each server. */
  readonly clients: readonly HttpClient[];
}

type Undo = () => Promise<unknown>;

/** A fault that cannot be begun by then is left out; what was done must be undone, also on a machine that is busy. */
const beginWithinMs = 5_000;
const undoWithinMs = 30_000;

/** Does one fault and undoes it when its time is over. Never throws: what failed is in the answer. */
export async function injectFault(target: Target, fault: Fault): Promise<string | undefined> {
  const begun = await persist(() => begin(target, fault), beginWithinMs);
  if (typeof begun === 'string') return `not done: ${begun}`;
  if (begun === undefined || !('forMs' in fault)) return undefined;
  await delay(fault.forMs);
  const left = await persist(begun, undoWithinMs);
  return typeof left === 'string' ? `not undone: ${left}` : undefined;
}

/** Gives what failed for good. A machine that another fault has switched off needs nothing. */
async function persist<T>(act: () => Promise<T>, withinMs: number): Promise<T | string | undefined> {
  for (const endMs = performance.now() + withinMs; ; ) {
    try {
      return await act();
    } catch (error) {
      const failure = String(error);
      if (/ is (off|on already)/.test(failure)) return undefined; // as another fault left it
      if (performance.now() > endMs) return failure;
      await delay(250);
    }
  }
}

/** Gives how it is undone. */
async function begin(target: Target, fault: Fault): Promise<Undo> {
  const { lab } = target;
  const layout = await readLab(labRoot(process.env), lab.name);
  switch (fault.type) {
    case 'kill':
      return kill(lab, fault.machine, fault.unit);
    case 'freeze':
      return freeze(lab, fault.machine, fault.unit);
    case 'hold':
      return hold(lab, fault.machine, fault.unit);
    case 'cut':
      return cut(layout, lab, fault.machine);
    case 'off':
      await powerOff(layout, await machineOf(lab, fault.machine));
      return () => lab.change('on', fault.machine);
    case 'clock':
      await setClock(lab, fault.machine, fault.unit, fault.byMs);
      return () => setClock(lab, fault.machine, fault.unit, 0);
    case 'container':
      await endContainer(lab, fault.machine, fault.how);
      return nothing;
    case 'loss':
      return losePackets(layout, fault.machine, fault.percent);
    case 'narrow':
      return narrow(layout, fault.machine);
    case 'disk':
      return slowDisk(lab, fault.machine, fault.unit);
    case 'quorum': {
      const undos = await Promise.all(fault.machines.map((machine) => hold(lab, machine, 'etcd').catch(() => nothing)));
      return () => Promise.all(undos.map((undo) => undo().catch(() => {})));
    }
    case 'leader': {
      const machine = await leaderOf(target);
      if (fault.how === 'cut') return cut(layout, lab, machine);
      return fault.how === 'kill' ? kill(lab, machine, 'server') : freeze(lab, machine, 'server');
    }
    case 'registry':
      return freezeRegistry(layout);
  }
}

const nothing: Undo = async () => {};

async function kill(lab: TestLab, machine: string, unit: Unit): Promise<Undo> {
  await signalUnit(lab, machine, unit, 'KILL');
  return nothing;
}

async function freeze(lab: TestLab, machine: string, unit: Unit): Promise<Undo> {
  await signalUnit(lab, machine, unit, 'STOP');
  return () => signalUnit(lab, machine, unit, 'CONT');
}

async function hold(lab: TestLab, machine: string, unit: Unit): Promise<Undo> {
  await shell(lab, machine, `touch /run/lab/${unit}.stop`);
  await signalUnit(lab, machine, unit, 'KILL');
  return () => shell(lab, machine, `rm -f /run/lab/${unit}.stop`);
}

async function cut(layout: LabLayout, lab: TestLab, name: string): Promise<Undo> {
  const machine = await machineOf(lab, name);
  await cutCable(layout, machine);
  return () => plugCable(layout, machine);
}

async function endContainer(lab: TestLab, machine: string, how: 'kill' | 'stop' | 'rm'): Promise<void> {
  const verb = { kill: 'kill', stop: 'stop -t 1', rm: 'rm -f' }[how];
  const first = 'docker ps -q --filter label=flotilla.dev/managed | sort | head -n 1';
  await shell(lab, machine, `one=$(${first}); [ -z "$one" ] || timeout 10 docker ${verb} "$one"`);
}

/** Where the bridge forwards, both ways; a machine's own rules are not touched. */
async function losePackets(layout: LabLayout, machine: string, percent: number): Promise<Undo> {
  const port = `p-${machine}`;
  const dice = `numgen random mod 100 < ${percent} drop`;
  const rules = [`iifname "${port}" ${dice}`, `oifname "${port}" ${dice}`];
  const table = `chaos-${machine}`;
  const chain = `chain loss {\n type filter hook forward priority 0;\n ${rules.join('\n ')}\n}`;
  await inSwitch(
    layout,
    ['nft', '-f', '-'],
    `table bridge ${table}\ndelete table bridge ${table}\ntable bridge ${table} {\n${chain}\n}\n`,
  );
  return () => inSwitch(layout, ['nft', 'delete', 'table', 'bridge', table]);
}

async function narrow(layout: LabLayout, machine: string): Promise<Undo> {
  const line = ['tbf', 'rate', '1mbit', 'burst', '16kb', 'latency', '500ms'];
  await inSwitch(layout, ['tc', 'qdisc', 'replace', 'dev', `p-${machine}`, 'root', ...line]);
  // The port goes with the power, and its line with it.
  return () => inSwitch(layout, ['tc', 'qdisc', 'del', 'dev', `p-${machine}`, 'root']).catch(() => {});
}

/** In a control group of its own, for as long as the process lives. */
async function slowDisk(lab: TestLab, machine: string, unit: Unit): Promise<Undo> {
  const { cgroup, directory } = await machineOf(lab, machine);
  const group = `/sys/fs/cgroup/blkio/${cgroup}/slow-${unit}`;
  const limit = (writes: number) =>
    `for disk in $(stat -c %Hd:%Ld ${directory}); do echo "$disk ${writes}" > ${group}/blkio.throttle.write_iops_device; done`;
  await shell(
    lab,
    machine,
    `mkdir -p ${group} && ${limit(20)} && pid=$(cat /run/lab/${unit}.pid) && echo "$pid" > ${group}/cgroup.procs`,
  );
  return () => shell(lab, machine, limit(0));
}

/** It belongs to no machine, and nobody would start it again: it is stopped, not ended. */
async function freezeRegistry(layout: LabLayout): Promise<Undo> {
  const signal = async (name: 'SIGSTOP' | 'SIGCONT') => {
    for (const { pid } of await processesIn(layout.switch.namespace)) {
      if ((await readFile(`/proc/${pid}/comm`, 'utf8')).trim() === 'docker-registry') process.kill(pid, name);
    }
  };
  await signal('SIGSTOP');
  return () => signal('SIGCONT');
}

async function inSwitch(layout: LabLayout, argv: readonly string[], stdin?: string): Promise<void> {
  await exec(['nsenter', `--net=/run/netns/${layout.switch.namespace}`, ...argv], stdin === undefined ? {} : { stdin });
}

/** A unit that is between its end and its next start needs no signal. */
export function signalUnit(
  lab: TestLab,
  machine: string,
  unit: string,
  signal: 'KILL' | 'STOP' | 'CONT',
): Promise<void> {
  return shell(lab, machine, `pid=$(cat /run/lab/${unit}.pid 2>/dev/null) || exit 0; kill -${signal} "$pid" || :`);
}

async function shell(lab: TestLab, machine: string, script: string): Promise<void> {
  await shellOn(await machineOf(lab, machine), script, { timeoutMs: 15_000 });
}
