import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DnsRecords } from '../port.ts';
import { ZoneIndex } from './zone-index.ts';

const names = ['a.x.svc', 'b.x.svc', 'a.y.svc', 'b.y.svc'];
const addresses = ['10.80.0.1', '10.80.0.2', '10.80.0.3'];
const recordsOf: fc.Arbitrary<DnsRecords> = fc.record(
  {
    addresses: fc.uniqueArray(fc.constantFrom(...addresses), { maxLength: 3 }),
    isHeadless: fc.boolean(),
    members: fc.uniqueArray(fc.constantFrom(...addresses), { maxLength: 3 }),
    hostnames: fc.dictionary(fc.constantFrom(...addresses), fc.constantFrom('p0', 'p1'), { maxKeys: 2 }),
    ports: fc.constant([{ name: 'http', protocol: 'tcp', port: 80 }]),
    stackName: fc.constantFrom('a.s.svc', 'b.x.svc'),
    aliases: fc.uniqueArray(fc.constantFrom('old.x.svc', 'a.x.svc', 'deep.er.x.svc'), { maxLength: 2 }),
  },
  { requiredKeys: ['addresses'] },
);
const events = fc.array(fc.tuple(fc.constantFrom(...names), fc.option(recordsOf, { nil: undefined })), {
  maxLength: 30,
});
const asked = [
  ...names,
  ...['a.s.svc', 'old.x.svc', 'deep.er.x.svc', 'er.x.svc', 'x.svc', 'y.svc', 's.svc', 'svc', 'p0.a.x.svc'],
  ...['p1.old.x.svc', '10-80-0-1.a.x.svc', '_tcp.b.x.svc', '_http._tcp.b.x.svc', '_http._udp.b.x.svc', 'no.z.svc'],
];

/** What can be seen of a zone. */
function seen(zone: ZoneIndex): unknown {
  const found = asked.map((name) => {
    const one = zone.find(name);
    if (!one || one.kind === 'parent') return one;
    const { addresses: answered } = one.entry.records;
    return [one.kind, one.entry.name, one.kind === 'endpoint' ? one.addresses : [...answered].sort()];
  });
  return { found, owners: addresses.map((address) => zone.ownerOf(address)), size: zone.size };
}

test('a zone that was changed one by one is the same as one made at once', () => {
  fc.assert(
    fc.property(events, (list) => {
      const changed = new ZoneIndex();
      const last = new Map<string, DnsRecords>();
      for (const [name, records] of list) {
        if (records) {
          changed.set(name, records);
          last.set(name, records);
        } else {
          changed.drop(name);
          last.delete(name);
        }
      }
      const fresh = new ZoneIndex();
      for (const [name, records] of last) fresh.set(name, records);
      assert.deepEqual(seen(changed), seen(fresh));
    }),
    { numRuns: 500 },
  );
});
