/**
 * Interfaces that the overlay makes. Engines of Docker ≥ 28 drop what is addressed to a container and comes in by another
 * interface than its bridge, unless the network names it as trusted: give these together with the host's own.
 */
export const vxlanDevice = 'flvx';
export const wireguardDevice = 'flwg';
