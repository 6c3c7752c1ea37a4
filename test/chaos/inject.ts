import { setTimeout as delay } from 'node:timers/promises';
import type { TestLab } from '../e2e/lab.ts';
import type { Fault } from './faults.ts';

/** Does one fault and undoes it when its time is over or `signal` says so. Never throws: what failed is in the answer. */
export async function injectFault(lab: TestLab, fault: Fault, signal: AbortSignal): Promise<string | undefined> {
  try {
    await begin(lab, fault);
  } catch (error) {
    return `not done: ${String(error)}`;
  }
  if (!('forMs' in fault)) return undefined;
  await delay(fault.forMs, undefined, { signal }).catch(() => {});
  for (let attempt = 1; ; attempt++) {
    try {
      await undo(lab, fault);
      return undefined;
    } catch (error) {
      if (attempt === 5) return `not undone: ${String(error)}`;
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
      throw new Error('no way to move a clock yet');
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
    default:
  }
}

/** A unit that is between its end and its next start needs no signal. */
function signalUnit(lab: TestLab, machine: string, unit: string, signal: 'KILL' | 'STOP' | 'CONT'): Promise<void> {
  return shell(lab, machine, `pid=$(cat /run/lab/${unit}.pid 2>/dev/null) || exit 0; kill -${signal} "$pid" || :`);
}

async function shell(lab: TestLab, machine: string, script: string): Promise<void> {
  await lab.exec(machine, ['sh', '-c', script], { timeoutMs: 20_000 });
}
