import type { Exec } from '../../lib/exec.ts';
import type { Logger } from '../../lib/log.ts';
import type { Overlay, OverlayRoute } from './port.ts';
import { parseRoutes, planRoutes, renderNft, renderRouteBatch, routeProtocol } from './rules.ts';

export interface HostGatewayOptions {
  readonly exec: Exec;
  readonly log: Logger;
}

const comment = 'flotilla pod range';
const table = 'flotilla_overlay';

/**
 * Plain routes between hosts that share a network (what flannel calls host-gw). Touches the routes of its own protocol
 * number, its own nft table, and one rule with its comment in Docker's DOCKER-USER: an accept anywhere else does not
 * override the DROP of Docker's FORWARD policy.
 */
export function createHostGateway(options: HostGatewayOptions): Overlay {
  const { exec, log } = options;

  const observeRoutes = async () =>
    parseRoutes((await exec(['ip', '-j', 'route', 'show', 'proto', routeProtocol])).stdout);

  return {
    apply: async (desired) => {
      const changes = planRoutes(desired, await observeRoutes()); // refuses before anything is touched
      await exec(['tee', '/proc/sys/net/ipv4/ip_forward'], { stdin: '1\n' }); // sysctl(8) is not on every host
      await acceptForwarding(exec, desired.podRange);
      await exec(['nft', '-f', '-'], { stdin: renderNft(table, desired) });
      if (changes.length === 0) return;
      // -force: a peer that cannot be reached fails the call, and does not keep the others from being routed.
      await exec(['ip', '-force', '-batch', '-'], { stdin: renderRouteBatch(changes) });
      log.info('routes changed', { changes: changes.length });
    },
    observe: async () => ({ routes: (await observeRoutes()).map(observedRoute) }),
    cleanup: async () => {
      await exec(['ip', 'route', 'flush', 'proto', routeProtocol]);
      await exec(['nft', '-f', '-'], { stdin: `table ip ${table} {}\ndelete table ip ${table}\n` });
      await removeForwarding(exec);
    },
  };
}

function observedRoute(route: { podCIDR: string; nodeAddress: string }): OverlayRoute {
  return { nodeName: '', podCIDR: route.podCIDR, nodeAddress: route.nodeAddress };
}

async function acceptForwarding(exec: Exec, range: string): Promise<void> {
  const rule = ['-s', range, '-d', range, '-m', 'comment', '--comment', comment, '-j', 'ACCEPT'];
  // Exit code 1: no such rule, or no such chain (an engine that has not started yet takes over the one we make).
  const { code } = await exec(['iptables', '-w', '5', '-C', 'DOCKER-USER', ...rule], { okCodes: [0, 1, 2] });
  if (code === 0) return;
  await removeForwarding(exec); // of another range
  await exec(['iptables', '-w', '5', '-N', 'DOCKER-USER'], { okCodes: [0, 1] });
  await exec(['iptables', '-w', '5', '-I', 'DOCKER-USER', ...rule]);
}

async function removeForwarding(exec: Exec): Promise<void> {
  const { stdout } = await exec(['iptables', '-w', '5', '-S', 'DOCKER-USER'], { okCodes: [0, 1] });
  const ours = stdout.split('\n').filter((line) => line.includes(`--comment "${comment}"`));
  for (const line of ours) {
    const rule = line.replace(/^-A DOCKER-USER /, '').match(/"[^"]*"|\S+/g) ?? [];
    await exec(['iptables', '-w', '5', '-D', 'DOCKER-USER', ...rule.map((part) => part.replace(/^"|"$/g, ''))]);
  }
}
