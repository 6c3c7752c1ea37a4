import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from './until.ts';

/** A certificate for one name that nobody has signed, PEM. */
export async function selfSigned(name: string): Promise<{ readonly key: string; readonly cert: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-cert-'));
  try {
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    const how = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];
    const what = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`, '-keyout', key, '-out', cert];
    await promisify(execFile)('openssl', [...how, ...what]);
    return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  } finally {
    await rm(directory, { recursive: true });
  }
}

export interface HandWrittenProxy {
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Gracefully, with listeners handed over; resolves when the new worker is there. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/** HAProxy as a person would set it up before some servers on the loopback. */
export async function startHandWrittenProxy(
  servers: readonly number[],
  [httpPort, httpsPort]: readonly [number, number],
): Promise<HandWrittenProxy> {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-haproxy-'));
  const { key, cert } = await selfSigned('web.test');
  await writeFile(join(directory, 'web.pem'), cert + key);
  const file = join(directory, 'haproxy.cfg');
  await writeFile(
    file,
    `global
  maxconn 2000
  stats socket ${directory}/admin.sock level admin expose-fd listeners
  hard-stop-after 30s
defaults
  mode http
  option idle-close-on-response
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
  retries 3
  option redispatch 1
frontend in
  bind 127.0.0.1:${httpPort}
  bind 127.0.0.1:${httpsPort} ssl crt ${directory}/web.pem alpn h2,http/1.1
  default_backend web
backend web
  cookie F insert indirect nocache
${servers.map((port, index) => `  server s${index} 127.0.0.1:${port} cookie s${index} check inter 200ms fall 1 rise 1`).join('\n')}
`,
  );
  const child: ChildProcess = spawn('haproxy', ['-W', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const workers = () => said.split('Loading success').length - 1;
  const isUp = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(httpPort, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
  await until('HAProxy to listen', async () => {
    if (child.exitCode !== null) throw new Error(said);
    return isUp();
  });
  return {
    httpPort,
    httpsPort,
    reload: async () => {
      const before = workers();
      child.kill('SIGUSR2');
      await until('a new worker', () => workers() > before, 60_000);
    },
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      await rm(directory, { recursive: true });
    },
  };
}
