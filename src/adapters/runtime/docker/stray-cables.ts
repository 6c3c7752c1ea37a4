import { setTimeout as delay } from 'node:timers/promises';
import type { Exec } from '../../../lib/exec.ts';

/** A start that is under way has both ends here for some milliseconds. */
const settleMs = 5_000;

interface LinkRow {
  readonly ifname: string;
  readonly ifindex: number;
  /** The other end by name: only when it is in this network namespace too. */
  readonly link?: string;
}

/**
 * An engine that was killed between making a container's cable and moving its end into the container leaves both ends on the
 * host for ever. Takes away those of our bridge that stay like that. Gives how many there were.
 */
export async function removeStrayCables(exec: Exec, bridgeName: string): Promise<number> {
  const first = await strayCables(exec, bridgeName);
  if (first.length === 0) return 0;
  await delay(settleMs);
  const seen = new Set(first.map(({ ifindex }) => ifindex));
  const still = (await strayCables(exec, bridgeName)).filter(({ ifindex }) => seen.has(ifindex));
  // Exit code 1: gone meanwhile.
  for (const { ifname } of still) await exec(['ip', 'link', 'delete', ifname], { okCodes: [0, 1] });
  return still.length;
}

async function strayCables(exec: Exec, bridgeName: string): Promise<readonly LinkRow[]> {
  // Exit code 1: no such bridge.
  const { stdout } = await exec(['ip', '-j', 'link', 'show', 'master', bridgeName, 'type', 'veth'], {
    okCodes: [0, 1],
  });
  const rows = stdout.trim() === '' ? [] : (JSON.parse(stdout) as LinkRow[]);
  return rows.filter(({ link }) => link !== undefined);
}
