import { exec } from '../lib/exec.ts';
import type { LabLayout, MachineLayout } from './layout.ts';
import { isCableCut } from './machine.ts';
import { initOf } from './processes.ts';
import { serverUrl } from './units.ts';

export interface MachineStatus {
  readonly lab: string;
  readonly name: string;
  readonly role: MachineLayout['role'];
  readonly address: string;
  readonly power: 'on' | 'off';
  readonly cable: 'plugged' | 'cut';
  /** Process 1 of the machine, as the machine that carries the lab sees it. */
  readonly pid?: number;
  /** Of hosts. */
  readonly dockerSocket?: string;
  /** Of servers. */
  readonly url?: string;
  readonly directory: string;
}

/** How the machines of a lab are, read from the kernel. */
export async function observeLab(lab: LabLayout): Promise<readonly MachineStatus[]> {
  return Promise.all([...lab.hosts, ...lab.servers].map((machine) => observeMachine(lab, machine)));
}

async function observeMachine(lab: LabLayout, machine: MachineLayout): Promise<MachineStatus> {
  const pid = await initOf(machine.namespace);
  const isOn = pid !== undefined;
  return {
    lab: lab.name,
    name: machine.name,
    role: machine.role,
    address: machine.address,
    power: isOn ? 'on' : 'off',
    cable: (isOn ? await isPortDown(lab, machine) : await isCableCut(machine)) ? 'cut' : 'plugged',
    ...(isOn ? { pid } : {}),
    ...(machine.role === 'host' ? { dockerSocket: `${machine.directory}/docker.sock` } : { url: serverUrl(machine) }),
    directory: machine.directory,
  };
}

async function isPortDown(lab: LabLayout, machine: MachineLayout): Promise<boolean> {
  const answer = await exec(['ip', '-j', '-n', lab.switch.namespace, 'link', 'show', machine.port]);
  const links = JSON.parse(answer.stdout) as readonly { flags?: readonly string[] }[];
  return !(links[0]?.flags ?? []).includes('UP');
}

export function renderTable(machines: readonly MachineStatus[]): string {
  const rows = [
    ['LAB', 'NAME', 'ROLE', 'ADDRESS', 'POWER', 'CABLE'],
    ...machines.map(({ lab, name, role, address, power, cable }) => [lab, name, role, address, power, cable]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}
