import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { after, describe, it } from 'node:test';
import { createSend } from '../../src/adapters/acme/https.ts';
import { AcmeFailed } from '../../src/adapters/acme/port.ts';
import { makeAuthority } from '../../src/controllers/certificate/authority.ts';
import { subjectOf } from '../../src/lib/x509/inspect-authority.ts';
import { issueCertificate } from '../../src/lib/x509/issue-certificate.ts';
import { newKeyPem } from '../../src/lib/x509/new-key.ts';

const signal = new AbortController().signal;
const authority = makeAuthority(['localhost'], Date.now());
const stops: (() => void)[] = [];
after(() => {
  for (const stop of stops) stop();
});

/** A server whose certificate that authority has signed; its URL. */
async function serve(listener: RequestListener): Promise<string> {
  const key = newKeyPem();
  const times = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 600_000 };
  const cert = issueCertificate(
    { subject: [['CN', 'acme']], publicKey: createPublicKey(key), role: 'server', hosts: ['localhost'], ...times },
    { subject: subjectOf(authority.certificate), keyPem: authority.key },
  );
  const server = createServer({ key, cert }, listener).listen(0, 'localhost');
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `https://localhost:${(server.address() as AddressInfo).port}/dir`;
}

async function failureOf(call: Promise<unknown>): Promise<AcmeFailed> {
  const error: unknown = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof AcmeFailed, String(error));
  return error;
}

describe('a call to an ACME server', () => {
  it('believes the authority that it was told of, and no other', async () => {
    const url = await serve((_, answer) => answer.writeHead(200, { 'replay-nonce': 'n1' }).end('{}'));
    const answer = await createSend(authority.certificate)({ method: 'GET', url }, signal);
    assert.deepEqual([answer.status, answer.body, answer.header('replay-nonce')], [200, '{}', 'n1']);
    const other = makeAuthority(['localhost'], Date.now()).certificate;
    for (const trusted of [undefined, other]) {
      const error = await failureOf(createSend(trusted)({ method: 'GET', url }, signal));
      assert.match(error.message, /^cannot reach the ACME server localhost:\d+: .*certificate/);
      assert.equal(error.type, 'unreachable');
    }
  });

  it('ends when nothing comes', async () => {
    const silent = createTcpServer(() => {}).listen(0, 'localhost');
    stops.push(() => silent.close());
    await once(silent, 'listening');
    const url = `https://localhost:${(silent.address() as AddressInfo).port}/dir`;
    const error = await failureOf(createSend(undefined, 200)({ method: 'GET', url }, signal));
    assert.match(error.message, /: no answer within 0\.2 s$/);
  });

  it('ends when an answer has no end', async () => {
    const url = await serve((_, answer) => {
      answer.writeHead(200);
      const fill = () => {
        while (!answer.destroyed && answer.write('x'.repeat(65_536)));
      };
      answer.on('drain', fill);
      fill();
    });
    const error = await failureOf(createSend(authority.certificate)({ method: 'GET', url }, signal));
    assert.match(error.message, /its answer is longer than 1048576 bytes$/);
  });

  it('goes nowhere else, and never without TLS', async () => {
    const url = await serve((_, answer) => answer.writeHead(302, { location: 'https://elsewhere.example/' }).end());
    assert.equal((await createSend(authority.certificate)({ method: 'GET', url }, signal)).status, 302);
    const plain = failureOf(createSend(undefined)({ method: 'GET', url: 'http://localhost/dir' }, signal));
    assert.match((await plain).message, /"http:\/\/localhost\/dir", which is not https$/);
  });

  it('ends with whoever asked', async () => {
    const url = await serve(() => {});
    const abort = new AbortController();
    const call = createSend(authority.certificate)({ method: 'GET', url }, abort.signal);
    abort.abort(new Error('the leader goes'));
    await assert.rejects(call, /the leader goes/);
  });
});
