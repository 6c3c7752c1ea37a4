import { checkState } from './check-state.ts';
import { lowestMtu } from './mtu.ts';
import type { ObservedRoute, Overlay, OverlayFacts, OverlayPeer, OverlayState } from './port.ts';

export interface FakeOverlay extends Overlay {
  /** What was applied last; undefined after `cleanup`. */
  readonly applied: () => OverlayState | undefined;
  /** The next `apply` throws this. */
  failNext(error: Error): void;
  /** Somebody else changed the kernel's state: `hasDrifted` says so until the next `apply`. */
  drift(): void;
}

/** The key of every fake node. */
export const fakePublicKey = 'fakefakefakefakefakefakefakefakefakefakefak=';

/** An overlay in memory that refuses what the real one refuses. */
export function createFakeOverlay(): FakeOverlay {
  let applied: OverlayState | undefined;
  let failure: Error | undefined;
  let hasDrifted = false;
  return {
    apply: async (desired) => {
      const thrown = failure;
      failure = undefined;
      if (thrown) throw thrown;
      checkState(desired);
      applied = structuredClone(desired);
      hasDrifted = false;
      return factsOf(desired);
    },
    observe: async () => ({ routes: (applied?.peers ?? []).map(observedOf), ...factsOf(applied) }),
    hasDrifted: async () => hasDrifted,
    podMtu: async ({ devices = {}, expectedWays = [], peers }) => {
      const inUse = (['vxlan', 'wireguard'] as const).filter((way) => devices[way] !== undefined);
      return lowestMtu(1_500, [...inUse, ...expectedWays, ...peers.map((peer) => peer.way)]);
    },
    cleanup: async () => {
      applied = undefined;
    },
    applied: () => applied,
    failNext: (error) => {
      failure = error;
    },
    drift: () => {
      hasDrifted = applied !== undefined;
    },
  };
}

function factsOf(state: OverlayState | undefined): OverlayFacts {
  const { vxlan, wireguard } = state?.devices ?? {};
  return {
    ...(vxlan ? { vxlan } : {}),
    ...(wireguard ? { wireguard: { ...wireguard, publicKey: fakePublicKey, implementation: 'kernel' } } : {}),
  };
}

function observedOf(peer: OverlayPeer): ObservedRoute {
  const { podCIDR, way } = peer;
  const nodeAddress = peer.way === 'wireguard' ? peer.endpoint?.split(':')[0] : peer.nodeAddress;
  return { podCIDR, way, ...(nodeAddress === undefined ? {} : { nodeAddress }) };
}
