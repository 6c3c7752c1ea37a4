// A TCP connection to a port of a pod, over Kubernetes' port-forward in channels: 0 is the bytes, 1 what went wrong; the first message
// of each repeats the port. 255 followed by 0 ends one direction.
import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { FlotillaError } from '../lib/errors.ts';
import { pods } from '../resources/kinds.ts';
import { pathOf } from './paths.ts';
import type { PodRef } from './pod-logs.ts';
import { bufferOf, openPodWebSocket, type PodConnection } from './pod-websocket.ts';

const channels = { data: 0, error: 1, close: 255 } as const;
const portBytes = 2;
const maxUnreadBytes = 1 << 20;
const maxMessageBytes = 1 << 16;

/** Half-open connections are kept. Destroyed with Unavailable when the pod's side refuses, or the way there breaks. */
export async function connectToPod(
  via: PodConnection,
  ref: PodRef,
  port: number,
  signal?: AbortSignal,
): Promise<Duplex> {
  const path = pathOf({ grid: via.grid, kind: pods, ...ref, subresource: 'portforward', query: { ports: port } });
  return new PodSocket(await openPodWebSocket(via, path, signal));
}

class PodSocket extends Duplex {
  readonly #webSocket: WebSocket;
  readonly #greeted = new Set<number>();
  /** The pod says no more. */
  #hasEnded = false;

  constructor(webSocket: WebSocket) {
    super({ readableHighWaterMark: maxUnreadBytes });
    this.#webSocket = webSocket;
    webSocket.on('message', (data: RawData) => this.#take(bufferOf(data)));
    webSocket.on('error', () => {}); // its close follows
    webSocket.once('close', () => {
      // What the pod said last may still be unread.
      if (this.#hasEnded) this.end();
      else this.destroy(new FlotillaError('Unavailable', 'the connection to the pod was lost', { retryable: true }));
    });
  }

  #take(message: Buffer): void {
    const [channel = -1] = message;
    if (channel === channels.close) {
      if (message[1] !== channels.data || this.#hasEnded) return;
      this.#hasEnded = true;
      this.push(null);
      return;
    }
    const isFirst = !this.#greeted.has(channel);
    this.#greeted.add(channel);
    const payload = message.subarray(isFirst ? 1 + portBytes : 1);
    if (payload.length === 0 || this.#hasEnded) return;
    if (channel === channels.error) this.destroy(new FlotillaError('Unavailable', payload.toString('utf8')));
    else if (channel === channels.data && !this.push(payload)) this.#webSocket.pause();
  }

  override _read(): void {
    this.#webSocket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) {
      done(); // nobody reads it any more
      return;
    }
    const head = Buffer.of(channels.data);
    let at = 0;
    for (; chunk.length - at > maxMessageBytes; at += maxMessageBytes) {
      this.#webSocket.send(Buffer.concat([head, chunk.subarray(at, at + maxMessageBytes)]), () => {});
    }
    this.#webSocket.send(Buffer.concat([head, chunk.subarray(at)]), (error) => done(error));
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) done();
    else this.#webSocket.send(Buffer.of(channels.close, channels.data), () => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (error) this.#webSocket.terminate();
    else this.#webSocket.close(1000);
    done(error);
  }
}
