// A real etcd of several members on loopback, each of which can be killed, stopped and started again.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEtcdStore } from '../../src/store/etcd.ts';
import { freePort } from './free-port.ts';

export interface EtcdCluster {
  readonly endpoints: readonly string[];
  /** PEM; only with TLS. */
  readonly tls: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer } | undefined;
  /** Where those three are as files: ca.crt, client.crt, client.key. */
  readonly directory: string;
  kill(member: number): Promise<void>;
  /** SIGSTOP: its connections stay open and silent. */
  freeze(member: number): void;
  thaw(member: number): void;
  start(member: number): void;
  /** Until a majority answers. */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

export async function startEtcdCluster(options: { members?: number; tls?: boolean } = {}): Promise<EtcdCluster> {
  const { members = 3, tls = false } = options;
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-etcd-'));
  const ports = await Promise.all(Array.from({ length: members * 2 }, () => freePort()));
  const scheme = tls ? 'https' : 'http';
  const clientUrl = (member: number) => `${scheme}://127.0.0.1:${ports[member * 2]}`;
  const peerUrl = (member: number) => `http://127.0.0.1:${ports[member * 2 + 1]}`;
  const all = Array.from({ length: members }, (_, member) => `m${member}=${peerUrl(member)}`).join(',');
  if (tls) makeCertificates(directory);
  const files = ['--cert-file', 'server.crt', '--key-file', 'server.key', '--trusted-ca-file', 'ca.crt'];
  const children: (ChildProcess | undefined)[] = [];

  const start = (member: number) => {
    const argv = [
      ...['--name', `m${member}`, '--data-dir', join(directory, `m${member}`), '--pre-vote'],
      ...['--listen-client-urls', clientUrl(member), '--advertise-client-urls', clientUrl(member)],
      ...['--listen-peer-urls', peerUrl(member), '--initial-advertise-peer-urls', peerUrl(member)],
      ...['--initial-cluster', all, '--heartbeat-interval', '50', '--election-timeout', '500'],
      ...(tls ? [...files, '--client-cert-auth'] : []),
    ];
    children[member] = spawn('etcd', argv, { stdio: 'ignore', cwd: directory });
  };
  const kill = async (member: number) => {
    const child = children[member];
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  const cluster: EtcdCluster = {
    endpoints: Array.from({ length: members }, (_, member) => clientUrl(member)),
    tls: tls
      ? {
          ca: readFileSync(join(directory, 'ca.crt')),
          cert: readFileSync(join(directory, 'client.crt')),
          key: readFileSync(join(directory, 'client.key')),
        }
      : undefined,
    directory,
    kill,
    freeze: (member) => void children[member]?.kill('SIGSTOP'),
    thaw: (member) => void children[member]?.kill('SIGCONT'),
    start,
    ready: async () => {
      for (let tries = 0; ; tries++) {
        try {
          const store = await openEtcdStore({
            endpoints: cluster.endpoints,
            timeoutMs: 2_000,
            ...(cluster.tls ? { tls: cluster.tls } : {}),
          });
          return await store.close();
        } catch (error) {
          if (tries > 10) throw error;
        }
      }
    },
    stop: async () => {
      await Promise.all(children.map((_, member) => kill(member)));
      rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  for (let member = 0; member < members; member++) start(member);
  try {
    await cluster.ready();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** An authority, a certificate for 127.0.0.1, and one for the client. */
function makeCertificates(directory: string): void {
  const openssl = (...argv: string[]) => execFileSync('openssl', argv, { cwd: directory, stdio: 'ignore' });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...curve, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=test', '-days', '2');
  for (const name of ['server', 'client']) {
    openssl('req', ...curve, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    execFileSync(
      'sh',
      [
        '-c',
        `printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\\n' > ext && openssl x509 -req -in ${name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out ${name}.crt -days 2 -extfile ext`,
      ],
      { cwd: directory, stdio: 'ignore' },
    );
  }
}
