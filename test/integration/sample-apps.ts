// Applications behind a proxy that show what an option does.
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import type { IngressEndpoint } from '../../src/adapters/ingress/port.ts';
import type { IngressSites } from './ingress-sites.ts';

export interface CheckedApp {
  readonly endpoints: readonly IngressEndpoint[];
  /** Of the health checks so far. */
  readonly paths: readonly string[];
}

/** Answers `app`, and its `count`-th health check as `answer` says. */
export async function startChecked(
  { app }: IngressSites,
  answer: (count: number, path: string) => number,
  waitMs = 0,
): Promise<CheckedApp> {
  const paths: string[] = [];
  const endpoint = await app((request, response) => {
    if (request.headers.host !== 'health-check') return void response.end('app');
    const status = answer(paths.push(request.url ?? ''), request.url ?? '');
    setTimeout(() => response.writeHead(status).end(), waitMs);
  });
  return { endpoints: [endpoint], paths };
}

export interface CrowdedApp {
  readonly endpoint: IngressEndpoint;
  /** So many requests were in it at once. */
  readonly most: () => number;
}

/** Each request stays until there are three, or for a while. */
export async function startCrowded({ app }: IngressSites): Promise<CrowdedApp> {
  const inside = new Set<() => void>();
  let most = 0;
  const endpoint = await app((_request, response) => {
    const leave = () => {
      inside.delete(leave);
      response.end();
    };
    inside.add(leave);
    most = Math.max(most, inside.size);
    if (inside.size === 3) for (const one of [...inside]) one();
    else setTimeout(leave, 400);
  });
  return { endpoint, most: () => most };
}

const preamble = '\r\n\r\n\0\r\nQUIT\n';

/** Answers HTTP with the client that the PROXY protocol (version 2) told of. */
export function tellProxied(socket: Socket): void {
  let heard = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk]);
    const text = heard.toString('latin1');
    if (!text.includes('HTTP/1.1\r\n') || !text.endsWith('\r\n\r\n')) return;
    const told = text.startsWith(preamble) ? [...heard.subarray(16, 20)].join('.') : 'none';
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${told.length}\r\nConnection: close\r\n\r\n${told}`);
  });
}

/** Listens in a thread that then stands still. */
const deafScript = `
const { parentPort } = require('node:worker_threads');
const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  parentPort.postMessage(server.address().port);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});`;

/** Longer than the kernel takes for a connection where there is room. */
const fullAfterMs = 1_000;

/** Nobody takes connections there, and there is no room for more that wait: who connects gets no answer at all. */
export async function startDeaf(): Promise<{ readonly endpoint: IngressEndpoint; end(): Promise<unknown> }> {
  const worker = new Worker(deafScript, { eval: true });
  const port = await new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject));
  const sockets: Socket[] = [];
  for (let isFull = false; !isFull; ) {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    isFull = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(false)).on('error', () => resolve(true));
      setTimeout(() => resolve(true), fullAfterMs);
    });
  }
  return {
    endpoint: { address: '127.0.0.1', port },
    end: () => {
      for (const socket of sockets) socket.destroy();
      return worker.terminate();
    },
  };
}
