import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overheadBytes } from './mtu.ts';
import type { Overlay, OverlayPeer, OverlayState, OverlayWay } from './port.ts';

const self = { podCIDR: '10.80.0.0/24', gateway: '10.80.0.1', bridgeName: 'fl0', address: '10.99.250.1' };
const devices: Readonly<Record<OverlayWay, OverlayState['devices']>> = {
  route: {},
  vxlan: { vxlan: { port: 8472 } },
  wireguard: { wireguard: { port: 51_820 } },
};

/** What each way of an overlay promises. `open` gives one on a host 10.99.250.1/24 that has the bridge with its gateway address. */
export function overlayContract(name: string, way: OverlayWay, open: () => Promise<Overlay>): void {
  const peer = (index: number, address = `10.99.250.${index + 1}`): OverlayPeer => {
    const identity = { nodeName: `h${index + 1}`, podCIDR: `10.80.${index}.0/24` };
    if (way !== 'wireguard') return { ...identity, way, nodeAddress: address };
    return { ...identity, way, publicKey: `${'k'.repeat(41)}${index}E=`, endpoint: `${address}:51820` };
  };
  const state = (...peers: OverlayPeer[]): OverlayState => ({
    podRange: '10.80.0.0/12',
    self,
    devices: devices[way] ?? {},
    peers,
  });
  const routes = async (overlay: Overlay) =>
    (await overlay.observe()).routes.map((route) => `${route.podCIDR} ${route.way} ${route.nodeAddress}`).sort();
  const applied = async (overlay: Overlay, ...peers: OverlayPeer[]) => {
    await overlay.apply(state(...peers));
    return routes(overlay);
  };

  test(`${name}: takes the whole state, twice is once`, async () => {
    const overlay = await open();
    assert.equal(await overlay.hasDrifted(), false);
    const expected = [`10.80.1.0/24 ${way} 10.99.250.2`, `10.80.2.0/24 ${way} 10.99.250.3`];
    assert.deepEqual(await applied(overlay, peer(1), peer(2)), expected);
    assert.deepEqual(await applied(overlay, peer(1), peer(2)), expected);
    assert.equal(await overlay.hasDrifted(), false);
    await overlay.cleanup();
  });

  test(`${name}: a peer that moved or left`, async () => {
    const overlay = await open();
    await overlay.apply(state(peer(1), peer(2)));
    assert.deepEqual(await applied(overlay, peer(2, '10.99.250.77')), [`10.80.2.0/24 ${way} 10.99.250.77`]);
    await overlay.cleanup();
  });

  test(`${name}: clean-up leaves nothing, also twice`, async () => {
    const overlay = await open();
    await overlay.apply(state(peer(1)));
    await overlay.cleanup();
    await overlay.cleanup();
    assert.deepEqual(await routes(overlay), []);
    assert.equal(await overlay.hasDrifted(), false);
  });

  test(`${name}: a peer outside the range is refused by name, and nothing changes`, async () => {
    const overlay = await open();
    await overlay.apply(state(peer(1)));
    for (const bad of [
      { ...peer(2), podCIDR: '192.168.0.0/24' },
      peer(2, 'h3; reboot'),
      { ...peer(2), podCIDR: 'x' },
      { ...peer(2), podCIDR: peer(1).podCIDR },
    ]) {
      await assert.rejects(overlay.apply(state(peer(1), bad)), { code: 'Invalid', message: /node h3/ });
    }
    assert.deepEqual(await routes(overlay), [`10.80.1.0/24 ${way} 10.99.250.2`]);
    await overlay.cleanup();
  });

  test(`${name}: says how large packets may be`, async () => {
    const overlay = await open();
    assert.equal(await overlay.podMtu(state(peer(1))), 1_500 - overheadBytes[way]);
    assert.equal(await overlay.podMtu({ ...state(), devices: {} }), 1_500);
    assert.equal(await overlay.podMtu({ ...state(), devices: {}, expectedWays: ['wireguard'] }), 1_420);
  });

  test(`${name}: tells what others must know, once it is there`, async () => {
    const overlay = await open();
    const facts = await overlay.apply(state());
    assert.deepEqual(facts.vxlan, way === 'vxlan' ? { port: 8472 } : undefined);
    if (way === 'wireguard') assert.match(facts.wireguard?.publicKey ?? '', /^[\w+/]{43}=$/);
    else assert.equal(facts.wireguard, undefined);
    await overlay.cleanup();
  });
}
