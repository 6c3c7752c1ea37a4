import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Node } from '../../resources/kinds.ts';
import { assessNat, type NodeOverlay, nodeOverlayOf, renderOverlayAnnotations, slowOverlayOf } from './node-overlay.ts';

const publicKey = 'CTGazAr2EyzXV5HKQ6CLDTiwIdOn5S1z8t5Emfygri8=';
const full: NodeOverlay = {
  vxlan: { port: 8472 },
  wireguard: { port: 51_820, publicKey, implementation: 'userspace' },
  isBehindNat: true,
};
const nodeWith = (annotations: Record<string, string>): Node => ({
  ...{ apiVersion: 'v1', kind: 'Node' },
  metadata: { name: 'h1', annotations },
  spec: {},
});

describe('what a node says of its overlay', () => {
  it('is read as it was written, and taken away when it is no longer so', () => {
    const written = renderOverlayAnnotations(full);
    assert.deepEqual(written, {
      'flotilla.dev/overlay': 'vxlan=8472,wireguard=51820',
      'flotilla.dev/wireguard-public-key': publicKey,
      'flotilla.dev/wireguard': 'userspace',
      'flotilla.dev/behind-nat': 'true',
    });
    const kept = Object.fromEntries(Object.entries(written).flatMap(([key, value]) => (value ? [[key, value]] : [])));
    assert.deepEqual(nodeOverlayOf(nodeWith(kept)), full);
    assert.deepEqual(new Set(Object.values(renderOverlayAnnotations({ isBehindNat: false }))), new Set([null]));
  });

  it('counts for nothing where it makes no sense', () => {
    for (const overlay of ['wireguard=0', 'wireguard=70000', 'xwireguard=1', 'wireguard=1;reboot', 'wireguard']) {
      const node = nodeWith({ 'flotilla.dev/overlay': overlay, 'flotilla.dev/wireguard-public-key': publicKey });
      assert.deepEqual(nodeOverlayOf(node), { isBehindNat: false }, overlay);
    }
    for (const key of ['', 'short=', `${publicKey} `, publicKey.replace('8=', '9=')]) {
      const node = nodeWith({ 'flotilla.dev/overlay': 'wireguard=51820', 'flotilla.dev/wireguard-public-key': key });
      assert.deepEqual(nodeOverlayOf(node), { isBehindNat: false }, key);
    }
  });

  it('is a sentence where a program encrypts', () => {
    assert.match(slowOverlayOf('h1', full) ?? '', /node h1 .*wireguard-go/);
    assert.equal(slowOverlayOf('h1', { isBehindNat: false }), undefined);
  });
});

describe('whether a node is behind NAT', () => {
  const ownAddresses = ['192.168.77.2', '10.0.0.2'];
  const cases = [
    ['nobody has told yet', {}, { isBehindNat: false }],
    ['seen as it is', { seenAddress: '10.0.0.2' }, { isBehindNat: false }],
    ['seen as it is, by a server on IPv6', { seenAddress: '::ffff:10.0.0.2' }, { isBehindNat: false }],
    ['by a server on the same host', { seenAddress: '127.0.0.1' }, { isBehindNat: false }],
    ['seen otherwise', { seenAddress: '203.0.113.7' }, { isBehindNat: true, externalIP: '203.0.113.7' }],
    [
      'an operator says where it is reached',
      { seenAddress: '203.0.113.7', externalAddress: '203.0.113.9' },
      { isBehindNat: false, externalIP: '203.0.113.9' },
    ],
  ] as const;
  for (const [name, question, answer] of cases) {
    it(name, () => assert.deepEqual(assessNat({ seenAddress: undefined, ownAddresses, ...question }), answer));
  }
});
