// Kubernetes' remote command protocol v5 over WebSocket: binary messages, the first byte is the channel; 255 followed by a
// channel number closes that channel; the Status of the command comes on channel 3 before the end.
import { PassThrough, type Readable, Writable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import { pods } from '../resources/kinds.ts';
import { ApiError, type StatusFailure } from './api-error.ts';
import type { CallOptions } from './client.ts';
import type { Connection } from './connection.ts';
import { pathOf } from './paths.ts';
import type { PodRef } from './pod-logs.ts';

export interface PodExecOptions extends CallOptions {
  readonly command: readonly string[];
  /** Default: the pod's only or first container. */
  readonly container?: string;
  readonly stdin?: boolean;
  /** A terminal: everything comes on `stdout`. */
  readonly tty?: boolean;
}

/** A command that runs in a container. */
export interface PodExec {
  /** Ending it is end of file for the command. Does nothing unless `stdin` was asked for. */
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  resize(columns: number, rows: number): void;
  /** Resolves after both outputs ended; throws ApiError (the command could not run) or FlotillaError Unavailable. */
  readonly exitCode: Promise<number>;
  /** Leaves it; the command loses its input. */
  close(): void;
}

export interface ExecConnection {
  readonly connection: Connection;
  readonly grid: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;
const subprotocol = 'v5.channel.k8s.io';
const maxMessageBytes = 32 * 1024;
/** Beyond this, writing waits: a slow container must not fill our memory. */
const maxBufferedBytes = 1 << 20;

export async function execInPod(via: ExecConnection, ref: PodRef, options: PodExecOptions): Promise<PodExec> {
  const { command, container, stdin = false, tty = false } = options;
  const query = { command, container, stdin, stdout: true, stderr: !tty, tty };
  const path = pathOf({ grid: via.grid, kind: pods, ...ref, subresource: 'exec', query });
  return sessionOver(await openWebSocket(via, path, options.signal), ref, options.signal);
}

async function openWebSocket(via: ExecConnection, path: string, signal: AbortSignal | undefined): Promise<WebSocket> {
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
    reject(new FlotillaError('Unavailable', `server ${server}: exec: ${messageOf(cause)}`, { retryable: true, cause }));
  });
  webSocket.once('open', () => resolve(webSocket));
  webSocket.once('close', () => signal?.removeEventListener('abort', onAbort));
  return promise;
}

function sessionOver(webSocket: WebSocket, ref: PodRef, signal: AbortSignal | undefined): PodExec {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const outcome = Promise.withResolvers<number>();
  outcome.promise.catch(() => {}); // whoever awaits it hears of it
  let status: unknown;

  const flow = (stream: PassThrough, data: Buffer): void => {
    if (stream.write(data)) return;
    webSocket.pause();
    stream.once('drain', () => webSocket.resume());
  };
  webSocket.on('message', (data: RawData) => {
    const message = bufferOf(data);
    const payload = message.subarray(1);
    if (message[0] === channels.stdout) flow(stdout, payload);
    else if (message[0] === channels.stderr) flow(stderr, payload);
    else if (message[0] === channels.status) status = parseStatus(payload.toString('utf8'));
    else if (message[0] === channels.close && payload[0] === channels.stdout) stdout.end();
    else if (message[0] === channels.close && payload[0] === channels.stderr) stderr.end();
  });
  webSocket.once('close', (code) => {
    stdout.end();
    stderr.end();
    try {
      if (status === undefined) {
        const words = signal?.aborted ? 'given up' : `the connection was closed (code ${code})`;
        throw new FlotillaError(
          signal?.aborted ? 'Canceled' : 'Unavailable',
          `exec in pod ${ref.namespace}/${ref.name}: ${words}`,
        );
      }
      outcome.resolve(exitCodeOf(status as StatusFailure));
    } catch (error) {
      outcome.reject(error);
    }
  });
  return {
    stdin: stdinOver(webSocket),
    stdout,
    stderr,
    resize: (columns, rows) => {
      if (webSocket.readyState !== webSocket.OPEN) return;
      const size = Buffer.from(JSON.stringify({ Width: columns, Height: rows }));
      webSocket.send(Buffer.concat([Buffer.of(channels.resize), size]));
    },
    exitCode: outcome.promise,
    close: () => webSocket.terminate(),
  };
}

function stdinOver(webSocket: WebSocket): Writable {
  const send = (data: Buffer, done: () => void): void => {
    if (webSocket.readyState === webSocket.OPEN) webSocket.send(data, () => done());
    else done(); // the command has ended: nobody reads any more
  };
  const stdin = new Writable({
    highWaterMark: maxBufferedBytes,
    write: (chunk: Buffer, _encoding, done) => {
      const parts: Buffer[] = [];
      for (let at = 0; at < chunk.length; at += maxMessageBytes) {
        parts.push(Buffer.concat([Buffer.of(channels.stdin), chunk.subarray(at, at + maxMessageBytes)]));
      }
      const next = (): void => {
        const part = parts.shift();
        if (part) send(part, next);
        else done();
      };
      next();
    },
    final: (done) => send(Buffer.of(channels.close, channels.stdin), done),
  });
  stdin.on('error', () => {}); // writing to a command that ended is no failure
  return stdin;
}

/** Throws ApiError when the command did not run to an end of its own. */
export function exitCodeOf(status: Partial<StatusFailure> & { readonly status?: string }): number {
  if (status.status === 'Success') return 0;
  if (status.reason === 'NonZeroExitCode') {
    const cause = status.details?.causes?.find((one) => one.reason === 'ExitCode');
    const code = Number(cause?.message);
    if (Number.isInteger(code)) return code;
  }
  throw new ApiError({
    ...status,
    code: status.code ?? 500,
    reason: status.reason ?? 'InternalError',
    message: status.message ?? 'the command could not run',
  });
}

function refusalOf(text: string, statusCode: number): Error {
  const status = parseStatus(text);
  if (typeof status === 'object' && status !== null && 'reason' in status) return new ApiError(status as StatusFailure);
  return new FlotillaError('Unavailable', `exec: unexpected answer ${statusCode}: ${text.trim().slice(0, 200)}`);
}

function parseStatus(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text, reason: 'InternalError', code: 500 };
  }
}

function bufferOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
