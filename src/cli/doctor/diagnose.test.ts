import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkReport, PeerCheck, PeerReport } from '../../resources/network-report.ts';
import { diagnose, type NodeAnswer } from './diagnose.ts';

const ok = { isOk: true, ms: 0.4 };
const silent = { isOk: false, ms: 3_000, error: 'no answer within 3 s' };
const fine: PeerCheck = { reach: ok, fullSize: ok };

function report(
  node: string,
  peers: Readonly<Record<string, PeerCheck>>,
  more: Partial<NetworkReport> = {},
): NodeAnswer {
  const ways = Object.keys(peers).map(
    (one): PeerReport => ({ node: one, podCIDR: '10.80.9.0/24', way: 'route', address: '192.0.2.9' }),
  );
  const checks = { peers, dns: ok, serviceAddress: ok };
  return {
    node,
    report: { node, podCIDR: '10.80.1.0/24', notes: [], applied: { revision: 7 }, peers: ways, checks, ...more },
  };
}
const wireguard = (more: Partial<PeerReport>): PeerReport[] => [
  { node: 'h2', podCIDR: '10.80.2.0/24', way: 'wireguard', ...more },
];
const causeOf = (...answers: NodeAnswer[]) => diagnose(answers).map(({ where, cause }) => `${where}: ${cause}`);

test('nothing is wrong', () => {
  assert.deepEqual(diagnose([report('h1', { h2: fine }), report('h2', { h1: fine })]), []);
});

test('a broken pair is named with what is likely behind it', () => {
  const broken = { h2: { reach: silent } };
  assert.match(
    causeOf(report('h1', broken), report('h2', { h1: fine }))[0] ?? '',
    /^h1 → h2: a firewall on h2 or between/,
  );
  assert.match(
    causeOf(report('h1', broken), report('h2', { h1: { reach: silent } }))[0] ?? '',
    /plain routes need hosts of one network/,
  );
  const none = report('h1', broken, { peers: [{ node: 'h2', podCIDR: '10.80.2.0/24' }] });
  assert.match(causeOf(none, report('h2', { h1: fine }))[0] ?? '', /no route to 10\.80\.1\.0\/24/);
  assert.deepEqual(causeOf(report('h1', broken), { node: 'h2', error: 'no tunnel' }), [
    'h1 → h2: node h2 is down or cut off',
    'h2: the node is down or cut off',
  ]);
});

test('a tunnel without a handshake, with an old one, with none possible', () => {
  const h2 = report('h2', { h1: fine });
  const seen = (more: Partial<PeerReport>) =>
    causeOf(report('h1', { h2: { reach: silent } }, { peers: wireguard(more) }), h2)[0] ?? '';
  assert.match(seen({ address: '192.0.2.2:51820', handshakeAgeMs: -1 }), /UDP to 192\.0\.2\.2:51820 is blocked/);
  assert.match(seen({ address: '192.0.2.2:51820', handshakeAgeMs: 600_000 }), /no handshake for 600 s/);
  assert.match(seen({ address: '192.0.2.2:51820', handshakeAgeMs: 20_000 }), /the tunnel stands/);
  assert.match(seen({}), /both are behind NAT/);
  const heard = { address: '192.0.2.2:51820', handshakeAgeMs: 20_000, sentBytes: 1_200 };
  const other = report(
    'h2',
    { h1: fine },
    { peers: [{ node: 'h1', podCIDR: '10.80.1.0/24', way: 'wireguard', receivedBytes: 300 }] },
  );
  const [lost] = causeOf(report('h1', { h2: { reach: silent } }, { peers: wireguard(heard) }), other);
  assert.match(lost ?? '', /900 bytes that h1 sent to 192\.0\.2\.2:51820 have not arrived/);
});

test('a host that is reached, and where nothing answers', () => {
  const refused = { reach: { isOk: false, ms: 1, error: 'connect ECONNREFUSED 10.80.2.1:53' } };
  assert.match(
    causeOf(report('h1', { h2: refused }), report('h2', { h1: fine }))[0] ?? '',
    /the DNS process of h2 is down/,
  );
});

test('large packets, DNS, service addresses, what cannot be applied', () => {
  const large = report('h1', { h2: { reach: ok, fullSize: silent } }, { mtu: 1420 });
  assert.match(causeOf(large, report('h2', { h1: fine }))[0] ?? '', /\(1420 bytes\) get lost/);
  const checks = { peers: {}, dns: { isOk: false, ms: 1, error: 'recvmsg ECONNREFUSED' }, serviceAddress: silent };
  const found = diagnose([
    report('h1', {}, { checks, applied: { revision: 3, problem: 'nft: no' }, problem: 'no bridge' }),
  ]);
  assert.deepEqual(
    found.map(({ what }) => what),
    [
      'the pod network is not up',
      'names and service addresses do not follow',
      'DNS does not answer: recvmsg ECONNREFUSED',
      'service addresses do not work: no answer within 3 s',
    ],
  );
  assert.match(found[2]?.cause ?? '', /nothing listens there/);
});
