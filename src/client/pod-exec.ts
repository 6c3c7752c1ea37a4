// Kubernetes' remote command protocol v5 over WebSocket: binary messages, the first byte is the channel; 255 followed by a
// channel number closes that channel; the Status of the command comes on channel 3 before the end.
import { PassThrough, type Readable, Writable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { FlotillaError } from '../lib/errors.ts';
import { pods } from '../resources/kinds.ts';
import { ApiError, type StatusFailure } from './api-error.ts';
import type { CallOptions } from './client.ts';
import { pathOf } from './paths.ts';
import type { PodRef } from './pod-logs.ts';
import { bufferOf, openPodWebSocket, type PodConnection, parseStatus } from './pod-websocket.ts';

export interface PodExecOptions extends PodAttachOptions {
  readonly command: readonly string[];
}

export interface PodAttachOptions extends CallOptions {
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

const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;
const maxMessageBytes = 32 * 1024;
/** Beyond this, writing waits: a slow container must not fill our memory. */
const maxBufferedBytes = 1 << 20;

export async function execInPod(via: PodConnection, ref: PodRef, options: PodExecOptions): Promise<PodExec> {
  const { command, ...streams } = options;
  return await openSession(via, ref, { ...streams, subresource: 'exec', command });
}

/** Joins the container's own process. The exit code is 0 when it ended: how it ended is in the pod's status. */
export async function attachToPod(via: PodConnection, ref: PodRef, options: PodAttachOptions): Promise<PodExec> {
  return await openSession(via, ref, { ...options, subresource: 'attach' });
}

async function openSession(
  via: PodConnection,
  ref: PodRef,
  options: PodAttachOptions & { readonly subresource: 'exec' | 'attach'; readonly command?: readonly string[] },
): Promise<PodExec> {
  const { subresource, command, container, stdin = false, tty = false, signal } = options;
  const query = { command, container, stdin, stdout: true, stderr: !tty, tty };
  const path = pathOf({ grid: via.grid, kind: pods, ...ref, subresource, query });
  return sessionOver(await openPodWebSocket(via, path, signal), ref, signal);
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
  webSocket.resume();
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
