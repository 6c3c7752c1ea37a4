/**
 * Makes every pod address of the grid reachable from this host and from its pods. Takes the whole desired state, is
 * idempotent, touches only routes and rules that carry its mark (protocol number, comment).
 */
export interface Overlay {
  /** Throws HostToolFailed with the tool's words. A remembered state is dropped on failure: the next call does all again. */
  apply(desired: OverlayState): Promise<void>;
  /** What the kernel has now, for drift and for `node show`. */
  observe(): Promise<{ readonly routes: readonly OverlayRoute[] }>;
  /** Takes away everything it made. */
  cleanup(): Promise<void>;
}

export interface OverlayState {
  /** All pod addresses of the grid, CIDR. Traffic inside it is accepted and not masqueraded. */
  readonly podRange: string;
  /** This node's own share and its bridge. */
  readonly self: { readonly podCIDR: string; readonly gateway: string; readonly bridgeName: string };
  readonly peers: readonly OverlayRoute[];
}

export interface OverlayRoute {
  readonly nodeName: string;
  readonly podCIDR: string;
  /** Address of the node on the network that the hosts share. */
  readonly nodeAddress: string;
}
