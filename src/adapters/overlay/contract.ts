import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Overlay, OverlayRoute, OverlayState } from './port.ts';

const self = { podCIDR: '10.80.0.0/24', gateway: '10.80.0.1', bridgeName: 'fl0' };
const peer = (index: number, address = `10.99.250.${index + 1}`): OverlayRoute => ({
  nodeName: `h${index + 1}`,
  podCIDR: `10.80.${index}.0/24`,
  nodeAddress: address,
});
const state = (...peers: OverlayRoute[]): OverlayState => ({ podRange: '10.80.0.0/12', self, peers });

/** What each overlay promises. `open` gives one on a host 10.99.250.1/24 that has the bridge with its gateway address. */
export function overlayContract(name: string, open: () => Promise<Overlay>): void {
  const routes = async (overlay: Overlay) =>
    (await overlay.observe()).routes.map(({ podCIDR, nodeAddress }) => `${podCIDR} ${nodeAddress}`).sort();

  test(`${name}: takes the whole state, twice is once`, async () => {
    const overlay = await open();
    await overlay.apply(state(peer(1), peer(2)));
    await overlay.apply(state(peer(1), peer(2)));
    assert.deepEqual(await routes(overlay), ['10.80.1.0/24 10.99.250.2', '10.80.2.0/24 10.99.250.3']);
    await overlay.cleanup();
  });

  test(`${name}: a peer that moved or left`, async () => {
    const overlay = await open();
    await overlay.apply(state(peer(1), peer(2)));
    await overlay.apply(state(peer(2, '10.99.250.77')));
    assert.deepEqual(await routes(overlay), ['10.80.2.0/24 10.99.250.77']);
    await overlay.cleanup();
  });

  test(`${name}: clean-up leaves nothing, also twice`, async () => {
    const overlay = await open();
    await overlay.apply(state(peer(1)));
    await overlay.cleanup();
    await overlay.cleanup();
    assert.deepEqual(await routes(overlay), []);
  });

  test(`${name}: a peer outside the range is refused by name, and nothing changes`, async () => {
    const overlay = await open();
    await overlay.apply(state(peer(1)));
    for (const bad of [
      { ...peer(2), podCIDR: '192.168.0.0/24' },
      { ...peer(2), nodeAddress: 'h3; reboot' },
      { ...peer(2), podCIDR: 'x' },
    ]) {
      await assert.rejects(overlay.apply(state(peer(1), bad)), { code: 'Invalid', message: /node h3/ });
    }
    assert.deepEqual(await routes(overlay), ['10.80.1.0/24 10.99.250.2']);
    await overlay.cleanup();
  });
}
