import type { Exec } from '../../../lib/exec.ts';
import type { NetworkSpec } from '../port.ts';

interface LinkRow {
  readonly ifname: string;
  readonly ifindex: number;
  /** Index of the other end, which is in another network namespace. */
  readonly link_index?: number;
}

export async function hasBridge(exec: Exec, bridgeName: string): Promise<boolean> {
  // Exit code 1: no such device.
  return (await exec(['ip', 'link', 'show', bridgeName], { okCodes: [0, 1] })).code === 0;
}

/**
 * Makes the bridge again that somebody has deleted: the engine would not before its next start. Plugs the cables of the
 * containers (`pids`: a process of each) in again, and lets them forget where the gateway was. False, and nothing done, when none
 * of their cables ends on this host.
 */
export async function repairBridge(exec: Exec, network: NetworkSpec, pids: readonly number[]): Promise<boolean> {
  const { bridgeName, gateway, subnet } = network;
  const cables = await cablesOf(exec, pids);
  if (cables.length === 0) return false;
  await exec(['ip', 'link', 'add', bridgeName, 'address', hardwareAddressOf(gateway), 'type', 'bridge']);
  await exec(['ip', 'address', 'add', `${gateway}/${subnet.split('/')[1]}`, 'dev', bridgeName]);
  await exec(['ip', 'link', 'set', bridgeName, 'mtu', String(network.mtu), 'up']);
  for (const { pid, name } of cables) {
    // Any failure: it has ended meanwhile.
    await exec(['ip', 'link', 'set', 'dev', name, 'master', bridgeName], { okCodes: [0, 1, 2] });
    await inside(exec, pid, 'ip', 'neighbour', 'flush', 'to', gateway);
  }
  return true;
}

/**
 * A bridge that was not given one takes that of one of its cables: another one with each container that comes or goes, and half a
 * minute passes before the others look where the gateway is.
 */
function hardwareAddressOf(gateway: string): string {
  return ['02:42', ...gateway.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':');
}

/** Ends on this host that are in no bridge. */
async function cablesOf(
  exec: Exec,
  pids: readonly number[],
): Promise<readonly { readonly pid: number; readonly name: string }[]> {
  const { stdout } = await exec(['ip', '-j', 'link', 'show', 'type', 'veth']);
  const byIndex = new Map(parse(stdout).map(({ ifindex, ifname }) => [ifindex, ifname]));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const links = parse((await inside(exec, pid, 'ip', '-j', 'link', 'show', 'type', 'veth')).stdout);
      return links.flatMap(({ link_index: index }) => {
        const name = index === undefined ? undefined : byIndex.get(index);
        return name === undefined ? [] : [{ pid, name }];
      });
    }),
  );
  return found.flat();
}

function inside(exec: Exec, pid: number, ...argv: string[]) {
  return exec(['nsenter', '-t', String(pid), '-n', '--', ...argv], { okCodes: [0, 1] });
}

function parse(text: string): readonly LinkRow[] {
  return text.trim() === '' ? [] : (JSON.parse(text) as LinkRow[]);
}
