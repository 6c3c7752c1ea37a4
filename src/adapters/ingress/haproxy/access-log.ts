import { chmod, chown, readFile, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Logger } from '../../../lib/log.ts';
import type { AccessEntry } from '../port.ts';
import type { NamedSection } from './registry.ts';
import { anyHost } from './wish.ts';

export interface AccessNames {
  readonly sections: ReadonlyMap<string, NamedSection>;
  /** By `address:port`. */
  readonly pods: ReadonlyMap<string, string>;
}

export interface AccessLogInput {
  /** Where workers may go. */
  readonly socketDirectory: string;
  readonly onAccess: (entry: AccessEntry) => void;
  readonly log: Logger;
  readonly names: () => AccessNames;
}

export interface AccessLog {
  readonly path: string;
  /** HAProxy holds some of what comes meanwhile until somebody listens there again. */
  stop(): Promise<void>;
}

const maxMessageBytes = 65_536;

/** Listens where each worker sends its lines (RFC 6587, octet counting). */
export async function startAccessLog({ socketDirectory, onAccess, log, names }: AccessLogInput): Promise<AccessLog> {
  const path = join(socketDirectory, 'log.sock');
  await rm(path, { force: true });
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    const read = createFrameReader((message) => {
      const entry = parseAccessEntry(message, names());
      if (entry) onAccess(entry);
      else log.debug('haproxy says', { text: message });
    });
    socket.on('data', (chunk) => {
      if (!read(chunk)) socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
  server.unref();
  await admitWorkers(path);
  return {
    path,
    stop: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function admitWorkers(path: string): Promise<void> {
  await chmod(path, 0o600);
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const [, uid, gid] = /^haproxy:[^:]*:(\d+):(\d+):/m.exec(passwd) ?? /^nobody:[^:]*:(\d+):(\d+):/m.exec(passwd) ?? [];
  if (process.getuid?.() === 0 && uid !== undefined) await chown(path, Number(uid), Number(gid));
}

/** Takes what arrives; false: it is none of what is expected here. */
export function createFrameReader(onMessage: (message: string) => void): (chunk: Buffer) => boolean {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const space = rest.indexOf(0x20);
      if (space < 0) return rest.length <= 6;
      const length = Number(rest.toString('latin1', 0, space));
      if (!Number.isInteger(length) || length < 1 || length > maxMessageBytes) return false;
      const end = space + 1 + length;
      if (rest.length < end) return true;
      onMessage(rest.toString('utf8', space + 1, end));
      rest = rest.subarray(end);
    }
  };
}

/** Of a line as frame.ts has it written; undefined: another one, a server's change of health for instance. */
export function parseAccessEntry(message: string, { sections, pods }: AccessNames): AccessEntry | undefined {
  if (!message.startsWith('{')) return undefined;
  const line = parseObject(message);
  if (!line) return undefined;
  const text = (key: string) => {
    const value = line[key];
    return typeof value === 'string' && value !== '' && value !== '-' ? value : undefined;
  };
  const number = (key: string) => {
    const value = Number(line[key]);
    return Number.isFinite(value) && value >= 0 ? value : undefined;
  };
  const kind = text('kind');
  const timeMs = number('time');
  if ((kind !== 'http' && kind !== 'tcp') || timeMs === undefined) return undefined;
  const server = text('server');
  const endpoint = server === undefined || server.startsWith('<') ? undefined : server;
  const site = line.site === anyHost ? '*' : text('site');
  const optional = {
    ...texts({ host: text('host'), routeHost: site, method: text('method'), path: text('path') }),
    ...texts({ protocol: text('protocol'), tlsVersion: text('tls'), endpoint }),
    ...texts({ backend: sections.get(text('section') ?? '')?.backend, pod: pods.get(endpoint ?? '') }),
    ...numbers({ status: kind === 'http' ? number('status') : undefined, port: number('port') }),
    ...numbers({ requestMs: number('requestMs'), queueMs: number('queueMs') }),
    ...numbers({ connectMs: number('connectMs'), responseMs: number('responseMs') }),
  };
  return {
    kind,
    timeMs,
    client: text('client') ?? '',
    receivedBytes: number('received') ?? 0,
    sentBytes: number('sent') ?? 0,
    totalMs: number('totalMs') ?? 0,
    retries: Number.parseInt(String(line.retries ?? '0').replace('+', ''), 10) || 0,
    end: text('end') ?? '',
    ...optional,
  };
}

type Values<T, V> = { [K in keyof T]?: V };

function present<T extends object, V>(values: T): Values<T, V> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Values<T, V>;
}

const texts = <T extends Record<string, string | undefined>>(values: T) => present<T, string>(values);
const numbers = <T extends Record<string, number | undefined>>(values: T) => present<T, number>(values);

function parseObject(message: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(message);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
