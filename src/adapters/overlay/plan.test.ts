import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { markOfTable, renderNft } from './firewall.ts';
import { Linger, lingerMs } from './linger.ts';
import { type ObservedHost, type OverlayStep, planOverlay } from './plan.ts';
import type { OverlayPeer, OverlayState, OverlayWay, WireguardPeer } from './port.ts';
import { parseRoutes, planRoutes, renderRouteChange, routesOf, vxlanHop } from './routes.ts';
import { macOf, parseLink } from './vxlan.ts';
import { type KnownPeer, parseDump, planWireguard, type WireguardWish } from './wireguard.ts';

const self = { podCIDR: '10.80.0.0/24', gateway: '10.80.0.1', bridgeName: 'fl0', address: '10.99.0.1' };
const keyOf = (index: number) => `${'k'.repeat(41)}${index}E=`;
const ownKey = keyOf(9);
const peerBy = (way: OverlayWay, index: number): OverlayPeer => {
  const identity = { nodeName: `h${index}`, podCIDR: `10.80.${index}.0/24` };
  const address = `10.99.0.${index + 1}`;
  if (way !== 'wireguard') return { ...identity, way, nodeAddress: address };
  return { ...identity, way, publicKey: keyOf(index), endpoint: `${address}:51820` };
};
const stateOf = (...peers: OverlayPeer[]): OverlayState => ({
  podRange: '10.80.0.0/12',
  self,
  devices: {
    ...(peers.some(({ way }) => way === 'vxlan') ? { vxlan: { port: 8472 } } : {}),
    ...(peers.some(({ way }) => way === 'wireguard') ? { wireguard: { port: 51_820 } } : {}),
  },
  peers,
});

/** A host on which a state was made, as it would be observed. */
function hostWith(state: OverlayState | undefined): ObservedHost {
  const none = { link: undefined, neighbours: new Map(), forwarding: new Map() };
  if (!state) {
    const firewall = { chains: new Map(), acceptedRanges: [], isForwarding: false };
    return { underlayMtu: 1500, firewall, routes: [], vxlan: none, wireguard: { link: undefined } };
  }
  const addresses = ['10.80.0.0/32'];
  const vxlanPeers = state.peers.filter((peer) => peer.way === 'vxlan');
  const wireguardPeers = state.peers.filter((peer) => peer.way === 'wireguard');
  const vxlan = { id: 81, local: self.address, port: 8472 };
  return {
    underlayMtu: 1500,
    firewall: {
      chains: new Map([
        [markOfTable(renderNft(state)), 0],
        ['forward', 2],
        ['postrouting', 1],
      ]),
      acceptedRanges: [state.podRange],
      isForwarding: true,
    },
    routes: routesOf(state),
    vxlan: state.devices?.vxlan
      ? {
          link: { kind: 'vxlan', mtu: 1450, isUp: true, mac: macOf(self.podCIDR), addresses, vxlan },
          neighbours: new Map(vxlanPeers.map(({ podCIDR }) => [vxlanHop(podCIDR), macOf(podCIDR)])),
          forwarding: new Map(vxlanPeers.map((peer) => [macOf(peer.podCIDR), peer.nodeAddress])),
        }
      : none,
    wireguard: state.devices?.wireguard
      ? {
          link: { kind: 'tun', mtu: 1420, isUp: true, mac: '', addresses },
          config: { publicKey: ownKey, port: 51_820, peers: wireguardPeers.map(knownOf) },
        }
      : { link: undefined },
  };
}

function knownOf(peer: WireguardPeer): KnownPeer {
  return {
    publicKey: peer.publicKey,
    ...(peer.endpoint === undefined ? {} : { endpoint: peer.endpoint }),
    allowedIPs: [peer.podCIDR],
    ...{ lastHandshakeAtMs: 0, receivedBytes: 0, sentBytes: 0 },
    keepaliveSeconds: peer.keepaliveSeconds ?? 0,
  };
}

const plan = (desired: OverlayState, host: ObservedHost): OverlayStep[] =>
  planOverlay(desired, host, { lingering: { peers: [] }, publicKey: ownKey, formerEndpoints: new Map(), nowMs: 1e12 });
const linesOf = (steps: readonly OverlayStep[]) =>
  steps.flatMap((step) =>
    step.type === 'ip' || step.type === 'bridge' ? step.lines : step.type === 'wg' ? [step.argv.join(' ')] : [],
  );

const states = fc
  .array(fc.constantFrom<OverlayWay | undefined>('route', 'vxlan', 'wireguard', undefined), {
    minLength: 4,
    maxLength: 4,
  })
  .map((ways) => stateOf(...ways.flatMap((way, index) => (way ? [peerBy(way, index + 1)] : []))));

describe('what an overlay changes', () => {
  it('is nothing where all is as it should be', () => {
    fc.assert(fc.property(states, (state) => assert.deepEqual(plan(state, hostWith(state)), [])));
  });

  it('makes the new way before a route swings over, and takes the former one away after', () => {
    fc.assert(
      fc.property(states, states, (before, after) => {
        const lines = linesOf(plan(after, hostWith(before)));
        const at = (pattern: RegExp) => lines.flatMap((line, index) => (pattern.test(line) ? [index] : []));
        const routes = at(/^route (add|replace)/);
        const first = Math.min(...routes, lines.length);
        const last = Math.max(...routes, -1);
        assert.ok(
          at(/^neigh replace|^fdb replace|allowed-ips/).every((index) => index < first),
          lines.join('\n'),
        );
        assert.ok(
          at(/^neigh del|^fdb del| remove/).every((index) => index > last),
          lines.join('\n'),
        );
        assert.equal(at(/^link del/).length, 0, 'a device goes as a step of its own, last');
      }),
    );
  });

  it('takes a device away last, and only when nobody needs it', () => {
    const steps = plan(stateOf(peerBy('route', 1)), hostWith(stateOf(peerBy('wireguard', 1))));
    assert.deepEqual(steps.at(-1), { type: 'remove-device', device: 'flwg' });
    assert.ok(linesOf(steps).includes('route replace 10.80.1.0/24 via 10.99.0.2 src 10.80.0.1 proto 81'));
  });

  it('makes everything on a fresh host', () => {
    const steps = plan(stateOf(peerBy('route', 1), peerBy('vxlan', 2), peerBy('wireguard', 3)), hostWith(undefined));
    assert.deepEqual(
      steps.map(({ type }) => type).filter((type) => !['ip', 'bridge', 'wg'].includes(type)),
      ['forward', 'accept', 'filter', 'loose-reverse-path', 'start-wireguard', 'wireguard-key', 'loose-reverse-path'],
    );
    assert.ok(linesOf(steps).includes('neigh replace 10.80.2.0 lladdr 02:51:0a:50:02:00 dev flvx nud permanent'));
  });

  it('says that an interface is not ours, and does the rest', () => {
    const host = hostWith(stateOf(peerBy('route', 1)));
    const bridge = { kind: 'bridge', mtu: 1500, isUp: true, mac: '', addresses: [] };
    const steps = plan(stateOf(peerBy('route', 2), peerBy('vxlan', 3)), {
      ...host,
      vxlan: { ...host.vxlan, link: bridge },
    });
    assert.ok(steps.some((step) => step.type === 'fail'));
    assert.ok(linesOf(steps).some((line) => line.startsWith('route add 10.80.2.0/24')));
  });
});

describe('routes', () => {
  it('differ by way, next hop or source; what somebody else has is not replaced', () => {
    const observed = parseRoutes(
      JSON.stringify([
        { type: 'unreachable', dst: '10.80.0.0/12' },
        { dst: '10.80.1.0/24', gateway: '10.99.0.2', prefsrc: '10.80.0.1' },
        { dst: '10.80.2.0/24', gateway: '10.99.0.3' },
        { dst: '10.80.9.0/24', dev: 'flwg' },
      ]),
    );
    const desired = stateOf(peerBy('route', 1), peerBy('route', 2), peerBy('wireguard', 3));
    assert.deepEqual(planRoutes(desired, observed).map(renderRouteChange), [
      'route replace 10.80.2.0/24 via 10.99.0.3 src 10.80.0.1 proto 81',
      'route add 10.80.3.0/24 dev flwg src 10.80.0.1 proto 81',
      'route del 10.80.9.0/24 proto 81',
    ]);
    assert.deepEqual(parseRoutes(''), []);
    assert.throws(() => parseRoutes('<html>'), { code: 'HostToolFailed' });
    assert.equal(parseLink('[{}]'), undefined);
  });
});

describe('WireGuard peers', () => {
  const peer: WireguardPeer = {
    ...{ nodeName: 'h1', podCIDR: '10.80.1.0/24', way: 'wireguard' },
    publicKey: keyOf(1),
    endpoint: '10.99.0.2:51820',
  };
  const wish = (more: Partial<WireguardWish> = {}): WireguardWish => ({
    ...{ port: 51_820, publicKey: ownKey, mtu: 1420, podCIDR: self.podCIDR, peers: [peer], formerEndpoints: new Map() },
    ...{ nowMs: 1_000_000, ...more },
  });
  const observedWith = (...peers: KnownPeer[]) => ({
    link: { kind: 'wireguard', mtu: 1420, isUp: true, mac: '', addresses: ['10.80.0.0/32'] },
    config: { publicKey: ownKey, port: 51_820, peers },
  });
  const calls = (one: WireguardWish, ...peers: KnownPeer[]) =>
    planWireguard(one, observedWith(...peers)).addPeers.map((argv) => argv.slice(5).join(' '));

  it('are spoken to at once when they are new', () => {
    assert.deepEqual(calls(wish()), [
      'allowed-ips 10.80.1.0/24 endpoint 10.99.0.2:51820 persistent-keepalive 25',
      'persistent-keepalive off',
    ]);
  });

  it('keep an endpoint that they moved to while they are heard', () => {
    const moved = { ...knownOf(peer), endpoint: '203.0.113.7:4711' };
    assert.deepEqual(calls(wish(), { ...moved, lastHandshakeAtMs: 900_000 }), []);
    assert.deepEqual(calls(wish(), { ...moved, lastHandshakeAtMs: 100_000 }), ['endpoint 10.99.0.2:51820']);
    const formerEndpoints = new Map([[peer.publicKey, '10.99.0.77:51820']]);
    const changed = calls(wish({ formerEndpoints }), { ...moved, lastHandshakeAtMs: 900_000 });
    assert.deepEqual(changed, ['endpoint 10.99.0.2:51820'], 'the node says that it has another address');
  });

  it('without an endpoint keep what was learned', () => {
    const { endpoint: _, ...hidden } = { ...peer, keepaliveSeconds: 25 };
    assert.deepEqual(calls(wish({ peers: [hidden] }), { ...knownOf(hidden), endpoint: '203.0.113.7:4711' }), []);
  });

  it('fit on a command line, however many they are', () => {
    const peers = Array.from({ length: 1_200 }, (_, index) => ({ ...peer, publicKey: `${index}`.padStart(43, 'k') }));
    const plan = planWireguard(wish({ peers }), observedWith());
    assert.equal(plan.addPeers.length, 3);
    assert.doesNotMatch(plan.addPeers.flat().join(' '), /persistent-keepalive/, 'so many are not greeted');
    assert.ok(plan.addPeers.every((argv) => argv.join(' ').length < 128_000));
  });

  it('are read without the private key', () => {
    const dump = parseDump(
      `secret\tpublic\t51820\toff\n${keyOf(1)}\tpsk\t10.0.0.2:1\t10.80.1.0/24\t5\t6\t7\t25\n${keyOf(2)}\t(none)\t(none)\t(none)\t0\t0\t0\toff\n`,
    );
    assert.deepEqual(
      dump.peers.map(({ endpoint, allowedIPs, lastHandshakeAtMs, keepaliveSeconds }) => [
        endpoint,
        allowedIPs,
        lastHandshakeAtMs,
        keepaliveSeconds,
      ]),
      [
        ['10.0.0.2:1', ['10.80.1.0/24'], 5_000, 25],
        [undefined, [], 0, 0],
      ],
    );
    assert.doesNotMatch(JSON.stringify(dump), /secret|psk/);
  });
});

describe('what a former way needed', () => {
  it('stays for a while after a node moved, and goes at once with a node that left', () => {
    const linger = new Linger();
    linger.note(stateOf(peerBy('wireguard', 1), peerBy('wireguard', 2), peerBy('vxlan', 3)), 0);
    linger.note(stateOf(peerBy('route', 1), peerBy('route', 3)), 1_000);
    linger.note(stateOf(peerBy('route', 1), peerBy('route', 3)), 2_000);
    const kept = linger.at(1_000 + lingerMs - 1);
    assert.deepEqual(
      [kept.wireguardPort, kept.vxlanPort, kept.peers.map(({ nodeName }) => nodeName)],
      [51_820, 8_472, ['h1']],
    );
    assert.deepEqual(linger.at(1_000 + lingerMs), { peers: [] });
  });
});
