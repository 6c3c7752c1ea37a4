import type { Exec } from '../../lib/exec.ts';
import type { OverlayWay } from './port.ts';

/**
 * What a way adds to each packet, bytes. VXLAN: outer IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14. WireGuard: outer IP 40 (it
 * may be IPv6 somewhere on the path; IPv4 would need 20 less), UDP 8, header and tag 32: what wg-quick(8) takes too.
 */
export const overheadBytes: Readonly<Record<OverlayWay, number>> = { route: 0, vxlan: 50, wireguard: 80 };

export function lowestMtu(underlayMtu: number, ways: Iterable<OverlayWay>): number {
  return underlayMtu - Math.max(0, ...[...ways].map((way) => overheadBytes[way]));
}

export interface PathMtu {
  /** Something answers at all. */
  readonly isReachable: boolean;
  /** Packets of the asked size arrive in one piece. */
  readonly fits: boolean;
  /** Else: the largest that was seen to arrive. */
  readonly largestBytes?: number;
}

const headerBytes = 28; // IPv4 and ICMP
const smallest = 576; // RFC 791: everybody takes it

/**
 * Whether packets of `mtu` bytes reach an address without being cut into pieces; else how large they may be, to 8 bytes. Give
 * the gateway address of a peer's pods: it answers through the overlay. Throws HostToolFailed where there is no ping(8) of iputils.
 */
export async function checkPathMtu(exec: Exec, address: string, mtu: number): Promise<PathMtu> {
  const whole = await pingWhole(exec, address, mtu);
  if (whole.arrives) return { isReachable: true, fits: true };
  if (whole.told !== undefined && (await pingWhole(exec, address, whole.told)).arrives) {
    return { isReachable: true, fits: false, largestBytes: whole.told };
  }
  if (mtu <= smallest || !(await pingWhole(exec, address, smallest)).arrives)
    return { isReachable: false, fits: false };
  let [low, high] = [smallest, mtu];
  while (high - low > 8) {
    const middle = Math.floor((low + high) / 2);
    if ((await pingWhole(exec, address, middle)).arrives) low = middle;
    else high = middle;
  }
  return { isReachable: true, fits: false, largestBytes: low };
}

/** `told`: somebody on the way, or this host, says how large it may be. */
async function pingWhole(exec: Exec, address: string, bytes: number): Promise<{ arrives: boolean; told?: number }> {
  // -M do: neither we nor anybody on the way may cut it. Two, as the first may get lost.
  const argv = [
    'ping',
    '-n',
    '-c',
    '2',
    '-i',
    '0.2',
    '-W',
    '1',
    '-M',
    'do',
    '-s',
    String(bytes - headerBytes),
    address,
  ];
  const { code, stdout, stderr } = await exec(argv, { okCodes: [0, 1] });
  const told = Number(/mtu ?= ?(\d+)/.exec(stdout + stderr)?.[1]);
  return { arrives: code === 0, ...(told >= smallest && told < bytes ? { told } : {}) };
}
