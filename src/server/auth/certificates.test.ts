import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { newKeyPem } from '../../lib/x509/new-key.ts';
import { nodeLifetimeMs, openIdentity } from './identity.ts';
import { loadServerCertificate } from './server-certificate.ts';

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flotilla-identity-'));
});
after(() => rm(directory, { recursive: true, force: true }));

const now = Date.UTC(2026, 5, 1);

test('the identity is made once, privately, and found again', async () => {
  const [first, second] = await Promise.all([openIdentity(directory, now), openIdentity(directory, now)]);
  assert.equal(first.caCertificate, second.caCertificate);
  assert.deepEqual(first.secretsKey, second.secretsKey);
  for (const file of ['ca.key', 'ca.crt', 'secrets.key']) {
    assert.equal((await stat(join(directory, file))).mode & 0o777, 0o600, file);
  }
  assert.equal((await openIdentity(directory, now)).caHash, first.caHash);
  assert.equal(first.secretsKey.byteLength, 32);
});

test('a node certificate names node and grid, and cannot pass for a server', async () => {
  const identity = await openIdentity(directory, now);
  const pem = identity.issueNodeCertificate('main', 'h1', createPublicKey(newKeyPem()), now);
  const certificate = new X509Certificate(pem);
  assert.equal(certificate.subject, 'O=system:nodes\nOU=main\nCN=system:node:h1');
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  assert.ok(certificate.checkIssued(new X509Certificate(identity.caCertificate)));
  assert.ok(certificate.verify(new X509Certificate(identity.caCertificate).publicKey));
  assert.equal(certificate.validToDate.getTime(), now + nodeLifetimeMs);
});

test('a server certificate answers for names and addresses of both families', async () => {
  const identity = await openIdentity(directory, now);
  const hosts = ['flotilla-server', 'localhost', '10.99.0.254', '::1', '2001:db8::5:1', '::ffff:10.0.0.1'];
  const pem = identity.issueServerCertificate('s1', createPublicKey(newKeyPem()), hosts, now);
  const certificate = new X509Certificate(pem);
  for (const host of ['flotilla-server', 'localhost']) assert.equal(certificate.checkHost(host), host);
  for (const address of ['10.99.0.254', '::1', '2001:db8::5:1']) assert.equal(certificate.checkIP(address), address);
  assert.equal(certificate.checkIP('10.99.0.1'), undefined);
});

test('the server certificate is kept until it ages or lacks a host', async () => {
  const identity = await openIdentity(directory, systemClock.wallMs());
  const tls = join(directory, 'tls');
  const options = {
    identity,
    directory: tls,
    serverId: 's1',
    hosts: ['a.example'],
    clock: systemClock,
    log: silentLogger,
  };
  const first = await loadServerCertificate(options);
  assert.deepEqual(await loadServerCertificate(options), first);
  const more = await loadServerCertificate({ ...options, hosts: ['a.example', 'b.example'] });
  assert.notEqual(more.certificate, first.certificate);
  assert.equal(more.key, first.key);
  const later = { ...systemClock, wallMs: () => systemClock.wallMs() + 300 * 86_400_000 };
  const renewed = await loadServerCertificate({ ...options, hosts: ['a.example'], clock: later });
  assert.notEqual(renewed.certificate, more.certificate);
});

test('files that do not belong together are refused by name', async () => {
  const other = await mkdtemp(join(tmpdir(), 'flotilla-identity-'));
  try {
    await openIdentity(other, now);
    await writeFile(join(other, 'ca.crt'), await readFile(join(directory, 'ca.crt')));
    await assert.rejects(openIdentity(other, now), {
      code: 'Invalid',
      message: /ca\.crt: it belongs to another ca\.key/,
    });
    await writeFile(join(other, 'secrets.key'), 'short');
    await assert.rejects(openIdentity(other, now), { code: 'Invalid', message: /secrets\.key/ });
  } finally {
    await rm(other, { recursive: true, force: true });
  }
});
