import { messageOf } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import type { Logger } from '../../lib/log.ts';
import { type FlowFront, flowProtocols, parseFlows, planFlush } from './flows.ts';
import {
  acceptForwarding,
  areSysctlsSet,
  isForwardingAccepted,
  isRouteSet,
  listPorts,
  removeForwarding,
  removeRoute,
  setHairpin,
  setRoute,
  setSysctls,
} from './host.ts';
import { type Frame, isSameFrame } from './layout.ts';
import { createServicePlanner, type ServicePlanner } from './plan.ts';
import type { ServiceProxy } from './port.ts';
import { countRules, listChains, loadTable, removeTable } from './table.ts';

export interface NftServiceProxyOptions {
  readonly exec: Exec;
  readonly log: Logger;
  /** Monotonic milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

/** Rules are counted so seldom that it costs at most this part of the time. */
const countShare = 0.01;

/**
 * Service addresses by nftables (docs/adr/0023). Touches the table `flotilla_services`, routes of its own protocol number,
 * two rules with its comment in Docker's DOCKER-USER, the hairpin flag of the bridge's ports, three sysctls, and UDP flows of
 * service addresses.
 */
export function createNftServiceProxy(options: NftServiceProxyOptions): ServiceProxy {
  const { exec, log } = options;
  const now = options.now ?? (() => performance.now());
  let loaded: { readonly frame: Frame; readonly planner: ServicePlanner } | undefined;
  /** What was asked for is not in force: `apply` failed, or somebody changed it. */
  let isBroken = false;
  let bridgeName: string | undefined;
  let wiredPorts: ReadonlySet<string> = new Set();
  let nextCountAt = 0;
  const said = new Set<string>();

  const sayOnce = (message: string, fields: Record<string, unknown>) => {
    if (!said.has(message)) log.warn(message, fields);
    said.add(message);
  };

  const wirePorts = async () => {
    if (bridgeName === undefined) return;
    const ports = await listPorts(exec, bridgeName);
    for (const [port, isWired] of ports) if (!isWired) await setHairpin(exec, port);
    wiredPorts = new Set(ports.keys());
  };

  const prepareHost = async (frame: Frame) => {
    bridgeName = frame.self.bridgeName;
    for (const path of await setSysctls(exec, frame.self.bridgeName)) {
      sayOnce('the kernel lacks a setting that service addresses need', {
        path: `/proc/sys/${path}`,
        hint: 'load the kernel module br_netfilter',
      });
    }
    await acceptForwarding(exec, frame);
    await setRoute(exec, frame);
    await wirePorts();
  };

  /** Failing is no failure of the change: new flows follow it, and old ones end by themselves when they pause for 30 s. */
  const flushFlows = async (fronts: readonly FlowFront[]) => {
    try {
      for (const protocol of flowProtocols(fronts)) {
        const { stdout } = await exec(['conntrack', '-L', '-p', protocol]);
        for (const match of planFlush(fronts, parseFlows(stdout))) {
          await exec(['conntrack', '-D', '-p', protocol, ...match], { okCodes: [0, 1] }); // 1: none left
        }
      }
    } catch (error) {
      sayOnce('UDP flows may stay with endpoints that are gone', {
        error: messageOf(error),
        hint: 'install conntrack (Debian package conntrack)',
      });
    }
  };

  const isTableAsLeft = async (planner: ServicePlanner): Promise<boolean> => {
    const chains = await listChains(exec);
    if (chains.size !== planner.chains.size || [...planner.chains.keys()].some((name) => !chains.has(name)))
      return false;
    const startedAt = now();
    if (startedAt < nextCountAt) return true;
    const counts = await countRules(exec);
    nextCountAt = now() + (now() - startedAt) / countShare;
    return [...planner.chains].every(([name, count]) => counts.get(name) === count);
  };

  return {
    apply: async (state) => {
      const frame: Frame = { podRange: state.podRange, serviceRange: state.serviceRange, self: state.self };
      const former = loaded && isSameFrame(loaded.frame, frame) ? loaded : undefined;
      const planner = former?.planner ?? createServicePlanner(frame);
      loaded = undefined; // what fails below is done anew next time
      isBroken = true;
      const { scripts, flows, problems } = planner.plan(state.services);
      for (const { service, problem } of problems) log.warn('part of a service was left out', { service, problem });
      for (const script of scripts) await loadTable(exec, script);
      if (!former) await prepareHost(frame); // after the table: without a bridge node ports still lead to other hosts
      await flushFlows(flows);
      loaded = { frame, planner };
      isBroken = false;
    },
    hasDrifted: async () => {
      if (!loaded) return isBroken;
      const { frame, planner } = loaded;
      const ports = await listPorts(exec, frame.self.bridgeName);
      const isAsLeft =
        [...wiredPorts].every((port) => ports.get(port) !== false) &&
        (await isRouteSet(exec, frame)) &&
        (await isTableAsLeft(planner)) &&
        (await areSysctlsSet(exec, frame.self.bridgeName)) &&
        (await isForwardingAccepted(exec, frame));
      if (isAsLeft) return false;
      loaded = undefined;
      isBroken = true;
      return true;
    },
    wirePorts,
    cleanup: async () => {
      loaded = undefined;
      isBroken = false;
      bridgeName = undefined;
      wiredPorts = new Set();
      await removeTable(exec);
      await removeRoute(exec);
      await removeForwarding(exec);
    },
  };
}
