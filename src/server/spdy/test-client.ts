// For tests: the client's side of SPDY/3, which compresses its headers as real ones do.
import type { Duplex } from 'node:stream';
import { constants, createDeflate } from 'node:zlib';
import { spdyDictionary } from './dictionary.ts';
import { encodeControl, FrameReader, frameTypes, numbers, type SpdyFrame } from './frames.ts';
import { renderHeaders } from './header-block.ts';

export class TestClient {
  readonly transport: Duplex;
  readonly frames: SpdyFrame[] = [];
  readonly #deflate = createDeflate({ dictionary: spdyDictionary, flush: constants.Z_SYNC_FLUSH });
  #waiting: (() => void)[] = [];
  isEnded = false;

  constructor(transport: Duplex) {
    this.transport = transport;
    const reader = new FrameReader();
    const wake = () => {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const one of waiting) one();
    };
    transport.on('data', (chunk: Buffer) => {
      this.frames.push(...reader.push(chunk));
      wake();
    });
    transport.on('error', () => {});
    transport.on('close', () => {
      this.isEnded = true;
      wake();
    });
  }

  /** Resolves with what `find` gives as soon as that is something. */
  async until<T>(find: (frames: readonly SpdyFrame[]) => T | undefined): Promise<T> {
    for (;;) {
      const found = find(this.frames);
      if (found !== undefined) return found;
      if (this.isEnded) throw new Error('the session ended');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  control(kind: number): Promise<SpdyFrame & { type: 'control' }> {
    return this.until((frames) =>
      frames.find((one): one is SpdyFrame & { type: 'control' } => one.type === 'control' && one.kind === kind),
    );
  }

  /** A block as the next one of this session. */
  block(headers: Readonly<Record<string, string>>): Promise<Buffer> {
    const deflate = this.#deflate;
    return new Promise((resolve) => {
      deflate.write(renderHeaders(new Map(Object.entries(headers))), () => {
        const chunks: Buffer[] = [];
        for (let chunk = deflate.read(); chunk !== null; chunk = deflate.read()) chunks.push(chunk);
        resolve(Buffer.concat(chunks));
      });
    });
  }

  async open(id: number, headers: Readonly<Record<string, string>>, flags = 0): Promise<void> {
    const head = Buffer.concat([numbers(id, 0), Buffer.alloc(2)]);
    this.transport.write(encodeControl(frameTypes.synStream, flags, head, await this.block(headers)));
  }

  received(id: number): Buffer {
    return Buffer.concat(
      this.frames.flatMap((one) => (one.type === 'data' && one.streamId === id ? [one.payload] : [])),
    );
  }

  hasEnded(id: number): boolean {
    return this.frames.some((one) => one.type === 'data' && one.streamId === id && one.isLast);
  }
}
