import { rm, writeFile } from 'node:fs/promises';
import { FlotillaError } from '../lib/errors.ts';
import { exec } from '../lib/exec.ts';
import { removeCgroups } from './cgroups.ts';
import type { LabLayout, MachineLayout } from './layout.ts';
import { cableCutFile, startMachine, stopMachine } from './machine.ts';
import { initOf } from './processes.ts';
import { enterArgv } from './run-in.ts';
import { planUnits } from './units.ts';

/** Throws FlotillaError NotFound that lists the machines there are. */
export function findMachine(lab: LabLayout, name: string): MachineLayout {
  const machines = [...lab.hosts, ...lab.servers];
  const machine = machines.find((candidate) => candidate.name === name);
  if (machine !== undefined) return machine;
  throw new FlotillaError('NotFound', `lab "${lab.name}" has no machine "${name}"`, {
    hint: `it has ${machines.map((candidate) => candidate.name).join(', ')}`,
  });
}

/** Pulls the cable: the link goes down at both ends, connections stay half open. */
export async function cutCable(lab: LabLayout, machine: MachineLayout): Promise<void> {
  await writeFile(cableCutFile(machine), '');
  await setPort(lab, machine, 'down');
}

export async function plugCable(lab: LabLayout, machine: MachineLayout): Promise<void> {
  await rm(cableCutFile(machine), { force: true });
  await setPort(lab, machine, 'up');
}

export async function powerOff(lab: LabLayout, machine: MachineLayout): Promise<void> {
  await stopMachine(lab, machine);
}

export async function powerOn(lab: LabLayout, machine: MachineLayout): Promise<void> {
  if ((await initOf(machine.namespace)) !== undefined) {
    throw new FlotillaError('Conflict', `${machine.name} of lab "${lab.name}" is on already`);
  }
  await stopMachine(lab, machine); // what a start that was broken off has left
  await removeCgroups(machine.cgroup);
  await startMachine(lab, machine, planUnits(lab, machine));
}

/** So long a host's agent has to bring what runs there to its end; it takes less by itself. */
const shutDownMs = 100_000;

/** As `systemctl poweroff` does: the agent is told that the host goes down, and the power is cut when it has ended. */
export async function shutDown(lab: LabLayout, machine: MachineLayout): Promise<void> {
  const script = `touch /run/lab/agent.stop
pid=$(cat /run/lab/agent.pid 2>/dev/null) || exit 0
kill -PWR "$pid" || exit 0
while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done`;
  await exec([...(await enterArgv(lab, machine)), 'sh', '-c', script], { timeoutMs: shutDownMs });
  await powerOff(lab, machine);
}

/** A machine that is off has no port; its cable is set when it comes on. */
async function setPort(lab: LabLayout, machine: MachineLayout, state: 'up' | 'down'): Promise<void> {
  const isOn = (await initOf(machine.namespace)) !== undefined;
  if (isOn) await exec(['ip', '-n', lab.switch.namespace, 'link', 'set', machine.port, state]);
}
