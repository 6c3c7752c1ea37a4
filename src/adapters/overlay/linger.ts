import type { OverlayState, WireguardPeer } from './port.ts';

/** What is kept for a while after the wish for it has gone: the other side may still send by the former way. */
export interface Lingering {
  readonly vxlanPort?: number;
  readonly wireguardPort?: number;
  readonly peers: readonly WireguardPeer[];
}

/** Nodes hear of a change within a second; a busy server may take longer. */
export const lingerMs = 30_000;

interface Kept<T> {
  readonly value: T;
  readonly untilMs: number;
}

/**
 * Remembers what former states wanted. A node that moved to another way is still understood by the former one until the time is
 * over; one that left is forgotten at once.
 */
export class Linger {
  #former: OverlayState | undefined;
  #vxlan: Kept<number> | undefined;
  #wireguard: Kept<number> | undefined;
  #peers = new Map<string, Kept<WireguardPeer>>();

  /** `desired` is what holds from now on. */
  note(desired: OverlayState, nowMs: number): void {
    const untilMs = nowMs + lingerMs;
    const former = this.#former;
    const { vxlan, wireguard } = former?.devices ?? {};
    if (vxlan && !desired.devices?.vxlan) this.#vxlan = { value: vxlan.port, untilMs };
    if (wireguard && !desired.devices?.wireguard) this.#wireguard = { value: wireguard.port, untilMs };
    if (desired.devices?.vxlan) this.#vxlan = undefined;
    if (desired.devices?.wireguard) this.#wireguard = undefined;
    const ways = new Map(desired.peers.map((peer) => [`${peer.nodeName} ${peer.podCIDR}`, peer.way]));
    for (const peer of former?.peers ?? []) {
      if (peer.way === 'wireguard') this.#peers.set(`${peer.nodeName} ${peer.podCIDR}`, { value: peer, untilMs });
    }
    for (const key of this.#peers.keys()) {
      const way = ways.get(key);
      if (way === undefined || way === 'wireguard') this.#peers.delete(key);
    }
    this.#former = desired;
  }

  at(nowMs: number): Lingering {
    const alive = <T>(kept: Kept<T> | undefined) => (kept && kept.untilMs > nowMs ? kept.value : undefined);
    const vxlanPort = alive(this.#vxlan);
    const wireguardPort = alive(this.#wireguard);
    return {
      ...(vxlanPort === undefined ? {} : { vxlanPort }),
      ...(wireguardPort === undefined ? {} : { wireguardPort }),
      peers: [...this.#peers.values()].flatMap((kept) => alive(kept) ?? []),
    };
  }

  forget(): void {
    this.#former = undefined;
    this.#vxlan = undefined;
    this.#wireguard = undefined;
    this.#peers.clear();
  }
}
