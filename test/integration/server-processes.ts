// Several servers on one etcd, each a process of its own that can be killed and made to stand still.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createHttpClient, type HttpClient, type HttpClientOptions } from '../../src/client/http-client.ts';
import { freePort } from './free-port.ts';

const bin = fileURLToPath(new URL('../../bin/flotilla', import.meta.url));

export interface ServerProcesses {
  readonly urls: readonly string[];
  readonly caCertificate: string;
  readonly token: string;
  /** `identity/` that all of them share. */
  readonly identityDirectory: string;
  signal(server: number, signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): void;
  /** Until the process has ended. */
  ended(server: number): Promise<void>;
  start(server: number): Promise<void>;
  /** What a server wrote into its log, one record a line. */
  log(server: number): Promise<readonly LogRecord[]>;
  /** Which of them says that it leads. */
  leader(): Promise<number>;
  client(servers: readonly number[], options?: Partial<HttpClientOptions>): HttpClient;
  stop(): Promise<void>;
}

export interface LogRecord {
  /** RFC 3339. */
  readonly time: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface ServerProcessesOptions {
  readonly directory: string;
  readonly count: number;
  /** Of `flotilla server`, besides where it keeps things and listens. */
  readonly argv: readonly string[];
}

export async function startServerProcesses(options: ServerProcessesOptions): Promise<ServerProcesses> {
  const { directory, count, argv } = options;
  const ports = await Promise.all(Array.from({ length: count }, () => freePort()));
  const urls = ports.map((port) => `https://127.0.0.1:${port}`);
  const dataOf = (server: number) => join(directory, `server-${server}`);
  const logOf = (server: number) => join(directory, `server-${server}.log`);
  const children: (ChildProcess | undefined)[] = [];
  const clients: HttpClient[] = [];

  const spawnServer = (server: number) => {
    const output = openSync(logOf(server), 'a');
    const where = ['--data', dataOf(server), '--listen', `127.0.0.1:${ports[server]}`, '--advertise', urls[server]!];
    children[server] = spawn(bin, ['server', ...where, ...argv], {
      stdio: ['ignore', output, output],
      env: { ...process.env, FLOTILLA_NODE: process.execPath },
    });
    closeSync(output);
  };
  const ended = async (server: number) => {
    const child = children[server];
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };
  const answers = async (server: number) => {
    for (let tries = 0; ; tries++) {
      const client = self.client([server], { timeoutMs: 2_000 });
      try {
        await client.raw({ method: 'GET', path: '/readyz' });
        return;
      } catch (error) {
        if (tries > 150 || children[server]?.exitCode !== null)
          throw new Error(`server ${server}: ${(await readFile(logOf(server), 'utf8')).slice(-2_000)}`, {
            cause: error,
          });
        await delay(100);
      } finally {
        client.close();
      }
    }
  };

  const self = {
    urls,
    caCertificate: '',
    token: '',
    identityDirectory: join(dataOf(0), 'identity'),
    signal: (server: number, signal: NodeJS.Signals) => void children[server]?.kill(signal),
    ended,
    start: async (server: number) => {
      spawnServer(server);
      await answers(server);
    },
    log: async (server: number) =>
      (await readFile(logOf(server), 'utf8'))
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as LogRecord),
    leader: async () => {
      for (let tries = 0; tries < 200; tries++) {
        for (let server = 0; server < count; server++) {
          const client = self.client([server], { timeoutMs: 1_000 });
          try {
            const { body } = await client.raw({ method: 'GET', path: '/metrics', accept: 'text/plain' });
            let text = '';
            for await (const chunk of body) text += chunk.toString();
            if (/^flotilla_leader 1$/m.test(text)) return server;
          } catch {
            // not this one
          } finally {
            client.close();
          }
        }
        await delay(50);
      }
      throw new Error('nobody leads');
    },
    client: (servers: readonly number[], more: Partial<HttpClientOptions> = {}) => {
      const client = createHttpClient({
        servers: servers.map((server) => urls[server]!),
        caCertificate: self.caCertificate,
        token: self.token,
        grid: 'main',
        userAgent: 'test',
        timeoutMs: 10_000,
        ...more,
      });
      clients.push(client);
      return client;
    },
    stop: async () => {
      for (const client of clients) client.close();
      for (const child of children) child?.kill('SIGKILL');
      await Promise.all(children.map((_, server) => ended(server)));
    },
  };

  try {
    spawnServer(0);
    await readWhenThere(join(dataOf(0), 'admin.token'));
    self.caCertificate = await readWhenThere(join(dataOf(0), 'identity', 'ca.crt'));
    self.token = (await readWhenThere(join(dataOf(0), 'admin.token'))).trim();
    await answers(0);
    for (let server = 1; server < count; server++) {
      await mkdir(dataOf(server), { recursive: true, mode: 0o700 });
      await cp(self.identityDirectory, join(dataOf(server), 'identity'), { recursive: true });
      await cp(join(dataOf(0), 'admin.token'), join(dataOf(server), 'admin.token'));
      spawnServer(server);
    }
    for (let server = 1; server < count; server++) await answers(server);
    return self;
  } catch (error) {
    await self.stop();
    throw error;
  }
}

async function readWhenThere(file: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      const text = await readFile(file, 'utf8');
      if (text !== '') return text;
    } catch (error) {
      if (tries > 300) throw error;
    }
    await delay(50);
  }
}
