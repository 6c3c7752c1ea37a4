import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import dnsPacket, { type DecodedPacket } from 'dns-packet';
import { silentLogger } from '../../lib/log.ts';
import { parseNameservers, withLength } from './forwarder.ts';
import type { DnsZone } from './port.ts';
import { type RunningDnsServer, startDnsServer } from './server.ts';

const many = Array.from({ length: 200 }, (_, index) => `10.80.${index >> 7}.${(index & 127) + 1}`);
const zone: DnsZone = {
  domain: 'cluster.local',
  names: new Map([
    [
      'web.shop.svc',
      { addresses: ['10.80.0.2', '10.80.1.2'], services: [{ port: 80, target: 'web.shop.svc.cluster.local' }] },
    ],
    ['empty.shop.svc', { addresses: [] }],
    ['many.shop.svc', { addresses: many }],
    ['six.shop.svc', { addresses: ['fd00::1'] }],
  ]),
};

async function overUdp(port: number, packet: Buffer): Promise<DecodedPacket & { bytes: number }> {
  const socket = createSocket('udp4');
  try {
    return await new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('message', (answer) => resolve({ ...dnsPacket.decode(answer), bytes: answer.length }));
      socket.send(packet, port, '127.0.0.1');
    });
  } finally {
    socket.close();
  }
}

async function overTcp(port: number, packet: Buffer): Promise<DecodedPacket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(withLength(packet)));
    let received = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      socket.destroy();
      resolve(dnsPacket.decode(received.subarray(2)));
    });
  });
}

function query(name: string, type: 'A' | 'AAAA' | 'SRV' | 'MX' | 'PTR' = 'A', udpPayloadSize?: number): Buffer {
  const edns = {
    type: 'OPT' as const,
    name: '.' as const,
    udpPayloadSize: udpPayloadSize ?? 0,
    flags: 0,
    options: [],
    extendedRcode: 0,
    ednsVersion: 0,
    flag_do: false,
  };
  return dnsPacket.encode({
    type: 'query',
    id: 77,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ type, name }],
    additionals: udpPayloadSize === undefined ? [] : [edns],
  });
}

const codeOf = (packet: DecodedPacket) => (packet as unknown as { rcode: string }).rcode;
const dataOf = (packet: DecodedPacket) => (packet.answers ?? []).map((one) => ('data' in one ? one.data : undefined));

describe('the DNS server', () => {
  let server: RunningDnsServer;
  let upstream: RunningDnsServer;
  let port: number;

  before(async () => {
    upstream = await startDnsServer({
      addresses: [{ address: '127.0.0.1', port: 0 }],
      domain: 'example.org',
      upstreams: [],
      log: silentLogger,
    });
    upstream.apply({ domain: 'example.org', names: new Map([['www', { addresses: ['192.0.2.1'] }]]) });
    server = await startDnsServer({
      addresses: [{ address: '127.0.0.1', port: 0 }],
      domain: 'cluster.local',
      upstreams: [`127.0.0.1:${upstream.listening[0]?.port}`],
      log: silentLogger,
    });
    port = server.listening[0]?.port ?? 0;
  });
  after(async () => {
    await server.stop();
    await upstream.stop();
  });

  test('before it knows anything it fails rather than denies', async () => {
    assert.equal(codeOf(await overUdp(port, query('web.shop.svc.cluster.local'))), 'SERVFAIL');
    server.apply(zone);
  });

  test('addresses, each in its turn', async () => {
    const first = await overUdp(port, query('web.shop.svc.cluster.local'));
    assert.equal(first.id, 77);
    assert.deepEqual(dataOf(first).sort(), ['10.80.0.2', '10.80.1.2']);
    const starts = new Set([dataOf(first)[0], dataOf(await overUdp(port, query('WEB.shop.svc.cluster.local')))[0]]);
    for (let more = 0; more < 4; more++)
      starts.add(dataOf(await overUdp(port, query('web.shop.svc.cluster.local')))[0]);
    assert.equal(starts.size, 2);
  });

  test('other types of a known name are empty, not absent', async () => {
    for (const [name, type] of [
      ['web.shop.svc', 'AAAA'],
      ['empty.shop.svc', 'A'],
      ['six.shop.svc', 'A'],
      ['web.shop.svc', 'MX'],
      ['shop.svc', 'A'],
    ] as const) {
      const answer = await overUdp(port, query(`${name}.cluster.local`, type));
      assert.equal(codeOf(answer), 'NOERROR', name);
      assert.deepEqual(dataOf(answer), []);
      assert.equal(answer.authorities?.[0]?.type, 'SOA');
    }
    assert.deepEqual(dataOf(await overUdp(port, query('six.shop.svc.cluster.local', 'AAAA'))), ['fd00::1']);
  });

  test('unknown names of the domain and single labels do not exist', async () => {
    for (const name of ['nobody.shop.svc.cluster.local', 'web', 'web.other.cluster.local']) {
      assert.equal(codeOf(await overUdp(port, query(name))), 'NXDOMAIN', name);
    }
  });

  test('reverse names of pods; other reverse names go upstream', async () => {
    const reverse = await overUdp(port, query('2.1.80.10.in-addr.arpa', 'PTR'));
    assert.deepEqual(dataOf(reverse), ['web.shop.svc.cluster.local']);
    const { forwarded } = server.stats();
    await overUdp(port, query('1.2.0.192.in-addr.arpa', 'PTR'));
    assert.equal(server.stats().forwarded, forwarded + 1);
  });

  test('each address comes first as often, though A and AAAA are asked by turns', async () => {
    const firsts = new Map<unknown, number>();
    for (let i = 0; i < 10; i++) {
      const [first] = dataOf(await overUdp(port, query('web.shop.svc.cluster.local')));
      firsts.set(first, (firsts.get(first) ?? 0) + 1);
      await overUdp(port, query('web.shop.svc.cluster.local', 'AAAA'));
    }
    assert.deepEqual([...firsts.values()], [5, 5]);
  });

  test('repeats the question letter by letter, and EDNS', async () => {
    const answer = await overUdp(port, query('nObOdY.sHop.svc.cluster.local', 'A', 1232));
    assert.equal(answer.questions?.[0]?.name, 'nObOdY.sHop.svc.cluster.local');
    assert.equal(answer.additionals?.[0]?.type, 'OPT');
    assert.equal((await overUdp(port, query('web.shop.svc.cluster.local'))).additionals?.length, 0);
  });

  test('an unknown type, and names that are no text, are answered', async () => {
    const strange = query('web.shop.svc.cluster.local');
    strange.writeUInt16BE(65_280, strange.length - 4);
    assert.equal(codeOf(await overUdp(port, strange)), 'NOERROR');
    const bytes = query('web.shop.svc.cluster.local');
    bytes.set([0xff, 0x2e, 0x00], 13);
    assert.equal(codeOf(await overUdp(port, bytes)), 'NXDOMAIN');
  });

  test('SRV', async () => {
    const answer = await overUdp(port, query('web.shop.svc.cluster.local', 'SRV'));
    assert.deepEqual(dataOf(answer), [{ priority: 0, weight: 1, port: 80, target: 'web.shop.svc.cluster.local' }]);
  });

  test('what does not fit is truncated, fits more with EDNS, and comes whole over TCP', async () => {
    const classic = await overUdp(port, query('many.shop.svc.cluster.local'));
    assert.ok(
      classic.bytes <= 512 && (classic.answers?.length ?? 0) >= 25,
      `${classic.answers?.length} in ${classic.bytes}`,
    );
    assert.equal((classic as unknown as { flag_tc: boolean }).flag_tc, true);
    const edns = await overUdp(port, query('many.shop.svc.cluster.local', 'A', 1232));
    assert.ok((edns.answers?.length ?? 0) > (classic.answers?.length ?? 0));
    const whole = await overTcp(port, query('many.shop.svc.cluster.local'));
    assert.deepEqual(dataOf(whole).sort(), [...many].sort());
  });

  test('the rest goes upstream, over the same transport', async () => {
    assert.deepEqual(dataOf(await overUdp(port, query('www.example.org'))), ['192.0.2.1']);
    assert.deepEqual(dataOf(await overTcp(port, query('www.example.org'))), ['192.0.2.1']);
  });

  test('without an upstream it says so at once', async () => {
    assert.equal(codeOf(await overUdp(upstream.listening[0]?.port ?? 0, query('www.elsewhere.net'))), 'SERVFAIL');
  });

  test('garbage gets no answer and does no harm', async () => {
    const socket = createSocket('udp4');
    for (const packet of ['', 'x', '\0'.repeat(11), '\xff'.repeat(600)])
      socket.send(Buffer.from(packet, 'latin1'), port, '127.0.0.1');
    assert.equal(codeOf(await overUdp(port, query('web.shop.svc.cluster.local'))), 'NOERROR');
    socket.close();
  });
});

test('an upstream that is dead or refuses is passed over, and not asked first again', async () => {
  const upstream = await startUpstream((packet) => packet);
  const refusing = await startUpstream((packet) => {
    packet[3] = (packet[3] ?? 0) | 5;
    return packet;
  });
  const dead = await startUpstream(() => undefined);
  const server = await startDnsServer({
    addresses: [{ address: '127.0.0.1', port: 0 }],
    domain: 'cluster.local',
    upstreams: [dead, refusing, upstream].map((one) => `127.0.0.1:${one.port}`),
    upstreamTimeoutMs: 100,
    log: silentLogger,
  });
  const port = server.listening[0]?.port ?? 0;
  assert.equal(codeOf(await overUdp(port, query('www.example.org'))), 'NOERROR');
  assert.equal(codeOf(await overUdp(port, query('www.example.org'))), 'NOERROR');
  assert.deepEqual([dead.asked(), refusing.asked(), upstream.asked()], [1, 1, 2]);
  await server.stop();
  for (const one of [dead, refusing, upstream]) one.stop();
});

/** A resolver that answers with what `answer` makes of the query's bytes. */
async function startUpstream(answer: (packet: Buffer) => Buffer | undefined) {
  const socket = createSocket('udp4');
  let asked = 0;
  socket.on('message', (packet, from) => {
    asked++;
    packet[2] = (packet[2] ?? 0) | 0x80;
    const response = answer(packet);
    if (response) socket.send(response, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { port: socket.address().port, asked: () => asked, stop: () => socket.close() };
}

test('a taken port is an error that says where', async () => {
  const first = await startDnsServer({
    addresses: [{ address: '127.0.0.1', port: 0 }],
    domain: 'x',
    log: silentLogger,
  });
  const port = first.listening[0]?.port ?? 0;
  await assert.rejects(
    startDnsServer({ addresses: [{ address: '127.0.0.1', port }], domain: 'x', log: silentLogger }),
    {
      code: 'HostToolFailed',
      message: new RegExp(`cannot answer DNS on 127.0.0.1:${port}: .*EADDRINUSE`),
    },
  );
  await first.stop();
});

test('resolv.conf', () => {
  assert.deepEqual(
    parseNameservers('# nameserver 9.9.9.9\nsearch x\nnameserver 192.0.2.53\n nameserver ::1\nnameserver nonsense\n'),
    ['192.0.2.53', '::1'],
  );
});
