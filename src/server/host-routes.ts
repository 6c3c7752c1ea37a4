import { type Network, parseCidr } from '../lib/cidr.ts';
import { type Exec, exec } from '../lib/exec.ts';
import type { Logger } from '../lib/log.ts';

/** A route of this host that is not a default route and not one of Flotilla's own. */
export interface HostRoute {
  readonly network: Network;
  /** As people know it: `10.80.0.0/16 via 192.0.2.1 dev eth0`. */
  readonly text: string;
}

/** Devices and rtnetlink(7) protocol of what an agent makes: left from an earlier cluster they are in nobody's way. */
const ownDevice = /^fl\d|^fl-/;
const ownProtocol = '81';

/** None, and a word in the log, on a host without `ip`. */
export async function readHostRoutes(log: Logger, run: Exec = exec): Promise<readonly HostRoute[]> {
  try {
    return parseHostRoutes((await run(['ip', '-j', '-4', 'route', 'show', 'table', 'main'])).stdout);
  } catch (error) {
    log.warn('routes of this host are not known: ranges of the new cluster are not compared with them', { error });
    return [];
  }
}

interface IpRoute {
  readonly dst?: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly protocol?: string;
}

/** The output of `ip -j route`. */
export function parseHostRoutes(json: string): readonly HostRoute[] {
  const routes = JSON.parse(json.trim() || '[]') as readonly IpRoute[];
  return routes.flatMap(({ dst = 'default', gateway, dev, protocol }) => {
    const network = parseCidr(dst.includes('/') ? dst : `${dst}/32`);
    const isOwn = (dev !== undefined && ownDevice.test(dev)) || protocol === ownProtocol;
    if (!network || network.prefixLength === 0 || isOwn) return [];
    return [{ network, text: `${dst}${gateway ? ` via ${gateway}` : ''}${dev ? ` dev ${dev}` : ''}` }];
  });
}
