import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OverlayPeer } from '../../adapters/overlay/port.ts';
import { gridNetworkOf } from '../../resources/grid-network.ts';
import type { Node } from '../../resources/kinds.ts';
import { planPeers } from './overlay-peers.ts';

const keyOf = (index: number) => `${'k'.repeat(41)}${index}E=`;

interface NodeWish {
  readonly internal?: string;
  readonly external?: string;
  readonly region?: string;
  readonly annotations?: Record<string, string>;
  readonly podCIDR?: string;
}

const ready = (index: number, more: Record<string, string> = {}) => ({
  'flotilla.dev/overlay': 'wireguard=51820,vxlan=8472',
  'flotilla.dev/wireguard-public-key': keyOf(index),
  ...more,
});
const behindNat = { 'flotilla.dev/behind-nat': 'true' };

function node(index: number, wish: NodeWish = {}): Node {
  const { internal = `10.0.0.${index}`, external, region, annotations = ready(index) } = wish;
  return {
    ...{ apiVersion: 'v1', kind: 'Node' },
    metadata: {
      name: `h${index}`,
      annotations,
      ...(region ? { labels: { 'topology.kubernetes.io/region': region } } : {}),
    },
    spec: { podCIDRs: [wish.podCIDR ?? `10.80.${index}.0/24`] },
    status: {
      addresses: [
        { type: 'InternalIP', address: internal },
        ...(external ? [{ type: 'ExternalIP', address: external }] : []),
      ],
    },
  };
}

const plan = (
  nodes: readonly Node[],
  more: { own?: string; network?: Parameters<typeof gridNetworkOf>[0]; former?: readonly OverlayPeer[] } = {},
) =>
  planPeers({
    nodes,
    ownName: more.own ?? 'h1',
    ownAddresses: [],
    settings: gridNetworkOf(more.network),
    ...(more.former ? { former: more.former } : {}),
  });
/** `h2 wireguard 10.0.0.2:51820`. */
const waysOf = (peers: readonly OverlayPeer[]) =>
  peers.map((peer) => {
    const to = peer.way === 'wireguard' ? (peer.endpoint ?? 'learned') : peer.nodeAddress;
    return `${peer.nodeName} ${peer.way} ${to}`;
  });

describe('how a node reaches its peers', () => {
  it('by the backend of the grid, at the port that the peer listens on', () => {
    const two = node(2, { annotations: ready(2, { 'flotilla.dev/overlay': 'wireguard=4500,vxlan=8472' }) });
    const found = plan([node(1), two]);
    assert.deepEqual(waysOf(found.peers), ['h2 wireguard 10.0.0.2:4500']);
    assert.deepEqual(found.devices, { wireguard: { port: 51_820 } });
    assert.deepEqual(found.problems, []);
    assert.deepEqual(waysOf(plan([node(1), node(2)], { network: { overlay: 'vxlan' } }).peers), ['h2 vxlan 10.0.0.2']);
    assert.deepEqual(waysOf(plan([node(1), node(2)], { network: { overlay: 'host-gw' } }).peers), [
      'h2 route 10.0.0.2',
    ]);
  });

  it('by plain routes inside a trusted subnet; a node that is alone needs no device', () => {
    const nodes = [node(1), node(2), node(3, { internal: '192.168.1.3' })];
    const network = { trustedSubnets: ['10.0.0.0/24', '192.168.1.0/24'] };
    const found = plan(nodes, { network });
    assert.deepEqual(waysOf(found.peers), ['h2 route 10.0.0.2', 'h3 wireguard 192.168.1.3:51820']);
    assert.deepEqual(plan(nodes.slice(0, 2), { network }).devices, {});
    assert.deepEqual(plan(nodes.slice(0, 2), { network }).expectedWays, ['route']);
    assert.deepEqual(plan([node(1)]).devices, {});
    assert.deepEqual(plan([node(1)]).expectedWays, ['wireguard'], 'the pods of a first node have room for it');
  });

  it('by the InternalIP within a region, by the ExternalIP between regions', () => {
    const nodes = [
      node(1, { region: 'west', external: '203.0.113.1' }),
      node(2, { region: 'west', external: '203.0.113.2' }),
      node(3, { region: 'east', external: '203.0.113.3' }),
      node(4, { region: 'east' }),
      node(5, { external: '203.0.113.5' }),
    ];
    assert.deepEqual(waysOf(plan(nodes).peers), [
      'h2 wireguard 10.0.0.2:51820',
      'h3 wireguard 203.0.113.3:51820',
      'h4 wireguard 10.0.0.4:51820',
      'h5 wireguard 203.0.113.5:51820',
    ]);
  });

  it('behind NAT: found by what it sends; it keeps the way open itself', () => {
    const nat = node(3, { internal: '192.168.77.2', external: '203.0.113.3', annotations: ready(3, behindNat) });
    const nodes = [node(1), node(2), nat];
    assert.deepEqual(waysOf(plan(nodes).peers), ['h2 wireguard 10.0.0.2:51820', 'h3 wireguard learned']);
    const inside = plan(nodes, { own: 'h3' }).peers;
    assert.deepEqual(waysOf(inside), ['h1 wireguard 10.0.0.1:51820', 'h2 wireguard 10.0.0.2:51820']);
    assert.ok(inside.every((peer) => peer.way === 'wireguard' && peer.keepaliveSeconds === 25));
    assert.deepEqual(plan(nodes).problems, []);
  });

  it('two behind NATs cannot begin, and are told what helps; behind one NAT or in one region they are neighbours', () => {
    const behind = (index: number, external: string, region?: string) =>
      node(index, {
        internal: `192.168.${index}.2`,
        external,
        annotations: ready(index, behindNat),
        ...(region ? { region } : {}),
      });
    const apart = plan([behind(1, '203.0.113.1'), behind(2, '203.0.113.2')]);
    assert.deepEqual(waysOf(apart.peers), ['h2 wireguard learned']);
    assert.match(apart.problems[0]?.message ?? '', /nodes h1 and h2 are both behind NAT .*--external-address/);
    for (const near of [
      plan([behind(1, '203.0.113.1'), behind(2, '203.0.113.1')]),
      plan([behind(1, '203.0.113.1', 'vpc'), behind(2, '203.0.113.2', 'vpc')]),
    ]) {
      assert.deepEqual(waysOf(near.peers), ['h2 wireguard 192.168.2.2:51820']);
      assert.deepEqual(near.problems, []);
    }
  });

  it('VXLAN and plain routes do not pass NAT, and say so', () => {
    const nat = node(2, { internal: '192.168.77.2', external: '203.0.113.3', annotations: ready(2, behindNat) });
    for (const overlay of ['vxlan', 'host-gw'] as const) {
      const found = plan([node(1), nat], { network: { overlay } });
      assert.deepEqual(found.peers, []);
      assert.match(found.problems[0]?.message ?? '', /h2, which is behind NAT; the overlay wireguard passes NAT/);
    }
  });

  it('never in the clear because a peer is not ready; a pair that has a way keeps it until both are', () => {
    const late = node(2, { annotations: {} });
    const fresh = plan([node(1), late]);
    assert.deepEqual(fresh.peers, []);
    assert.deepEqual(fresh.devices, { wireguard: { port: 51_820 } }, 'made at once: the other waits for it');
    assert.match(fresh.problems[0]?.message ?? '', /nodes h1 and h2 are not both ready for wireguard yet/);

    const former: readonly OverlayPeer[] = [
      { nodeName: 'h2', podCIDR: '10.80.2.0/24', way: 'vxlan', nodeAddress: '10.0.0.2' },
    ];
    const moving = plan([node(1), late], { former });
    assert.deepEqual(waysOf(moving.peers), ['h2 vxlan 10.0.0.2']);
    assert.deepEqual(moving.devices, { vxlan: { port: 8472 }, wireguard: { port: 51_820 } });
    assert.match(moving.problems[0]?.message ?? '', /packets travel by vxlan as before/);
    assert.deepEqual(waysOf(plan([node(1), node(2)], { former: moving.peers }).peers), ['h2 wireguard 10.0.0.2:51820']);
    assert.deepEqual(waysOf(plan([node(1)], { former: moving.peers }).peers), [], 'a node that left is gone');
  });

  it('what cannot be is left out, and does not take the others with it', () => {
    const copy = node(3, { annotations: ready(2) });
    const foreign = node(4, { podCIDR: '192.168.0.0/24' });
    const double = node(5, { podCIDR: '10.80.2.0/24' });
    const nonsense = node(6, { internal: 'h6; reboot' });
    const found = plan([node(1), node(2), copy, foreign, double, nonsense]);
    assert.deepEqual(waysOf(found.peers), ['h2 wireguard 10.0.0.2:51820', 'h6 wireguard learned']);
    const said = found.problems.map(({ nodeName, message }) => `${nodeName}: ${message}`).join('\n');
    assert.match(said, /h3: nodes h2 and h3 have the same WireGuard key/);
    assert.match(said, /h5: nodes h2 and h5 have the same pod addresses/);
  });

  it('a node that has joined, and has not said where it is, makes no device start that its first word makes idle', () => {
    const fresh = node(2, { internal: 'h2', annotations: {} });
    const network = { trustedSubnets: ['10.0.0.0/24'] };
    const found = plan([node(1), fresh], { network });
    assert.deepEqual([found.peers, found.devices, found.expectedWays, found.problems], [[], {}, [], []]);
    assert.deepEqual(waysOf(plan([node(1), node(2)], { network }).peers), ['h2 route 10.0.0.2']);
  });

  it('both sides of a pair choose the same way', () => {
    const nodes = [
      node(1, { region: 'a' }),
      node(2, { region: 'b', annotations: {} }),
      node(3),
      node(4, { annotations: ready(4, behindNat) }),
    ];
    for (const overlay of ['wireguard', 'vxlan', 'host-gw'] as const) {
      const network = { overlay, trustedSubnets: ['10.0.0.2/31'] };
      const ways = new Map<string, string>();
      for (const one of nodes) {
        const own = one.metadata.name;
        for (const peer of plan(nodes, { own, network }).peers) ways.set(`${own} ${peer.nodeName}`, peer.way);
      }
      for (const [pair, way] of ways) {
        const back = ways.get(pair.split(' ').reverse().join(' '));
        assert.ok(back === undefined || back === way, `${overlay}: ${pair} by ${way}, back by ${back}`);
      }
      assert.ok(ways.size >= 4);
    }
  });
});
