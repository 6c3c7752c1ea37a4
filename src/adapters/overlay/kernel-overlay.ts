import { type Clock, systemClock } from '../../lib/clock.ts';
import type { Exec } from '../../lib/exec.ts';
import type { Logger } from '../../lib/log.ts';
import { checkState } from './check-state.ts';
import { vxlanDevice, wireguardDevice } from './devices.ts';
import { overlayTable, removeForwarding } from './firewall.ts';
import { Linger } from './linger.ts';
import { lowestMtu } from './mtu.ts';
import {
  joinRoutes,
  observeHost,
  observeRoutes,
  observeUnderlayMtu,
  observeVxlan,
  observeWireguard,
} from './observe.ts';
import { createStartOutliving, type StartOutliving } from './outliving-program.ts';
import { type OverlayStep, planOverlay } from './plan.ts';
import type { Overlay, OverlayFacts, OverlayState, OverlayWay } from './port.ts';
import { renderRouteChange } from './routes.ts';
import { boundWireguardLog, keyFile, runStep, type StepTools } from './run-step.ts';
import { isOwnVxlan } from './vxlan.ts';
import type { ObservedWireguard } from './wireguard.ts';
import { openWireguardKey } from './wireguard-key.ts';

export interface KernelOverlayOptions {
  readonly exec: Exec;
  readonly log: Logger;
  /** Of this node; holds WireGuard's key. */
  readonly directory: string;
  /** Default: a unit of its own where systemd runs the host, else a session of its own. */
  readonly startOutliving?: StartOutliving;
  readonly clock?: Clock;
}

/** The overlay by routes, VXLAN and WireGuard of this host's kernel, side by side: each peer has its own way. */
export function createKernelOverlay(options: KernelOverlayOptions): Overlay {
  const { exec, log, directory, clock = systemClock } = options;
  const tools: StepTools = {
    exec,
    directory,
    startOutliving: options.startOutliving ?? createStartOutliving(exec),
    sleep: (ms) => clock.sleep(ms),
  };
  const linger = new Linger();
  let last: OverlayState | undefined;
  let formerEndpoints: ReadonlyMap<string, string> = new Map();
  let publicKey: string | undefined;

  const plan = async (desired: OverlayState): Promise<OverlayStep[]> => {
    const lingering = linger.at(clock.monotonicMs());
    const needsKey = desired.devices?.wireguard !== undefined || lingering.wireguardPort !== undefined;
    if (needsKey) publicKey ??= await openWireguardKey(keyFile(directory));
    const host = await observeHost(exec, desired.self.address);
    return planOverlay(desired, host, {
      lingering,
      formerEndpoints,
      nowMs: clock.wallMs(),
      ...(publicKey === undefined ? {} : { publicKey }),
    });
  };

  return {
    apply: async (desired) => {
      checkState(desired);
      linger.note(desired, clock.monotonicMs());
      last = desired;
      const steps = await plan(desired);
      formerEndpoints = endpointsOf(desired);
      const failures: unknown[] = [];
      for (const step of steps) await runStep(step, tools).catch((error) => failures.push(error));
      if (steps.length > 0) log.info('overlay changed', { steps: steps.map(({ type }) => type).join(' ') });
      for (const error of failures.slice(1)) log.warn('overlay: a step failed', { error });
      if (failures.length > 0) throw failures[0];
      return observeFacts();
    },
    observe: async () => {
      const [routes, vxlan, wireguard] = await Promise.all([
        observeRoutes(exec),
        observeVxlan(exec),
        observeWireguard(exec),
      ]);
      const facts = factsOf(vxlan.link?.vxlan?.port, wireguard);
      return { routes: joinRoutes({ routes, vxlan, wireguard }), ...facts };
    },
    hasDrifted: async () => {
      if (last === undefined) return false;
      if (last.devices?.wireguard) await boundWireguardLog(directory);
      return (await plan(last)).length > 0;
    },
    podMtu: async (desired) => lowestMtu(await observeUnderlayMtu(exec, desired.self.address), waysOf(desired)),
    cleanup: async () => {
      last = undefined;
      linger.forget();
      const routes = await observeRoutes(exec);
      const lines = routes.map((route) => renderRouteChange({ type: 'delete', route }));
      if (lines.length > 0) await runStep({ type: 'ip', lines }, tools);
      const [vxlan, wireguard] = await Promise.all([observeVxlan(exec), observeWireguard(exec)]);
      if (isOwnVxlan(vxlan.link)) await runStep({ type: 'remove-device', device: vxlanDevice }, tools);
      if (wireguard.config) await runStep({ type: 'remove-device', device: wireguardDevice }, tools);
      await exec(['nft', '-f', '-'], { stdin: `table ip ${overlayTable} {}\ndelete table ip ${overlayTable}\n` });
      await removeForwarding(exec);
    },
  };

  async function observeFacts(): Promise<OverlayFacts> {
    const { vxlan, wireguard } = last?.devices ?? {};
    return factsOf(vxlan?.port, wireguard ? await observeWireguard(exec) : { link: undefined });
  }
}

function factsOf(vxlanPort: number | undefined, { link, config }: ObservedWireguard): OverlayFacts {
  const implementation = link?.kind === 'wireguard' ? 'kernel' : 'userspace';
  return {
    ...(vxlanPort === undefined ? {} : { vxlan: { port: vxlanPort } }),
    ...(config ? { wireguard: { publicKey: config.publicKey, port: config.port, implementation } } : {}),
  };
}

function endpointsOf(state: OverlayState): ReadonlyMap<string, string> {
  return new Map(
    state.peers.flatMap((peer) =>
      peer.way === 'wireguard' && peer.endpoint !== undefined ? [[peer.publicKey, peer.endpoint] as const] : [],
    ),
  );
}

function* waysOf(state: OverlayState): Iterable<OverlayWay> {
  if (state.devices?.vxlan) yield 'vxlan';
  if (state.devices?.wireguard) yield 'wireguard';
  yield* state.expectedWays ?? [];
  for (const peer of state.peers) yield peer.way;
}
