import { Duplex } from 'node:stream';
import type { SpdyHeaders } from './header-block.ts';

/** What a stream asks of its session. */
export interface StreamLink {
  sendData(payload: Buffer, isLast: boolean, done: (error?: Error | null) => void): void;
  /** Neither side says more: `isWhole` when both had ended before. */
  forget(isWhole: boolean): void;
}

/** Of one stream, before the session as a whole waits for its reader: SPDY's clients here know no windows. */
const maxUnreadBytes = 1_048_576;

/** One stream of a session. Ending it says that this side has no more; destroying it resets it. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #link: StreamLink;
  #onRead: (() => void) | undefined;
  #isRemoteEnded = false;

  constructor(id: number, headers: SpdyHeaders, link: StreamLink) {
    super({ readableHighWaterMark: maxUnreadBytes, writableHighWaterMark: 65_536 });
    this.id = id;
    this.headers = headers;
    this.#link = link;
    this.on('error', () => {}); // whoever reads it sees its close
  }

  /** What the client sent. Undefined: more may come at once; else when it resolves. */
  receive(payload: Buffer, isLast: boolean): Promise<void> | undefined {
    if (this.destroyed || this.#isRemoteEnded) return undefined;
    const isFull = payload.byteLength > 0 && !this.push(payload);
    if (isLast) {
      this.#isRemoteEnded = true;
      this.push(null);
      return undefined;
    }
    if (!isFull) return undefined;
    return new Promise((resolve) => {
      this.#onRead = resolve;
    });
  }

  override _read(): void {
    this.#wake();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#link.sendData(chunk, false, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#link.sendData(Buffer.alloc(0), true, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#wake();
    this.#link.forget(this.#isRemoteEnded && this.writableFinished);
    done(error);
  }

  #wake(): void {
    const wake = this.#onRead;
    this.#onRead = undefined;
    wake?.();
  }
}
