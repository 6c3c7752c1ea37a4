import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { after, before, describe, test } from 'node:test';
import { silentLogger } from '../../lib/log.ts';
import type { DnsZone } from './port.ts';
import { type RunningDnsServer, startDnsServer } from './server.ts';
import { framed, overTcp, overUdp, query } from './test-queries.ts';

const anywhere = [{ address: '127.0.0.1', port: 0 }];
const zone: DnsZone = {
  names: new Map([
    ['web.shop.svc', { addresses: ['10.80.0.2', '10.80.1.2'], isHeadless: true }],
    ['out.shop.svc', { addresses: [], externalName: 'www.example.org' }],
  ]),
};
const web = query('web.shop.svc.cluster.local');

describe('the DNS server', () => {
  let server: RunningDnsServer;
  let upstream: RunningDnsServer;
  let port: number;

  before(async () => {
    upstream = await startDnsServer({ addresses: anywhere, domain: 'example.org', upstreams: [], log: silentLogger });
    await upstream.apply({
      names: new Map([
        ['www', { addresses: ['192.0.2.1'] }],
        ['other', { addresses: [], externalName: 'www.example.org' }],
      ]),
    });
    server = await startDnsServer({
      addresses: anywhere,
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

  test('fails rather than denies before it knows anything, and knows all at once', async () => {
    assert.equal((await overUdp(port, web)).code, 'SERVFAIL');
    await assert.rejects(server.change({ set: new Map(), drop: [] }), { code: 'Conflict' });
    await server.apply(zone);
    assert.deepEqual([...(await overUdp(port, web)).data].sort(), ['10.80.0.2', '10.80.1.2']);
  });

  test('an answer after a change is acknowledged has nothing that was taken away', async () => {
    for (let round = 0; round < 50; round++) {
      const address = `10.80.2.${round + 1}`;
      await server.change({ set: new Map([['web.shop.svc', { addresses: [address], isHeadless: true }]]), drop: [] });
      assert.deepEqual((await overUdp(port, web)).data, [address]);
    }
    await server.change({ set: new Map(), drop: ['web.shop.svc'] });
    assert.equal((await overUdp(port, web)).code, 'NXDOMAIN');
    await server.apply(zone);
  });

  test('the rest goes to the resolvers, over either transport, and external names with their records', async () => {
    assert.deepEqual((await overUdp(port, query('www.example.org'))).data, ['192.0.2.1']);
    const [told] = await overTcp(port, [framed(query('www.example.org'))]);
    assert.deepEqual(told?.data, ['192.0.2.1']);
    assert.deepEqual((await overUdp(port, query('out.shop.svc.cluster.local'))).answers, [
      'out.shop.svc.cluster.local CNAME www.example.org',
      'www.example.org A 192.0.2.1',
    ]);
    assert.equal(
      (await overUdp(upstream.listening[0]?.port ?? 0, query('www.elsewhere.net'))).code,
      'SERVFAIL',
      'without a resolver it says so at once',
    );
  });

  test('several questions in one connection, cut anywhere', async () => {
    const all = Buffer.concat([1, 2, 3].map((id) => framed(query('web.shop.svc.cluster.local', 'A', undefined, id))));
    const told = await overTcp(port, [all.subarray(0, 1), all.subarray(1, 50), all.subarray(50)], 3);
    assert.deepEqual(
      told.map((one) => one.id),
      [1, 2, 3],
    );
  });

  test('versions, kinds of question and classes that we do not know are told so, never refused', async () => {
    const version = query('web.shop.svc.cluster.local', 'A', 1232);
    version[version.length - 5] = 1; // of EDNS, in the record's time to live
    const badVersion = await overUdp(port, version);
    assert.deepEqual([badVersion.extendedCode, badVersion.answers], [1, []], 'BADVERS');
    const update = query('web.shop.svc.cluster.local');
    update[2] = 5 << 3;
    assert.equal((await overUdp(port, update)).code, 'NOTIMP');
    assert.equal((await overUdp(port, query('cluster.local', 'AXFR'))).code, 'NOTIMP');
    const chaos = query('version.bind', 'TXT');
    chaos.writeUInt16BE(3, chaos.length - 2);
    assert.equal((await overUdp(port, chaos)).code, 'NOTIMP');
    const two = query('web.shop.svc.cluster.local');
    two.writeUInt16BE(2, 4);
    assert.equal((await overUdp(port, two)).code, 'FORMERR');
    const unknownType = query('web.shop.svc.cluster.local');
    unknownType.writeUInt16BE(65_280, unknownType.length - 4);
    assert.equal((await overUdp(port, unknownType)).code, 'NOERROR');
  });

  test('answers of others, and what is too short to have a number, get no answer and do no harm', async () => {
    const socket = createSocket('udp4');
    let answered = 0;
    socket.on('message', () => answered++);
    const response = Buffer.from(web);
    response[2] = (response[2] ?? 0) | 0x80;
    for (const packet of [Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(11), response, Buffer.alloc(600, 0xff)]) {
      socket.send(packet, port, '127.0.0.1');
    }
    assert.equal((await overUdp(port, web)).code, 'NOERROR');
    assert.equal(answered, 0);
    socket.close();
  });

  test('another address is bound without a gap; one that cannot be leaves all as it was', async () => {
    const own = await startDnsServer({ addresses: anywhere, domain: 'cluster.local', log: silentLogger });
    await own.apply(zone);
    const first = own.listening[0]?.port ?? 0;
    await assert.rejects(own.listen([{ address: '127.0.0.1', port: server.listening[0]?.port ?? 0 }]), {
      code: 'HostToolFailed',
      message: /cannot answer DNS on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
    });
    assert.equal((await overUdp(first, web)).code, 'NOERROR');
    await own.listen([{ address: '127.0.0.2', port: 0 }]);
    assert.deepEqual(
      own.listening.map((one) => one.address),
      ['127.0.0.2'],
    );
    await own.stop();
  });
});
