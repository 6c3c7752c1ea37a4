// DNS in a process of its own: it outlives agents, is started again, and is replaced, under questions that never pause.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { appendFile, cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { DnsRecords, DnsSettings, DnsZone } from '../../src/adapters/dns/port.ts';
import { type DnsProcess, endDnsProcess, startDnsProcess } from '../../src/adapters/dns/process/process-client.ts';
import { programId } from '../../src/adapters/dns/process/program-id.ts';
import { framed, overTcp, overUdp, query, read } from '../../src/adapters/dns/test-queries.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { startDnsLoad } from './dns-load.ts';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

const settings: DnsSettings = { domain: 'cluster.local', upstreams: [], podRange: '10.80.0.0/12' };
const web = query('web.shop.svc.cluster.local');
const name = 'web.shop.svc.cluster.local';
const records = (...addresses: string[]): DnsRecords => ({ addresses, isHeadless: true });
const zoneOf = (...addresses: string[]): DnsZone => ({ names: new Map([['web.shop.svc', records(...addresses)]]) });

describe('the DNS process', () => {
  let directory: string;
  let port: number;
  const clients: DnsProcess[] = [];
  const sockets: Socket[] = [];

  const start = async (more: Partial<Parameters<typeof startDnsProcess>[0]> = {}): Promise<DnsProcess> => {
    const addresses = [{ address: '127.0.0.1', port }];
    const client = await startDnsProcess({
      dataDirectory: directory,
      settings,
      addresses,
      log: silentLogger,
      ...more,
    });
    clients.push(client);
    return client;
  };

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fl-dns-'));
    port = await freePort();
  });
  afterEach(async () => {
    for (const one of sockets.splice(0)) one.destroy();
    for (const one of clients.splice(0)) await one.stop();
    await endDnsProcess(directory);
  });
  after(() => rm(directory, { recursive: true, force: true }));

  test('is started, fails what it does not know yet, answers what it was told, and ends when told', async () => {
    const client = await start();
    assert.equal((await overUdp(port, web)).code, 'SERVFAIL');
    await client.apply(zoneOf('10.80.0.2'), '7');
    assert.deepEqual((await overUdp(port, web)).data, ['10.80.0.2']);
    await client.change({ set: new Map([['web.shop.svc', records('10.80.0.3')]]), drop: [] }, '8');
    assert.deepEqual((await overUdp(port, web)).data, ['10.80.0.3']);
    await client.apply({ names: new Map() });
    assert.equal((await overUdp(port, web)).code, 'NXDOMAIN');
    await until('it tells its counters', () => client.stats().queries >= 4);
    const { pid } = client;
    assert.ok(pid);
    await client.stop();
    assert.equal((await overUdp(port, web)).code, 'NXDOMAIN', 'it goes on without an agent');
    assert.equal(await endDnsProcess(directory), true);
    assert.equal(await endDnsProcess(directory), false);
    await until('it has ended', () => !isRunning(pid));
  });

  test('an agent that stops, and one that is killed, are not noticed by those who ask', async () => {
    const first = await start();
    await first.apply(zoneOf('10.80.0.2'));
    const load = startDnsLoad({ address: '127.0.0.1', port, names: [name], clients: 8 });
    await first.stop();
    for (let round = 0; round < 3; round++) {
      const agent = await startAgentProgram(directory, port);
      await until('questions are answered', () => load.count() > (round + 1) * 1_000);
      agent.kill('SIGKILL');
      await once(agent, 'exit');
    }
    const last = await start();
    assert.equal(last.starts, 0, 'it was found');
    await last.apply(zoneOf('10.80.0.9'));
    assert.deepEqual((await overUdp(port, web)).data, ['10.80.0.9']);
    const { refused, lost, failed, answered } = await load.stop();
    assert.deepEqual({ refused, lost, failed }, { refused: 0, lost: 0, failed: 0 });
    assert.ok(answered > 3_000);
  });

  test('one that is killed, or stands still, is there again and knows all', async () => {
    const client = await start();
    await client.apply(zoneOf('10.80.0.2'));
    const killed = client.pid;
    assert.ok(killed);
    process.kill(killed, 'SIGKILL');
    await client.apply(zoneOf('10.80.0.3'));
    assert.deepEqual((await overUdp(port, web)).data, ['10.80.0.3'], 'what is acknowledged is answered');
    assert.equal(client.starts, 2);
    const frozen = client.pid;
    assert.ok(frozen && frozen !== killed);
    process.kill(frozen, 'SIGSTOP');
    await until('there is another one', () => client.pid !== undefined && client.pid !== frozen, 20_000);
    assert.deepEqual((await overUdp(port, web)).data, ['10.80.0.3']);
  });

  test('another program takes over under load: no question is refused or lost, no connection is cut', async () => {
    const other = await mkdtemp(join(tmpdir(), 'fl-dns-program-'));
    for (const part of ['adapters/dns', 'lib']) await cp(`src/${part}`, join(other, 'src', part), { recursive: true });
    await cp('package.json', join(other, 'package.json'));
    await appendFile(join(other, 'src/adapters/dns/server.ts'), '\n// an older version\n');
    const entry = join(other, 'src/adapters/dns/process/dns-process.ts');
    const argv = [process.execPath, '--disable-warning=ExperimentalWarning', entry, directory];
    const older = await start({ program: { id: 'older', argv } });
    await older.apply(zoneOf('10.80.0.2'), '5');
    const { pid } = older;
    assert.ok(pid);
    await older.stop();
    const connection = connect(port, '127.0.0.1');
    sockets.push(connection);
    connection.write(framed(web).subarray(0, 20)); // half a question
    await once(connection, 'connect');
    const load = startDnsLoad({ address: '127.0.0.1', port, names: [name], clients: 8 });
    let isStopping = false;
    const overConnections = (async () => {
      let count = 0;
      for (; !isStopping; count++) assert.equal((await overTcp(port, [framed(web)]))[0]?.code, 'NOERROR');
      return count;
    })();
    await until('questions are answered', () => load.count() > 500);
    const newer = await start();
    assert.equal(newer.starts, 0, 'the older one started it');
    assert.notEqual(newer.pid, pid);
    assert.deepEqual((await overUdp(port, web)).data, ['10.80.0.2'], 'it was told by the older one');
    await newer.apply(zoneOf('10.80.0.3'), '6');
    assert.deepEqual((await overUdp(port, web)).data, ['10.80.0.3']);
    const answered = once(connection, 'data');
    connection.write(framed(web).subarray(20));
    const [response] = await answered;
    assert.deepEqual(read(Buffer.from(response).subarray(2)).data, ['10.80.0.3'], 'half a question was kept');
    connection.destroy();
    await until('it has ended', () => !isRunning(pid));
    const before = load.count();
    await until('questions are answered', () => load.count() > before + 500);
    isStopping = true;
    const { refused, lost, failed } = await load.stop();
    assert.deepEqual({ refused, lost, failed }, { refused: 0, lost: 0, failed: 0 });
    assert.ok((await overConnections) > 10);
    await rm(other, { recursive: true });
  });

  test('a program that does not run takes nothing over', async () => {
    const client = await start();
    await client.apply(zoneOf('10.80.0.2'));
    const { pid } = client;
    await client.stop();
    const broken = { id: 'broken', argv: [process.execPath, '-e', 'process.exit(3)'] };
    const next = await start({ program: broken });
    assert.equal(next.pid, pid, 'the one that runs goes on');
    await next.apply(zoneOf('10.80.0.4'));
    assert.deepEqual((await overUdp(port, web)).data, ['10.80.0.4']);
  });

  test('another address is taken without a new process; one that nobody can have is told', async () => {
    const client = await start();
    await client.apply(zoneOf('10.80.0.2'));
    const { pid } = client;
    const elsewhere = await freePort();
    await client.configure(settings, [{ address: '127.0.0.1', port: elsewhere }]);
    assert.deepEqual((await overUdp(elsewhere, web)).data, ['10.80.0.2']);
    assert.equal(client.pid, pid);
    await assert.rejects(client.configure(settings, [{ address: '203.0.113.77', port: elsewhere }]), {
      code: 'HostToolFailed',
      message: /203\.0\.113\.77.*EADDRNOTAVAIL/,
    });
    assert.deepEqual((await overUdp(elsewhere, web)).data, ['10.80.0.2'], 'all stays as it was');
  });

  test('5,000 names are told at once, and then what changes; it stays small', async () => {
    const client = await start();
    const names = new Map<string, DnsRecords>();
    for (let index = 0; index < 5_000; index++) {
      const members = Array.from({ length: 5 }, (_, at) => `10.8${at}.${index >> 8}.${index & 255}`);
      const ports = [{ name: 'http', protocol: 'tcp', port: 80 }];
      names.set(`s${index}.shop.svc`, { addresses: [`10.96.${index >> 8}.${index & 255}`], members, ports });
    }
    await client.apply({ names });
    const last = await overUdp(port, query('s4999.shop.svc.cluster.local'));
    assert.deepEqual(last.data, ['10.96.19.135']);
    await client.change({ set: new Map([['s1.shop.svc', records('10.80.0.9')]]), drop: ['s2.shop.svc'] });
    assert.deepEqual((await overUdp(port, query('s1.shop.svc.cluster.local'))).data, ['10.80.0.9']);
    assert.equal((await overUdp(port, query('s2.shop.svc.cluster.local'))).code, 'NXDOMAIN');
    const memory = await readFile(`/proc/${client.pid}/smaps_rollup`, 'utf8');
    const kilobytes = Number(/^Private_Dirty:\s+(\d+)/m.exec(memory)?.[1]);
    assert.ok(kilobytes < 80 * 1024, `${kilobytes} kB of its own`);
  });

  test('thousands of packets that no client would send do it no harm', async () => {
    const client = await start();
    await client.apply(zoneOf('10.80.0.2'));
    const { pid } = client;
    const socket = createSocket('udp4');
    const mangled = (at: number) => {
      const packet = at % 3 === 0 ? randomBytes(at % 700) : Buffer.from(query(name, at % 2 ? 'A' : 'SRV', 1232));
      for (let change = 0; change < at % 5 && packet.length > 0; change++) {
        packet[randomInt(packet.length)] = randomInt(256);
      }
      return packet;
    };
    for (let at = 0; at < 5_000; at++) socket.send(mangled(at), port, '127.0.0.1');
    await Promise.all(
      Array.from({ length: 100 }, async (_, at) => {
        const connection = connect(port, '127.0.0.1');
        connection.on('error', () => {});
        connection.on('data', () => {});
        connection.write(at % 2 ? randomBytes(3_000) : framed(mangled(at)));
        connection.end(framed(mangled(at + 1)).subarray(0, at));
        await once(connection, 'close');
      }),
    );
    socket.close();
    assert.deepEqual((await overUdp(port, web)).data, ['10.80.0.2']);
    assert.deepEqual((await overTcp(port, [framed(web)]))[0]?.data, ['10.80.0.2']);
    assert.deepEqual([client.pid, client.starts], [pid, 1]);
  });

  test('it ends when the directory that it serves is gone', async () => {
    const gone = await mkdtemp(join(tmpdir(), 'fl-dns-gone-'));
    const client = await start({ dataDirectory: gone, addresses: [{ address: '127.0.0.1', port: await freePort() }] });
    const { pid } = client;
    assert.ok(pid);
    await client.stop();
    await rm(gone, { recursive: true });
    await until('it has ended', () => !isRunning(pid));
  });

  test('its program is known by what it consists of', () => {
    assert.match(programId(), /^[0-9a-f]{16}$/);
    assert.equal(programId(), programId());
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** An agent as far as DNS goes, in a process that can be killed; resolves when it has told its names. */
async function startAgentProgram(dataDirectory: string, port: number): Promise<ChildProcess> {
  const source = `
    import { startDnsProcess } from '${join(process.cwd(), 'src/adapters/dns/process/process-client.ts')}';
    import { silentLogger } from '${join(process.cwd(), 'src/lib/log.ts')}';
    const client = await startDnsProcess({
      dataDirectory: '${dataDirectory}', settings: ${JSON.stringify(settings)},
      addresses: [{ address: '127.0.0.1', port: ${port} }], log: silentLogger,
    });
    await client.apply({ names: new Map([['web.shop.svc', { addresses: ['10.80.0.2'], isHeadless: true }]]) });
    console.log('told');
    setInterval(() => {}, 1000);
  `;
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '-e', source],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(child.stdout, 'data');
  return child;
}
