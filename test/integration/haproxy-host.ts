// A HAProxy of its own on the loopback, and instances of an application behind it that say what they were asked.
import { mkdtemp, rm } from 'node:fs/promises';
import { type Agent, createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { createHaproxy, type HaproxyOptions } from '../../src/adapters/ingress/haproxy/haproxy.ts';
import { type ProcessList, RuntimeClient } from '../../src/adapters/ingress/haproxy/runtime-client.ts';
import { masterSocket } from '../../src/adapters/ingress/haproxy/socket-directory.ts';
import type { IngressEndpoint, IngressProxy, IngressSettings } from '../../src/adapters/ingress/port.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { freePort } from './free-port.ts';

/** What an instance was asked; it answers with it. */
export interface Asked {
  readonly instance: number;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Of an instance of ours. */
  readonly asked: Asked | undefined;
}

export interface AskOptions {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly isTls?: boolean;
  /** The client's address, of the loopback. */
  readonly from?: string;
  /** Default: a connection of its own. */
  readonly agent?: Agent | undefined;
}

export interface HaproxyHost {
  readonly proxy: IngressProxy;
  readonly settings: IngressSettings;
  readonly directory: string;
  readonly client: RuntimeClient;
  instance(number: number): IngressEndpoint;
  /** A new connection each. */
  ask(host: string, options?: AskOptions): Promise<Answer>;
  processes(): Promise<ProcessList>;
  /** An agent that starts again on the same directory. */
  again(options?: Partial<HaproxyOptions>): IngressProxy;
  close(): Promise<void>;
}

const instances = 6;

export async function openHaproxy(
  options: Partial<HaproxyOptions> & { readonly settings?: Partial<IngressSettings> } = {},
): Promise<HaproxyHost> {
  const { settings: more, ...rest } = options;
  const directory = await mkdtemp(join(tmpdir(), 'fl-ingress-'));
  const servers = await Promise.all(Array.from({ length: instances }, (_, at) => startInstance(at + 1)));
  const settings: IngressSettings = {
    httpPort: await freePort(),
    httpsPort: await freePort(),
    trustedProxies: [],
    acceptsProxyProtocol: false,
    maxConnections: 2_000,
    ...more,
  };
  const make = (again: Partial<HaproxyOptions> = {}) =>
    createHaproxy({ directory, log: silentLogger, addresses: ['127.0.0.1'], spareSections: 4, ...rest, ...again });
  const proxy = make();
  const client = new RuntimeClient(masterSocket(directory));
  return {
    proxy,
    settings,
    directory,
    client,
    instance: (number) => {
      const address = servers[number - 1]?.address() as AddressInfo | undefined;
      if (!address) throw new Error(`there is no instance ${number}`);
      return { address: '127.0.0.1', port: address.port, pod: `shop/pod-${number}` };
    },
    ask: (host, asked = {}) => ask(asked.isTls ? settings.httpsPort : settings.httpPort, host, asked),
    processes: async () => {
      const list = await client.list();
      if (!list) throw new Error('no HAProxy runs');
      return list;
    },
    again: make,
    close: async () => {
      await proxy.end(0);
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function startInstance(instance: number): Promise<Server> {
  const server = createServer((request, response) => {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => {
      const asked: Asked = {
        instance,
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        bytes,
      };
      const waitMs = Number(request.headers['x-wait-ms'] ?? 0);
      const answer = () => response.writeHead(200, { 'x-powered-by': 'test' }).end(JSON.stringify(asked));
      if (waitMs > 0) setTimeout(answer, waitMs);
      else answer();
    });
  });
  server.on('upgrade', (_request, socket) => answerWebSocket(socket));
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

export function ask(
  port: number,
  host: string,
  { path = '/', method = 'GET', headers, body, isTls, from, agent }: AskOptions = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const common = {
      host: '127.0.0.1',
      port,
      path,
      method,
      agent: agent ?? false,
      headers: { ...headers, host },
      timeout: 10_000,
      ...(from === undefined ? {} : { localAddress: from }),
    };
    const made = isTls ? httpsRequest({ ...common, rejectUnauthorized: false, servername: host }) : httpRequest(common);
    made.on('error', reject);
    made.on('timeout', () => made.destroy(new Error(`no answer from ${host}${path}`)));
    made.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const asked =
          response.headers['x-powered-by'] === 'test' || text.startsWith('{"instance"') ? readAsked(text) : undefined;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, asked });
      });
    });
    made.end(body);
  });
}

function readAsked(text: string): Asked | undefined {
  try {
    return JSON.parse(text) as Asked;
  } catch {
    return undefined;
  }
}

export interface Line {
  /** What comes next; rejects when the connection ends first, or has ended. */
  send(text: string): Promise<string>;
  readonly isOpen: () => boolean;
  close(): void;
}

/** A WebSocket as far as a proxy sees one (RFC 6455 §1.3): what is sent comes back. */
export function answerWebSocket(socket: Duplex): void {
  const accept = 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n';
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${accept}\r\n`);
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
}

const webSocketHeaders = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** A WebSocket that is open. */
export async function openWebSocket(port: number, host: string): Promise<Line> {
  const line = await openConnection(port);
  const answer = await line.send(
    `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${webSocketHeaders}\r\n`,
  );
  if (!answer.startsWith('HTTP/1.1 101')) throw new Error(`no WebSocket: ${answer}`);
  return line;
}

export async function openConnection(port: number, address = '127.0.0.1'): Promise<Line> {
  const socket = connect(port, address);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', () => resolve());
    socket.once('error', reject);
  });
  socket.on('error', () => {});
  return {
    send: (text) =>
      new Promise((resolve, reject) => {
        const onClose = () => reject(new Error('the connection ended'));
        if (socket.destroyed) return onClose();
        socket.once('close', onClose);
        socket.once('data', (chunk) => {
          socket.off('close', onClose);
          resolve(chunk.toString());
        });
        socket.write(text);
      }),
    isOpen: () => !socket.destroyed && !socket.readableEnded,
    close: () => socket.destroy(),
  };
}
