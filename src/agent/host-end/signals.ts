import { existsSync } from 'node:fs';
import type { Exec } from '../../lib/exec.ts';

/** Why an agent ends: `agent`: containers go on; `host`: they go down with it. */
export type EndReason = 'agent' | 'host';

const timeoutMs = 3_000;
const tries = 3;

/** Signals that end an agent. */
export const endSignals = ['SIGTERM', 'SIGINT', 'SIGPWR'] as const;

/**
 * What a signal that ends the agent means. SIGPWR says that the power goes (signal(7)): the host goes down. With SIGTERM systemd is
 * asked: it stops services one by one when the host is shut down, this one before Docker and the network.
 */
export async function endReasonOf(signal: NodeJS.Signals, exec: Exec): Promise<EndReason> {
  return signal === 'SIGPWR' || (signal === 'SIGTERM' && (await isHostStopping(exec))) ? 'host' : 'agent';
}

/**
 * systemd.special(7), shutdown.target: active, or about to be. `systemctl is-system-running` says "starting" of a host that is
 * shut down before all of its boot is done. sd_booted(3).
 */
export async function isHostStopping(exec: Exec, isBooted = existsSync('/run/systemd/system')): Promise<boolean> {
  if (!isBooted) return false;
  const argv = ['systemctl', 'show', '--property=Job,ActiveState', 'shutdown.target'];
  for (let attempt = 0; attempt < tries; attempt++) {
    try {
      const { stdout } = await exec(argv, { timeoutMs });
      return /^Job=[1-9]/m.test(stdout) || /^ActiveState=(active|activating)$/m.test(stdout);
    } catch {
      // The signal was for all processes of the service (systemd.kill(5)), and may still reach one that has just been started.
    }
  }
  return false; // containers that go on are never wrong
}
