import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueCertificate } from '../../src/lib/x509/issue-certificate.ts';
import { newKeyPem } from '../../src/lib/x509/new-key.ts';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

export interface Pebble {
  readonly directoryURL: string;
  /** PEM: who signed the server's own certificate. */
  readonly caCertificate: string;
  /** PEM: who signs what it issues; another one after each start. */
  issuingRoot(): Promise<string>;
  /** Ends it; all that it knew is forgotten. */
  halt(): Promise<void>;
  /** Again, at the same address. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface PebbleOptions {
  /** Where it looks for `/.well-known/acme-challenge/…`, at the address that every name has. */
  readonly challengePort: number;
  /** That address. Default 127.0.0.1. */
  readonly challengeAddress?: string;
  /** Its own. Default 127.0.0.1. */
  readonly address?: string;
  /** Of what it issues. Default: five years. */
  readonly validitySeconds?: number;
  /** Takes only accounts of these owners: key id → key, base64url. */
  readonly externalAccounts?: Readonly<Record<string, string>>;
  readonly blockedDomains?: readonly string[];
  /** Such as PEBBLE_WFE_NONCEREJECT. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** For `skip` of a test: what to install; false: both are there. Throws where nothing may be skipped. */
export function withoutPebble(): string | false {
  const missing = ['pebble', 'pebble-challtestsrv'].some((name) => spawnSync(name, ['-help']).error !== undefined);
  if (missing && process.env.CI) throw new Error('pebble is missing: apt-get install pebble');
  return missing ? 'pebble is missing: apt-get install pebble' : false;
}

/** The ACME server that Let's Encrypt has for tests (Debian's package `pebble`), and a DNS server in which all names are this machine's. */
export async function startPebble(options: PebbleOptions): Promise<Pebble> {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-pebble-'));
  const ports = { acme: await freePort(), management: await freePort(), dns: await freePort() };
  const { address = '127.0.0.1', challengeAddress = '127.0.0.1' } = options;
  const caKey = newKeyPem();
  const subject = [['CN', 'pebble of a test']] as const;
  const times = { notBeforeMs: Date.now() - 3_600_000, notAfterMs: Date.now() + 86_400_000 };
  const issuer = { subject, keyPem: caKey };
  const caCertificate = issueCertificate(
    { subject, publicKey: createPublicKey(caKey), role: 'authority', ...times },
    issuer,
  );
  const key = newKeyPem();
  const certificate = issueCertificate(
    { subject: [['CN', 'acme']], publicKey: createPublicKey(key), role: 'server', hosts: [address], ...times },
    issuer,
  );
  const config = {
    pebble: {
      listenAddress: `${address}:${ports.acme}`,
      managementListenAddress: `127.0.0.1:${ports.management}`,
      certificate: join(directory, 'cert.pem'),
      privateKey: join(directory, 'key.pem'),
      httpPort: options.challengePort,
      tlsPort: 9, // discard: nobody proves anything by TLS here
      externalAccountBindingRequired: options.externalAccounts !== undefined,
      ...(options.externalAccounts ? { externalAccountMACKeys: options.externalAccounts } : {}),
      ...(options.validitySeconds === undefined ? {} : { certificateValidityPeriod: options.validitySeconds }),
      ...(options.blockedDomains ? { domainBlocklist: options.blockedDomains } : {}),
    },
  };
  await writeFile(join(directory, 'cert.pem'), certificate);
  await writeFile(join(directory, 'key.pem'), key, { mode: 0o600 });
  await writeFile(join(directory, 'config.json'), JSON.stringify(config));
  const children: ChildProcess[] = [];
  const start = async () => {
    const dns = spawn(
      'pebble-challtestsrv',
      [
        ...['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', '', '-defaultIPv4', challengeAddress],
        ...['-dns01', `127.0.0.1:${ports.dns}`, '-management', `127.0.0.1:${await freePort()}`],
      ],
      { stdio: 'ignore' },
    );
    const server = spawn(
      'pebble',
      ['-config', join(directory, 'config.json'), '-dnsserver', `127.0.0.1:${ports.dns}`, '-strict=false'],
      {
        stdio: 'ignore',
        env: { PATH: process.env.PATH, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0', ...options.environment },
      },
    );
    children.push(dns, server);
    await until('pebble answers', async () => {
      if (server.exitCode !== null) throw new Error(`pebble ended with ${server.exitCode}`);
      return await get(directoryURL).then(
        () => true,
        () => false,
      );
    });
  };
  const halt = async () => {
    await Promise.all(children.splice(0).map(end));
  };
  const get = (url: string) => httpsGet(url, caCertificate);
  const directoryURL = `https://${address}:${ports.acme}/dir`;
  await start();
  return {
    directoryURL,
    caCertificate,
    issuingRoot: () => get(`https://127.0.0.1:${ports.management}/roots/0`),
    start,
    halt,
    stop: async () => {
      await halt();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface Responder {
  readonly port: number;
  /** Token → answer. */
  readonly answers: Map<string, string>;
  /** Paths that were asked for. */
  readonly asked: string[];
  stop(): Promise<void>;
}

/** What an ingress node does with challenges; `delayMs`: it takes its time. */
export async function startResponder(delayMs = 0): Promise<Responder> {
  const answers = new Map<string, string>();
  const asked: string[] = [];
  const server = createServer((incoming, answer) => {
    const path = incoming.url ?? '';
    asked.push(path);
    const found = answers.get(path.replace('/.well-known/acme-challenge/', ''));
    const send = () =>
      answer.writeHead(found === undefined ? 404 : 200, { 'content-type': 'text/plain' }).end(found ?? 'no such token');
    if (delayMs === 0) send();
    else setTimeout(send, delayMs);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    answers,
    asked,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Whether OpenSSL believes it for `host`; throws with OpenSSL's words otherwise. */
export async function verifyWithOpenSsl(chain: string, root: string, host: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-verify-'));
  try {
    await writeFile(join(directory, 'root.pem'), root);
    await writeFile(join(directory, 'chain.pem'), chain);
    execFileSync(
      'openssl',
      [
        ...['verify', '-CAfile', join(directory, 'root.pem'), '-untrusted', join(directory, 'chain.pem')],
        ...['-verify_hostname', host, '-x509_strict', '-purpose', 'sslserver', join(directory, 'chain.pem')],
      ],
      { stdio: 'pipe', encoding: 'utf8' },
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function httpsGet(url: string, ca: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const sent = request(url, { ca, agent: false, rejectUnauthorized: !url.includes('/roots/') }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        body += part;
      });
      answer.on('end', () => resolve(body));
    });
    sent.on('error', reject);
    sent.end();
  });
}
