import type { RawData, WebSocket } from 'ws';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import { ApiError, type StatusFailure } from './api-error.ts';
import type { Connection } from './connection.ts';

/** What a stream to a pod is opened over. */
export interface PodConnection {
  readonly connection: Connection;
  readonly grid: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

const subprotocol = 'v5.channel.k8s.io';
/** The server pings every ten seconds. */
const checkEveryMs = 15_000;
const maxSilentChecks = 3;

/** Opened and paused, so that nothing is lost before somebody listens; or rejected with what the server answered (ApiError), or Unavailable. */
export async function openPodWebSocket(
  via: PodConnection,
  path: string,
  signal: AbortSignal | undefined,
): Promise<WebSocket> {
  const { WebSocket: Socket } = await import('ws');
  const { socket, server } = await via.connection.dialHttp1();
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  const url = `wss://${new URL(server).host}${path}`;
  const webSocket = new Socket(url, subprotocol, {
    createConnection: () => socket,
    headers: via.headers,
    handshakeTimeout: via.timeoutMs,
    perMessageDeflate: false,
  });
  const onAbort = (): void => webSocket.terminate();
  signal?.addEventListener('abort', onAbort, { once: true });
  webSocket.once('unexpected-response', (_request, response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () => {
      reject(refusalOf(Buffer.concat(chunks).toString('utf8'), response.statusCode ?? 0));
      webSocket.terminate();
    });
  });
  webSocket.on('error', (cause) => {
    reject(new FlotillaError('Unavailable', `server ${server}: ${messageOf(cause)}`, { retryable: true, cause }));
  });
  webSocket.once('open', () => {
    keepAlive(webSocket);
    webSocket.pause();
    resolve(webSocket);
  });
  webSocket.once('close', () => signal?.removeEventListener('abort', onAbort));
  return promise;
}

/** A server that went away without a word is noticed. While we do not read, nothing can be heard. */
function keepAlive(webSocket: WebSocket): void {
  let silent = 0;
  const timer = setInterval(() => {
    if (!webSocket.isPaused && ++silent > maxSilentChecks) webSocket.terminate();
  }, checkEveryMs);
  timer.unref();
  const heard = (): void => {
    silent = 0;
  };
  webSocket.on('ping', heard);
  webSocket.on('message', heard);
  webSocket.once('close', () => clearInterval(timer));
}

function refusalOf(text: string, statusCode: number): Error {
  const status = parseStatus(text);
  if (typeof status === 'object' && status !== null && 'reason' in status) return new ApiError(status as StatusFailure);
  return new FlotillaError('Unavailable', `unexpected answer ${statusCode}: ${text.trim().slice(0, 200)}`);
}

export function parseStatus(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text, reason: 'InternalError', code: 500 };
  }
}

export function bufferOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
