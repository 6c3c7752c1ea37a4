import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createAnswers } from '../answer.ts';
import { query } from '../test-queries.ts';
import { readFetched } from '../upstream/fetched.ts';
import { ZoneIndex } from '../zone/zone-index.ts';
import { parseQuery } from './question.ts';
import { renderRefusal } from './response.ts';

const zone = new ZoneIndex();
zone.set('web.shop.svc', { addresses: ['10.80.0.2'], isHeadless: true, ports: [{ protocol: 'tcp', port: 80 }] });
const answer = createAnswers({ domain: 'cluster.local', gridDomain: 'main.flotilla.local', podRange: '10.80.0.0/12' });

/** A query that is nearly right: bytes of it changed, cut off, or with more behind them. */
const mutated = fc
  .record({
    name: fc.constantFrom('web.shop.svc.cluster.local', 'x.shop.pod', '2.0.80.10.in-addr.arpa', 'a.b.example.org'),
    type: fc.constantFrom('A', 'SRV', 'ANY', 'PTR'),
    edns: fc.option(fc.integer({ min: 0, max: 65_535 }), { nil: undefined }),
    changes: fc.array(fc.tuple(fc.nat(80), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
    tail: fc.uint8Array({ maxLength: 40 }),
    cut: fc.nat(100),
  })
  .map(({ name, type, edns, changes, tail, cut }) => {
    const packet = Buffer.concat([query(name, type as 'A', edns), tail]);
    for (const [at, byte] of changes) if (at < packet.length) packet[at] = byte;
    return packet.subarray(0, Math.max(0, packet.length - (cut % 3 === 0 ? cut : 0)));
  });

const packets = fc.oneof(
  fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
  mutated,
);

test('no packet is too odd: it is dropped, or answered with its own number, as an answer, within its size', () => {
  fc.assert(
    fc.property(packets, fc.boolean(), (packet, isUdp) => {
      const parsed = parseQuery(packet);
      if (!parsed) return packet.length < 12 || ((packet[2] ?? 0) & 0x80) !== 0;
      if ('refusal' in parsed) return renderRefusal(parsed).length === 12;
      const found = answer(parsed, isUdp, zone);
      if (found.kind !== 'bytes') return true;
      const { packet: told } = found;
      assert.equal(told.readUInt16BE(0), packet.readUInt16BE(0));
      assert.equal((told[2] ?? 0) & 0x80, 0x80);
      assert.notEqual((told[3] ?? 0) & 0xf, 5);
      assert.ok(!isUdp || told.length <= parsed.udpBytes);
      return told.subarray(12, 12 + parsed.section.length).equals(parsed.section);
    }),
    { numRuns: 3_000 },
  );
});

test('answers of resolvers are read to their end or not at all', () => {
  fc.assert(
    fc.property(packets, fc.nat(100), (packet, end) => {
      if (packet.length < 12) return true;
      const fetched = readFetched(packet, Math.max(17, end));
      return fetched === undefined || (fetched.end <= packet.length && fetched.keepSeconds >= 0);
    }),
    { numRuns: 2_000 },
  );
});

test('a dot inside of a label is not the one between two', () => {
  const packet = query('web.shop.svc.cluster.local');
  packet[12] = 8; // "web" and "shop" as one label
  packet[16] = 0x2e;
  const parsed = parseQuery(packet);
  assert.equal(parsed && 'name' in parsed && parsed.name, 'web\\.shop.svc.cluster.local');
});
