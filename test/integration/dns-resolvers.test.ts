import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import dnsPacket, { type Answer, type DecodedPacket } from 'dns-packet';
import { parseQuery, type Question } from '../../src/adapters/dns/message/question.ts';
import { type QueryType, query, read } from '../../src/adapters/dns/test-queries.ts';
import { withLength } from '../../src/adapters/dns/upstream/exchange.ts';
import { renderFetched } from '../../src/adapters/dns/upstream/fetched.ts';
import { type Asked, Forwarder, type ForwarderOptions } from '../../src/adapters/dns/upstream/forwarder.ts';
import { parseNameservers } from '../../src/adapters/dns/upstream/resolvers.ts';
import { ManualClock, systemClock } from '../../src/lib/clock.ts';

interface Reply {
  readonly code?: number;
  readonly answers?: readonly Answer[];
  readonly soaSeconds?: number;
  readonly isTruncated?: boolean;
  /** Instead of the question's. */
  readonly question?: string;
  readonly id?: number;
}

/** A resolver on 127.0.0.1, UDP and TCP; `undefined` is no answer. */
async function startResolver(
  reply: (question: string, count: number, isUdp: boolean) => Reply | undefined,
  where = { address: '127.0.0.1', port: 0 },
) {
  let asked = 0;
  const queries: DecodedPacket[] = [];
  const answer = (packet: Buffer, isUdp: boolean): Buffer | undefined => {
    const decoded = dnsPacket.decode(packet);
    queries.push(decoded);
    asked++;
    const question = decoded.questions?.[0];
    const made = reply(question?.name ?? '', asked, isUdp);
    if (!made || !question) return undefined;
    const { mname, rname } = { mname: 'ns.example.org', rname: 'host.example.org' };
    const numbers = { serial: 1, refresh: 1, retry: 1, expire: 1, minimum: made.soaSeconds ?? 0 };
    return dnsPacket.encode({
      type: 'response',
      id: made.id ?? decoded.id ?? 0,
      flags: 0x0180 | (made.code ?? 0) | (made.isTruncated ? 0x0200 : 0),
      questions: [{ ...question, name: made.question ?? question.name }],
      answers: [...(made.answers ?? [])],
      authorities:
        made.soaSeconds === undefined
          ? []
          : [{ type: 'SOA', name: 'example.org', ttl: 3600, data: { mname, rname, ...numbers } }],
    });
  };
  const tcp = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (chunk) => {
      const made = answer(chunk.subarray(2), false);
      if (made) socket.write(withLength(made));
    });
  }).listen(where.port, where.address);
  await once(tcp, 'listening');
  const bound = tcp.address();
  const port = typeof bound === 'object' && bound ? bound.port : 0;
  const udp = createSocket('udp4');
  udp.on('message', (packet, from) => {
    const made = answer(packet, true);
    if (made) udp.send(made, from.port, from.address);
  });
  await new Promise<void>((done) => udp.bind(port, where.address, done));
  return {
    text: `${where.address}:${port}`,
    asked: () => asked,
    queries,
    stop: () => {
      udp.close();
      tcp.close();
    },
  };
}

type Resolver = Awaited<ReturnType<typeof startResolver>>;

const address = (name: string, ttl = 60): Answer => ({ type: 'A', name, ttl, data: '192.0.2.1' });

function questionOf(name: string, type: QueryType = 'A', edns?: number): Question {
  const parsed = parseQuery(query(name, type, edns));
  assert.ok(parsed && 'name' in parsed);
  return parsed;
}

function start(resolvers: readonly (Resolver | string)[], options: Partial<ForwarderOptions> = {}): Forwarder {
  const upstreams = resolvers.map((one) => (typeof one === 'string' ? one : one.text));
  return new Forwarder({ upstreams, isOwn: () => false, clock: systemClock, ...options });
}

/** What a client would get; undefined when nobody answered. */
async function told(forwarder: Forwarder, name: string, type: QueryType = 'A') {
  const question = questionOf(name, type);
  const asked: Asked | undefined = await forwarder.ask(question);
  return asked && read(renderFetched(question, asked.fetched, true, asked.ageSeconds));
}

describe('asking the resolvers of the host', () => {
  test('an answer is kept as long as it says, and grows old; nothing, as long as its SOA says', async () => {
    const resolver = await startResolver((name) =>
      name.startsWith('no') ? { code: 3, soaSeconds: 20 } : { answers: [address(name)] },
    );
    const clock = new ManualClock();
    const forwarder = start([resolver], { clock });
    assert.deepEqual((await told(forwarder, 'WWW.example.org'))?.ttls, [60]);
    await clock.advance(25_000);
    const later = await told(forwarder, 'www.Example.org');
    assert.deepEqual([later?.ttls, later?.data, later?.question], [[35], ['192.0.2.1'], 'www.Example.org']);
    assert.equal((await told(forwarder, 'nobody.example.org'))?.code, 'NXDOMAIN');
    assert.equal((await told(forwarder, 'nobody.example.org'))?.code, 'NXDOMAIN');
    assert.equal(resolver.asked(), 2);
    await clock.advance(35_000);
    await told(forwarder, 'www.example.org');
    await told(forwarder, 'nobody.example.org');
    assert.equal(resolver.asked(), 4, 'both are asked for anew');
    resolver.stop();
  });

  test('equal questions wait for one fetch, and what may not be kept is fetched again', async () => {
    const resolver = await startResolver((name) => ({ answers: [address(name, 0)] }));
    const forwarder = start([resolver]);
    const all = await Promise.all(Array.from({ length: 50 }, () => told(forwarder, 'www.example.org')));
    assert.ok(all.every((one) => one?.code === 'NOERROR'));
    assert.equal(resolver.asked(), 1);
    await told(forwarder, 'www.example.org');
    assert.equal(resolver.asked(), 2);
    resolver.stop();
  });

  test('one that is dead, refuses or fails is passed over, and not asked first again', async () => {
    const dead = await startResolver(() => undefined);
    const refusing = await startResolver(() => ({ code: 5 }));
    const good = await startResolver((name) => ({ answers: [address(name)] }));
    const forwarder = start([dead, refusing, good]);
    for (const name of ['a.example.org', 'b.example.org', 'c.example.org']) {
      assert.equal((await told(forwarder, name))?.code, 'NOERROR');
    }
    assert.deepEqual([dead.asked(), refusing.asked(), good.asked()], [1, 1, 3]);
    assert.equal(await told(start([refusing]), 'a.example.org'), undefined, 'its refusal is not passed on');
    const failing = await startResolver(() => ({ code: 2 }));
    assert.equal((await told(start([failing]), 'a.example.org'))?.code, 'SERVFAIL');
    assert.equal((await told(start([failing, good]), 'a.example.org'))?.code, 'NOERROR');
    for (const one of [dead, refusing, good, failing]) one.stop();
  });

  test('numbers are of our choosing, and differ', async () => {
    const resolver = await startResolver((name) => ({ answers: [address(name, 0)] }));
    const forwarder = start([resolver]);
    for (let at = 0; at < 20; at++) await told(forwarder, 'www.example.org');
    assert.ok(new Set(resolver.queries.map((one) => one.id)).size > 15);
    resolver.stop();
  });

  test('a packet that got lost is sent again', async () => {
    const resolver = await startResolver((name, count) => (count === 1 ? undefined : { answers: [address(name)] }));
    assert.equal((await told(start([resolver]), 'www.example.org'))?.code, 'NOERROR');
    resolver.stop();
  });

  test('an answer with another number or another question is not one', async () => {
    const forger = await startResolver((name, count) => {
      return count === 1 ? { id: 1, answers: [address(name)] } : { question: 'evil.example.org' };
    });
    assert.equal(await told(start([forger], { timeoutMs: 1_000 }), 'www.example.org'), undefined);
    assert.equal(forger.asked(), 2);
    forger.stop();
  });

  test('what does not fit into a packet is asked for over TCP', async () => {
    const answers = Array.from({ length: 25 }, (_, at): Answer => {
      return { type: 'A', name: 'many.example.org', ttl: 60, data: `192.0.2.${at + 1}` };
    });
    const resolver = await startResolver((_name, _count, isUdp) => (isUdp ? { isTruncated: true } : { answers }));
    const forwarder = start([resolver]);
    const question = questionOf('many.example.org');
    const asked = await forwarder.ask(question);
    assert.ok(asked);
    const small = read(renderFetched(question, asked.fetched, true, 0));
    assert.deepEqual([small.isTruncated, small.answers], [true, []]);
    assert.equal(read(renderFetched(question, asked.fetched, false, 0)).answers.length, 25);
    const large = questionOf('many.example.org', 'A', 1232);
    const edns = read(renderFetched(large, asked.fetched, true, 0));
    assert.deepEqual([edns.answers.length, edns.hasEdns, edns.bytes <= 1232], [25, true, true]);
    resolver.stop();
  });

  test('a resolver that cannot read EDNS is asked without', async () => {
    const resolver = await startResolver((name, count) => (count === 1 ? { code: 1 } : { answers: [address(name)] }));
    assert.equal((await told(start([resolver]), 'www.example.org'))?.code, 'NOERROR');
    assert.deepEqual(
      resolver.queries.map((one) => one.additionals?.length),
      [1, 0],
    );
    resolver.stop();
  });

  test('ourselves are not asked; a circle through another one ends', async () => {
    const own = await startResolver((name) => ({ answers: [address(name)] }));
    const port = Number(own.text.split(':')[1]);
    assert.equal(await told(start([own], { isOwn: (one) => one.port === port }), 'www.example.org'), undefined);
    assert.equal(own.asked(), 0);
    const circle = createSocket('udp4');
    await new Promise<void>((done) => circle.bind(0, '127.0.0.1', done));
    const forwarder = start([`127.0.0.1:${circle.address().port}`], { timeoutMs: 300 });
    let rounds = 0;
    circle.on('message', () => {
      rounds++;
      void told(forwarder, 'www.example.org');
    });
    assert.equal(await told(forwarder, 'www.example.org'), undefined);
    assert.equal(rounds, 1);
    circle.close();
    own.stop();
  });

  test('nobody there is said at once; too many questions too', async () => {
    const closed = await startResolver(() => undefined);
    closed.stop();
    const startedMs = systemClock.monotonicMs();
    assert.equal(await told(start([closed, closed]), 'www.example.org'), undefined);
    assert.ok(systemClock.monotonicMs() - startedMs < 3_000, 'not a time-out');
    const silent = await startResolver(() => undefined);
    const forwarder = start([silent], { timeoutMs: 500 });
    const asked = Array.from({ length: 600 }, (_, at) => told(forwarder, `n${at}.example.org`));
    const [none] = await Promise.all([Promise.race(asked.slice(512)), ...asked]);
    assert.equal(none, undefined);
    assert.ok(silent.asked() <= 2 * 512, `${silent.asked()}`);
    silent.stop();
  });

  test('the resolvers of the host are followed as its file changes', async () => {
    const resolver = await startResolver((name) => ({ answers: [address(name)] }), { address: '127.0.55.7', port: 53 });
    const directory = await mkdtemp(join(tmpdir(), 'flotilla-dns-'));
    const path = join(directory, 'resolv.conf');
    const clock = new ManualClock();
    const forwarder = new Forwarder({ resolvConfPath: path, isOwn: () => false, clock });
    assert.equal(await told(forwarder, 'www.example.org'), undefined, 'there is no file');
    await writeFile(join(directory, 'new'), 'nameserver 127.0.55.7\n');
    await rename(join(directory, 'new'), path);
    await clock.advance(1_000);
    assert.equal((await told(forwarder, 'www.example.org'))?.code, 'NOERROR');
    resolver.stop();
    await rm(directory, { recursive: true });
  });
});

test('nameservers of resolv.conf', () => {
  assert.deepEqual(
    parseNameservers('# nameserver 9.9.9.9\nsearch x\nnameserver 192.0.2.53\n nameserver ::1\nnameserver nonsense\n'),
    ['192.0.2.53', '::1'],
  );
});
