import { overlayContract } from './contract.ts';
import { createFakeOverlay } from './fake.ts';

for (const way of ['route', 'vxlan', 'wireguard'] as const) {
  overlayContract(`fake overlay by ${way}`, way, async () => createFakeOverlay());
}
