// examples/shop, with certificates of an ACME server and of the grid's own authority.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { type Pebble, startPebble } from '../integration/pebble.ts';
import { eventually, run, startLab, type TestLab } from './lab.ts';

const hosts = ['h1', 'h2'];
const name = 'shop.example.org';
const example = fileURLToPath(new URL('../../examples/shop/flotilla.yml', import.meta.url));

describe('certificates on two hosts', { timeout: 120_000 }, () => {
  let lab: TestLab;
  let pebble: Pebble;
  let directory: string;
  const file = (path: string) => join(directory, path);
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-certificates-'));
    lab = await startLab({ name: 'e2ecert', octet: 123, hosts: hosts.length });
    // It stands outside of the lab, and every name leads to one host of it.
    pebble = await startPebble({
      ...{ address: `${lab.prefix}.253`, challengeAddress: `${lab.prefix}.2`, challengePort: 80 },
    });
    await writeFile(file('acme.pem'), pebble.caCertificate);
    await writeFile(file('root.pem'), await pebble.issuingRoot());
    const values = ['--set', `host=${name}`, '--set', 'tls=acme'];
    await lab.flotilla(['deploy', '-f', example, ...values], { timeoutMs: 60_000 });
  });
  after(async () => {
    await pebble?.stop();
    await lab?.down();
    await rm(directory, { recursive: true, force: true });
  });

  const addressOf = (host: string) => `${lab.prefix}.${host.slice(1)}`;
  const curl = async (host: string, asked: string, root: string, path = '/', ...more: string[]) => {
    const resolve = ['--resolve', `${asked}:443:${addressOf(host)}`];
    return await run([
      'curl',
      '-sS',
      '-m',
      '3',
      '--cacert',
      file(root),
      ...resolve,
      ...more,
      `https://${asked}${path}`,
    ]);
  };
  const shop = async (host: string, asked: string, root: string) => {
    const { stdout, stderr } = await curl(host, asked, root);
    if (!stdout.startsWith('shop, served by web-')) throw new Error(`${host}: ${stdout}${stderr}`);
    return true;
  };
  /** What a host shows now. */
  const serialOn = (host: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect({ host: addressOf(host), port: 443, servername: name, rejectUnauthorized: false }, () => {
        resolve(new X509Certificate(socket.getPeerCertificate(true).raw).serialNumber);
        socket.end();
      });
      socket.on('error', reject);
    });

  /** Of each proxy, so far. */
  const reloads = async () => {
    const { proxies } = JSON.parse(await lab.flotilla(['ingress', 'stats', '-o', 'json'])) as {
      proxies: { node: string; reloads: number }[];
    };
    return proxies.map(({ node, reloads: count }) => `${node} ${count}`).sort();
  };

  it('a host gets its certificate from an ACME server, and every ingress node shows it', async () => {
    const said = await lab.flotilla([
      ...[
        'certificate',
        'register',
        'admin@example.org',
        '--directory',
        pebble.directoryURL,
        '--ca-file',
        file('acme.pem'),
      ],
    ]);
    assert.match(said, /^registered admin@example\.org with https:.*: https:.*my-account/m);
    for (const host of hosts) {
      await eventually(`${host} to serve ${name}`, () => shop(host, name, 'root.pem'));
    }
    assert.match(
      await lab.flotilla(['certificate', 'ls']),
      new RegExp(`^shop +${name} +${name} +acme +Ready +in \\d+`, 'm'),
    );
    assert.match(
      await lab.flotilla(['certificate', 'show', `shop/${name}`]),
      /^used by +shop\/api-shop-example-org, shop\/web-shop-example-org/m,
    );
  });

  it('a new one is shown to who comes, and who is there stays', async () => {
    const before = await serialOn('h1');
    const reloadsBefore = await reloads();
    const open = connect({ host: addressOf('h1'), port: 443, servername: name, rejectUnauthorized: false });
    await new Promise((resolve, reject) => open.once('secureConnect', resolve).once('error', reject));
    const closed: unknown[] = [];
    open.on('close', () => closed.push('closed')).on('error', (error) => closed.push(error));
    await lab.flotilla(['certificate', 'request', name, '--namespace', 'shop']);
    for (const host of hosts) {
      await eventually(`${host} to show the new one`, async () => (await serialOn(host)) !== before);
    }
    assert.deepEqual(await reloads(), reloadsBefore, 'the proxies take it while they run');
    assert.deepEqual(closed, []);
    open.end('GET / HTTP/1.1\r\nHost: shop.example.org\r\nConnection: close\r\n\r\n');
    let answer = '';
    for await (const part of open) answer += String(part);
    assert.match(answer, /in your cart\n$/);
  });

  it('a name that nobody can own gets one from the grid itself', async () => {
    await writeFile(file('own.pem'), await lab.flotilla(['certificate', 'ca']));
    for (const host of hosts) {
      await eventually(`${host} to serve its own name`, () => shop(host, 'web.shop.localhost', 'own.pem'));
    }
  });

  it('clients are spread over all instances, stay with theirs, and find the API below its path', async () => {
    const instanceOf = (text: string) => /served by (\S+):/.exec(text)?.[1] ?? text;
    const seen = new Set<string>();
    await eventually('all three instances to answer', async () => {
      for (const host of hosts) seen.add(instanceOf((await curl(host, name, 'root.pem')).stdout));
      return seen.size === 3;
    });
    const jar = ['-b', file('jar'), '-c', file('jar')];
    const first = (await curl('h1', name, 'root.pem', '/', ...jar, '-d', '')).stdout;
    for (const [at, host] of [...hosts, ...hosts].entries()) {
      const { stdout } = await curl(host, name, 'root.pem', '/', ...jar, '-d', '');
      assert.equal(stdout, first.replace(': 1 in', `: ${at + 2} in`));
    }
    const order = await curl(
      'h2',
      name,
      'root.pem',
      '/api/orders?a=1',
      '-d',
      '{"x":1}',
      '-H',
      'X-Forwarded-For: 1.2.3.4',
    );
    const { client, by, ...told } = JSON.parse(order.stdout) as { client: string; by: string };
    assert.deepEqual(told, { method: 'POST', path: '/orders?a=1', bytes: 7 });
    assert.match(by, /^api-/);
    assert.ok(client.startsWith(`${lab.prefix}.`), `${client} is who asked, whatever it says`);
    const plain = await run([
      'curl',
      '-sS',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code} %{redirect_url}',
      ...['-H', `Host: ${name}`],
      `http://${addressOf('h1')}/x?y`,
    ]);
    assert.equal(plain.stdout, `308 https://${name}/x?y`);
  });

  it('one that somebody brings is checked, shown, and given back', async () => {
    await lab.flotilla(['certificate', 'export', 'shop/web.shop.localhost', '-d', directory]);
    const key = file('web.shop.localhost.key');
    assert.equal((await stat(key)).mode & 0o777, 0o600);
    assert.match(await readFile(file('web.shop.localhost.crt'), 'utf8'), /BEGIN CERTIFICATE/);
    const argv = ['certificate', 'import', 'mine', '--namespace', 'shop', '--cert', file('root.pem'), '--key', key];
    const refused = await lab.tryFlotilla(argv);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^error: cannot import: the key does not belong to the certificate/m);
    const said = await lab.flotilla(argv.with(6, file('web.shop.localhost.crt')));
    assert.match(said, /^certificate shop\/mine imported for web\.shop\.localhost, holds until 20/m);
    const used = await lab.tryFlotilla(['certificate', 'rm', `shop/${name}`]);
    assert.match(used.stderr, /is used by Ingress shop\/api-shop-example-org/);
  });
});
