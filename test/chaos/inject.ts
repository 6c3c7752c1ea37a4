import { globSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestLab } from '../e2e/lab.ts';
import type { Fault, Unit } from './faults.ts';

/** Does one fault and undoes it when its time is over or `signal` says so. Never throws: what failed is in the answer. */
export async function injectFault(lab: TestLab, fault: Fault, signal: AbortSignal): Promise<string | undefined> {
  const failure = await persist(() => begin(lab, fault));
  if (failure !== undefined) return `not done: ${failure}`;
  if (!('forMs' in fault)) return undefined;
  await delay(fault.forMs, undefined, { signal }).catch(() => {});
  const left = await persist(() => undo(lab, fault));
  return left === undefined ? undefined : `not undone: ${left}`;
}

/** Other faults may be changing the lab at the same moment: one change after the other. */
async function persist(act: () => Promise<void>): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      await act();
      return undefined;
    } catch (error) {
      const failure = String(error);
      if (/ is (off|on already)/.test(failure)) return undefined; // as another fault left it
      if (attempt === 20) return failure;
      await delay(250);
    }
  }
}

async function begin(lab: TestLab, fault: Fault): Promise<void> {
  switch (fault.type) {
    case 'kill':
      return signalUnit(lab, fault.machine, fault.unit, 'KILL');
    case 'freeze':
      return signalUnit(lab, fault.machine, fault.unit, 'STOP');
    case 'hold':
      await shell(lab, fault.machine, `touch /run/lab/${fault.unit}.stop`);
      return signalUnit(lab, fault.machine, fault.unit, 'KILL');
    case 'cut':
      return lab.change('cut', fault.machine);
    case 'off':
      return lab.change('off', fault.machine);
    case 'clock':
      return setClock(lab, fault.machine, fault.unit, fault.byMs);
    case 'container':
      await shell(
        lab,
        fault.machine,
        `one=$(docker ps -q --filter label=flotilla.dev/managed | sort | head -n 1)
         [ -z "$one" ] || timeout 10 docker ${{ kill: 'kill', stop: 'stop -t 1', rm: 'rm -f' }[fault.how]} "$one"`,
      );
  }
}

async function undo(lab: TestLab, fault: Fault): Promise<void> {
  switch (fault.type) {
    case 'freeze':
      return signalUnit(lab, fault.machine, fault.unit, 'CONT');
    case 'hold':
      return shell(lab, fault.machine, `rm -f /run/lab/${fault.unit}.stop`);
    case 'cut':
      return lab.change('plug', fault.machine);
    case 'off':
      return lab.change('on', fault.machine);
    case 'clock':
      return setClock(lab, fault.machine, fault.unit, 0);
    default:
  }
}

/** Of Debian's package `faketime`. */
const fakeTime = globSync('/usr/lib/*/faketime/libfaketime.so.1')[0];

/** Gives programs a wall clock of their own that can be moved while they run, and starts them again with it. */
export async function prepareClocks(lab: TestLab, machines: Readonly<Record<string, readonly Unit[]>>): Promise<void> {
  if (fakeTime === undefined) throw new Error('the Debian package faketime is missing');
  for (const [machine, units] of Object.entries(machines)) {
    for (const unit of units) {
      await setClock(lab, machine, unit, 0);
      const file = `${diskOf(lab, machine)}/${unit}.env`;
      const clock = `FAKETIME_TIMESTAMP_FILE=${clockFile(lab, machine, unit)} FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1`;
      await writeFile(file, `export LD_PRELOAD=${fakeTime} ${clock}\n`);
      await signalUnit(lab, machine, unit, 'KILL');
    }
  }
}

async function setClock(lab: TestLab, machine: string, unit: Unit, byMs: number): Promise<void> {
  const seconds = byMs / 1000;
  await writeFile(clockFile(lab, machine, unit), `${seconds < 0 ? '' : '+'}${seconds}\n`);
}

function clockFile(lab: TestLab, machine: string, unit: Unit): string {
  return `${diskOf(lab, machine)}/${unit}.clock`;
}

function diskOf(lab: TestLab, machine: string): string {
  return `/var/lib/flotilla-lab/${lab.name}/${machine}`;
}

/** A unit that is between its end and its next start needs no signal. */
function signalUnit(lab: TestLab, machine: string, unit: string, signal: 'KILL' | 'STOP' | 'CONT'): Promise<void> {
  return shell(lab, machine, `pid=$(cat /run/lab/${unit}.pid 2>/dev/null) || exit 0; kill -${signal} "$pid" || :`);
}

async function shell(lab: TestLab, machine: string, script: string): Promise<void> {
  await lab.exec(machine, ['sh', '-c', script], { timeoutMs: 20_000 });
}
