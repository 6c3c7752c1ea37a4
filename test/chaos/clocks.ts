import { globSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { machineOf, shellOn } from '../e2e/host-state.ts';
import type { TestLab } from '../e2e/lab.ts';
import type { Unit } from './faults.ts';

/** Of Debian's package `faketime`. */
const fakeTime = globSync('/usr/lib/*/faketime/libfaketime.so.1')[0];

/** Gives programs a wall clock of their own that can be moved while they run, and starts them again with it. */
export async function prepareClocks(lab: TestLab, machines: Readonly<Record<string, readonly Unit[]>>): Promise<void> {
  if (fakeTime === undefined) throw new Error('the Debian package faketime is missing');
  for (const [name, units] of Object.entries(machines)) {
    const machine = await machineOf(lab, name);
    for (const unit of units) {
      await setClock(lab, name, unit, 0);
      const file = `${machine.directory}/${unit}.clock`;
      const clock = `FAKETIME_TIMESTAMP_FILE=${file} FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1`;
      await writeFile(`${machine.directory}/${unit}.env`, `export LD_PRELOAD=${fakeTime} ${clock}\n`);
      await shellOn(machine, `kill -KILL "$(cat /run/lab/${unit}.pid)"`);
    }
  }
}

export async function setClock(lab: TestLab, machine: string, unit: Unit, byMs: number): Promise<void> {
  const seconds = byMs / 1000;
  const { directory } = await machineOf(lab, machine);
  await writeFile(`${directory}/${unit}.clock`, `${seconds < 0 ? '' : '+'}${seconds}\n`);
}
