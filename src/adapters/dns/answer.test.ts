import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createAnswers } from './answer.ts';
import { parseQuery } from './message/question.ts';
import type { DnsRecords } from './port.ts';
import { type QueryType, query, read, type Told } from './test-queries.ts';
import { ZoneIndex } from './zone/zone-index.ts';

const settings = {
  domain: 'cluster.local',
  gridDomain: 'main.flotilla.local',
  podRange: '10.80.0.0/12',
  serviceRange: '10.96.0.0/16',
};
const many = Array.from({ length: 200 }, (_, index) => `10.81.${index >> 7}.${(index & 127) + 1}`);
const http = { name: 'http', protocol: 'tcp', port: 80 };

function zoneOf(names: Readonly<Record<string, DnsRecords>>): ZoneIndex {
  const zone = new ZoneIndex();
  for (const [name, records] of Object.entries(names)) zone.set(name, records);
  return zone;
}

const zone = zoneOf({
  'web.shop.svc': {
    addresses: ['10.96.0.5'],
    members: ['10.80.0.2', '10.80.1.2'],
    ports: [http, { name: 'admin', protocol: 'tcp', port: 8080 }],
    stackName: 'web.store.svc',
  },
  'db.shop.svc': {
    addresses: ['10.80.0.7', '10.80.1.7'],
    isHeadless: true,
    hostnames: { '10.80.0.7': 'db-0' },
    ports: [{ name: 'sql', protocol: 'tcp', port: 5432 }],
    portsOf: { '10.80.1.7': [{ name: 'sql', protocol: 'tcp', port: 6432 }] },
    aliases: ['database.shop.svc'],
  },
  'replica.shop.svc': { addresses: ['10.80.0.8'], isHeadless: true, aliases: ['database.shop.svc'] },
  'empty.shop.svc': { addresses: [], isHeadless: true },
  'many.shop.svc': { addresses: many, isHeadless: true },
  'six.shop.svc': { addresses: ['fd00::1'], isHeadless: true },
  'here.shop.svc': { addresses: [], externalName: 'Web.shop.svc.cluster.local.' },
  'round.shop.svc': { addresses: [], externalName: 'round.shop.svc.cluster.local' },
  'out.shop.svc': { addresses: [], externalName: 'www.example.org' },
  'gone.shop.svc': { addresses: [], externalName: 'nobody.shop.svc.cluster.local' },
});
const answer = createAnswers(settings);

function ask(name: string, type: QueryType = 'A', options: { udpBytes?: number; isTcp?: boolean } = {}): Told {
  const question = parseQuery(query(name, type, options.udpBytes));
  assert.ok(question && 'name' in question);
  const found = answer(question, !options.isTcp, zone);
  assert.equal(found.kind, 'bytes', name);
  return read(found.kind === 'bytes' ? found.packet : Buffer.alloc(0));
}

function kindOf(name: string, type: QueryType = 'A', known: ZoneIndex | undefined = zone): string {
  const question = parseQuery(query(name, type));
  assert.ok(question && 'name' in question);
  return answer(question, true, known).kind;
}

describe('names of the zone', () => {
  test('a service in each of its forms; pods keep none of theirs for later', () => {
    for (const name of [
      'web.shop.svc.cluster.local',
      'web.store.svc.cluster.local',
      'web.shop.svc',
      'web.shop.main.flotilla.local',
      'web.store.main.flotilla.local',
      'web.shop.svc.main.flotilla.local',
    ]) {
      const told = ask(name);
      assert.deepEqual([told.code, told.data, told.ttls], ['NOERROR', ['10.96.0.5'], [5]], name);
      assert.ok(told.isAuthoritative);
    }
    const headless = ask('db.shop.svc.cluster.local');
    assert.deepEqual(
      [[...headless.data].sort(), headless.ttls],
      [
        ['10.80.0.7', '10.80.1.7'],
        [0, 0],
      ],
    );
  });

  test('each pod by its hostname, or by its address with dashes', () => {
    for (const [name, address] of [
      ['db-0.db.shop.svc.cluster.local', '10.80.0.7'],
      ['10-80-1-7.db.shop.svc.cluster.local', '10.80.1.7'],
      ['10-80-1-2.web.shop.svc.cluster.local', '10.80.1.2'],
      ['db-0.db.shop.main.flotilla.local', '10.80.0.7'],
      ['10-80-3-4.shop.pod.cluster.local', '10.80.3.4'],
      ['10-80-3-4.shop.pod', '10.80.3.4'],
    ] as const) {
      assert.deepEqual(ask(name).data, [address], name);
    }
    for (const name of [
      '10-80-0-7.db.shop.svc.cluster.local', // it has a hostname
      'db-1.db.shop.svc.cluster.local',
      '192-0-2-1.shop.pod.cluster.local', // no pod can have it
      '10-80-3-400.shop.pod.cluster.local',
      'web.shop.pod.cluster.local',
    ]) {
      assert.equal(ask(name).code, 'NXDOMAIN', name);
    }
  });

  test('an alias is shared, and gives way to a service of that name', () => {
    const shared = ask('database.shop.svc.cluster.local');
    assert.deepEqual([...shared.data].sort(), ['10.80.0.7', '10.80.0.8', '10.80.1.7']);
    const other = zoneOf({
      'a.shop.svc': { addresses: ['10.96.0.1'], aliases: ['b.shop.svc', 'c.shop.svc'] },
      'b.shop.svc': { addresses: ['10.96.0.2'] },
    });
    const of = (below: string) => {
      const found = other.find(below);
      return found?.kind === 'service' ? found.entry.records.addresses : undefined;
    };
    assert.deepEqual([of('b.shop.svc'), of('c.shop.svc')], [['10.96.0.2'], ['10.96.0.1']]);
    other.drop('b.shop.svc');
    assert.deepEqual(of('b.shop.svc'), ['10.96.0.1']);
    other.drop('a.shop.svc');
    assert.equal(of('c.shop.svc'), undefined);
    assert.equal(other.find('shop.svc'), undefined, 'nothing is below it any more');
  });

  test('other types of a known name, and names with others below them, are empty, not absent', () => {
    for (const [name, type] of [
      ['web.shop.svc', 'AAAA'],
      ['empty.shop.svc', 'A'],
      ['six.shop.svc', 'A'],
      ['web.shop.svc', 'MX'],
      ['db-0.db.shop.svc', 'AAAA'],
      ['shop.svc', 'A'],
      ['_tcp.web.shop.svc', 'SRV'],
      ['_http._tcp.web.shop.svc', 'A'],
      ['svc', 'A'],
      ['shop.pod', 'A'],
    ] as const) {
      const told = ask(`${name}.cluster.local`, type);
      assert.deepEqual([told.code, told.answers, told.authority], ['NOERROR', [], ['cluster.local SOA']], name);
    }
    assert.deepEqual(ask('six.shop.svc.cluster.local', 'AAAA').data, ['fd00::1']);
    assert.equal(ask('cluster.local').code, 'NOERROR');
    assert.equal(ask('cluster.local', 'SOA').answers.length, 1);
  });

  test('what does not exist, and must not be asked elsewhere', () => {
    for (const [name, zoneName] of [
      ['nobody.shop.svc.cluster.local', 'cluster.local'],
      ['web.other.cluster.local', 'cluster.local'],
      ['web', 'web'],
      ['nobody.shop.svc', 'svc'],
      ['web.shop.other.flotilla.local', 'flotilla.local'],
      ['_smtp._tcp.web.shop.svc.cluster.local', 'cluster.local'],
    ] as const) {
      const told = ask(name);
      assert.deepEqual([told.code, told.authority], ['NXDOMAIN', [`${zoneName} SOA`]], name);
    }
  });

  test('others know the rest', () => {
    for (const name of ['www.example.org', 'cluster.local.example.org', 'xcluster.local', 'example.svc.net', '.']) {
      assert.equal(kindOf(name), 'elsewhere', name);
    }
    assert.equal(kindOf('1.2.0.192.in-addr.arpa', 'PTR'), 'elsewhere');
    assert.equal(kindOf('3.2.80.10.in-addr.arpa', 'PTR'), 'bytes');
    assert.equal(ask('3.2.80.10.in-addr.arpa', 'PTR').code, 'NXDOMAIN');
  });

  test('before anything is known it fails rather than denies', () => {
    const none = (name: string, type: QueryType = 'A') => {
      const question = parseQuery(query(name, type));
      assert.ok(question && 'name' in question);
      return answer(question, true).kind;
    };
    assert.deepEqual(
      [none('web.shop.svc.cluster.local'), none('web'), none('2.0.80.10.in-addr.arpa', 'PTR'), none('example.org')],
      ['unknown', 'unknown', 'unknown', 'elsewhere'],
    );
  });

  test('reverse names: of the service for its address, of the pod for the pod', () => {
    for (const [reverse, name] of [
      ['5.0.96.10.in-addr.arpa', 'web.shop.svc.cluster.local'],
      ['7.0.80.10.in-addr.arpa', 'db-0.db.shop.svc.cluster.local'],
      ['7.1.80.10.in-addr.arpa', '10-80-1-7.db.shop.svc.cluster.local'],
      ['2.1.80.10.in-addr.arpa', '10-80-1-2.web.shop.svc.cluster.local'],
      [`1.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`, 'fd00--1.six.shop.svc.cluster.local'],
    ] as const) {
      assert.deepEqual(ask(reverse, 'PTR').data, [name]);
      const isSix = reverse.endsWith('ip6.arpa');
      assert.equal(ask(name, isSix ? 'AAAA' : 'A').answers.length, 1, 'and back');
    }
    assert.equal(ask('5.0.96.10.in-addr.arpa', 'A').code, 'NOERROR');
  });
});

describe('records of ports, aliases, everything', () => {
  test('SRV of a service: its own address and port, the address beside it', () => {
    const one = ask('_http._tcp.web.shop.svc.cluster.local', 'SRV');
    assert.deepEqual(one.data, [{ priority: 0, weight: 1, port: 80, target: 'web.shop.svc.cluster.local' }]);
    assert.deepEqual(one.additional, ['web.shop.svc.cluster.local A 10.96.0.5']);
    const all = ask('web.shop.svc.cluster.local', 'SRV');
    assert.deepEqual(
      all.data.map((one) => (one as { port: number }).port),
      [80, 8080],
    );
  });

  test('SRV of a headless one: each pod by its name, with its own port', () => {
    const told = ask('_sql._tcp.db.shop.svc.cluster.local', 'SRV');
    assert.deepEqual(told.data, [
      { priority: 0, weight: 1, port: 5432, target: 'db-0.db.shop.svc.cluster.local' },
      { priority: 0, weight: 1, port: 6432, target: '10-80-1-7.db.shop.svc.cluster.local' },
    ]);
    assert.deepEqual(told.additional, [
      'db-0.db.shop.svc.cluster.local A 10.80.0.7',
      '10-80-1-7.db.shop.svc.cluster.local A 10.80.1.7',
    ]);
  });

  test('an external name is an alias, followed inside of the cluster', () => {
    const inside = ask('here.shop.svc.cluster.local');
    assert.deepEqual(inside.answers, [
      'here.shop.svc.cluster.local CNAME web.shop.svc.cluster.local',
      'web.shop.svc.cluster.local A 10.96.0.5',
    ]);
    assert.deepEqual(ask('here.shop.svc.cluster.local', 'AAAA').answers.length, 1);
    assert.deepEqual(ask('here.shop.svc.cluster.local', 'CNAME').answers.length, 1);
    assert.equal(ask('gone.shop.svc.cluster.local').code, 'NXDOMAIN');
    assert.equal(ask('round.shop.svc.cluster.local').code, 'SERVFAIL');
    assert.equal(kindOf('out.shop.svc.cluster.local'), 'alias');
  });

  test('"everything" is one set of records', () => {
    assert.deepEqual(ask('web.shop.svc.cluster.local', 'ANY').data, ['10.96.0.5']);
    assert.match(ask('empty.shop.svc.cluster.local', 'ANY').answers[0] ?? '', /HINFO.*RFC8482/);
    assert.equal(ask('nobody.shop.svc.cluster.local', 'ANY').code, 'NXDOMAIN');
  });

  test('each address comes first as often, though A and AAAA are asked by turns', () => {
    const firsts = new Map<unknown, number>();
    for (let i = 0; i < 10; i++) {
      const [first] = ask('db.shop.svc.cluster.local').data;
      firsts.set(first, (firsts.get(first) ?? 0) + 1);
      ask('db.shop.svc.cluster.local', 'AAAA');
    }
    assert.deepEqual([...firsts.values()], [5, 5]);
  });

  test('what does not fit is truncated, fits more with EDNS, and comes whole over TCP', () => {
    const classic = ask('many.shop.svc.cluster.local');
    assert.ok(classic.isTruncated && classic.bytes <= 512 && classic.answers.length >= 25, `${classic.answers.length}`);
    const edns = ask('many.shop.svc.cluster.local', 'A', { udpBytes: 4096 });
    assert.ok(edns.isTruncated && edns.bytes <= 1232 && edns.answers.length > classic.answers.length);
    assert.ok(edns.hasEdns && !classic.hasEdns);
    const whole = ask('many.shop.svc.cluster.local', 'A', { isTcp: true });
    assert.deepEqual([...whole.data].sort(), [...many].sort());
    const small = ask('many.shop.svc.cluster.local', 'A', { udpBytes: 100 });
    assert.ok(small.bytes > 400 && small.bytes <= 512, 'less than 512 counts as 512 (RFC 6891 §6.2.3)');
  });

  test('repeats the question letter by letter', () => {
    assert.equal(ask('nObOdY.sHop.svc.cluster.local').question, 'nObOdY.sHop.svc.cluster.local');
    assert.equal(ask('WEB.shop.SVC.cluster.LOCAL').data[0], '10.96.0.5');
  });

  test('one bad address does not take the name away', () => {
    const odd = zoneOf({ 'odd.shop.svc': { addresses: ['nonsense', '10.80.0.9', 'fe80::1%eth0'], isHeadless: true } });
    const question = parseQuery(query('odd.shop.svc.cluster.local'));
    assert.ok(question && 'name' in question);
    const found = answer(question, true, odd);
    assert.deepEqual(found.kind === 'bytes' && read(found.packet).data, ['10.80.0.9']);
  });
});
