// The server's side of SPDY/3 (draft-mbelshe-httpbis-spdy-00) as Kubernetes' clients use it: they open streams, nobody has windows,
// settings or priorities. kubectl's exec before 1.30, and its port-forward, also inside a WebSocket.
import type { Duplex } from 'node:stream';
import { type Clock, systemClock } from '../../lib/clock.ts';
import {
  encodeControl,
  encodeData,
  FrameReader,
  finFlag,
  frameTypes,
  numbers,
  resetCodes,
  type SpdyFrame,
} from './frames.ts';
import { broken, HeaderDecoder, HeaderEncoder } from './header-block.ts';
import { SpdyStream } from './spdy-stream.ts';

export interface SpdySessionOptions {
  /** A stream that the client opened. Throwing refuses it. */
  readonly onStream: (stream: SpdyStream) => void;
  /** The session is over; an error says what the client did wrong, or what happened to the connection. */
  readonly onClose: (error: Error | undefined) => void;
  /**
   * A stream whose reader takes nothing for so long is reset when others than its own pair wait behind it: without windows the client
   * cannot even take its data back. Default: it is waited for.
   */
  readonly maxStallMs?: number;
  /** Open at the same time; more are refused. Default 2,000. */
  readonly maxStreams?: number;
  readonly clock?: Clock;
}

export interface SpdySession {
  readonly openStreams: number;
  /** Says good-bye, lets what was written leave, and closes the connection. */
  end(): void;
  destroy(): void;
}

/** Longer frames would keep other streams waiting. */
const maxDataBytes = 32_768;
const maxStreamsDefault = 2_000;
const pingEveryMs = 30_000;
/** So many pings without a sign of life: the client is gone. */
const maxSilentPings = 3;
const endGraceMs = 2_000;
/** Of one connection: its bytes and its errors. */
const streamsOfOne = 2;

/** Speaks on a connection that was upgraded, until either side ends it. */
export function serveSpdy(transport: Duplex, options: SpdySessionOptions): SpdySession {
  const session = new Session(transport, options);
  session.run();
  return session;
}

class Session implements SpdySession {
  readonly #transport: Duplex;
  readonly #options: SpdySessionOptions;
  readonly #clock: Clock;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #decoder = new HeaderDecoder();
  readonly #encoder = new HeaderEncoder();
  #lastId = 0;
  #pingId = 0;
  #silentPings = 0;
  #isReading = false;
  #isOver = false;
  #cancelPing = () => {};

  constructor(transport: Duplex, options: SpdySessionOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  run(): void {
    this.#transport.on('error', (error) => this.#finish(error));
    this.#transport.once('close', () => this.#finish());
    this.#schedulePing();
    this.#read().then(
      () => this.#finish(),
      (error) => this.#finish(error),
    );
  }

  end(): void {
    if (this.#isOver) return;
    this.#send(encodeControl(frameTypes.goAway, 0, numbers(this.#lastId, 0)));
    this.#transport.end();
    // A client that does not read must not keep the connection.
    const cancel = this.#clock.after(endGraceMs, () => this.#finish());
    this.#transport.once('close', cancel);
  }

  destroy(): void {
    this.#finish();
  }

  /** A stream whose reader does not keep up makes the client wait: the bytes stay in its connection. */
  async #read(): Promise<void> {
    const reader = new FrameReader();
    this.#isReading = true;
    for await (const chunk of this.#transport as AsyncIterable<Buffer>) {
      this.#silentPings = 0;
      for (const frame of reader.push(chunk)) {
        if (this.#isOver) return;
        this.#isReading = false;
        await this.#take(frame);
        this.#isReading = true;
      }
    }
  }

  async #take(frame: SpdyFrame): Promise<void> {
    if (frame.type === 'data') {
      const stream = this.#streams.get(frame.streamId);
      // Of a stream that was reset meanwhile; one that never was is an error.
      if (stream) return await this.#receive(stream, frame.payload, frame.isLast);
      if (frame.streamId > this.#lastId) this.#reset(frame.streamId, resetCodes.invalidStream);
      return;
    }
    const { kind, flags, payload } = frame;
    switch (kind) {
      case frameTypes.synStream:
        return await this.#open(payload, flags);
      case frameTypes.synReply:
      case frameTypes.headers:
        // Not needed, but each block is part of one compressed stream.
        need(payload, 4, 'a header frame');
        await this.#decoder.decode(payload.subarray(4));
        return;
      case frameTypes.rstStream: {
        need(payload, 8, 'RST_STREAM');
        const stream = this.#streams.get(idOf(payload));
        this.#streams.delete(idOf(payload));
        stream?.destroy(new Error('the client reset the stream'));
        return;
      }
      case frameTypes.ping:
        need(payload, 4, 'PING');
        // The client's are odd; an even one answers ours.
        if (payload.readUInt32BE(0) % 2 === 1) this.#send(encodeControl(frameTypes.ping, 0, payload.subarray(0, 4)));
        return;
    }
    // GOAWAY: its streams go on; SETTINGS and WINDOW_UPDATE change nothing; §2.2.1: unknown ones are ignored.
  }

  async #receive(stream: SpdyStream, payload: Buffer, isLast: boolean): Promise<void> {
    const room = stream.receive(payload, isLast);
    if (!room) return;
    const { maxStallMs } = this.#options;
    let cancel = () => {};
    const watch = () => {
      if (maxStallMs === undefined) return;
      cancel = this.#clock.after(maxStallMs, () => {
        if (this.#streams.size > streamsOfOne) stream.destroy(new Error('nothing of it was taken for too long'));
        else watch();
      });
    };
    watch();
    await room;
    cancel();
  }

  async #open(payload: Buffer, flags: number): Promise<void> {
    need(payload, 10, 'SYN_STREAM');
    const id = idOf(payload);
    const headers = await this.#decoder.decode(payload.subarray(10));
    if (this.#isOver) return;
    if (id % 2 === 0 || id <= this.#lastId) throw broken(`stream ${id} after stream ${this.#lastId}`);
    this.#lastId = id;
    if (this.#streams.size >= (this.#options.maxStreams ?? maxStreamsDefault)) {
      return this.#reset(id, resetCodes.refusedStream);
    }
    const stream = new SpdyStream(id, headers, {
      sendData: (data, isLast, done) => this.#sendData(id, data, isLast, done),
      forget: (isWhole) => {
        if (this.#streams.delete(id) && !isWhole) this.#reset(id, resetCodes.cancel);
      },
    });
    this.#streams.set(id, stream);
    this.#send(encodeControl(frameTypes.synReply, 0, numbers(id), this.#encoder.encode(new Map())));
    try {
      this.#options.onStream(stream);
    } catch {
      stream.destroy();
    }
    if ((flags & finFlag) !== 0) await stream.receive(Buffer.alloc(0), true);
  }

  #sendData(id: number, payload: Buffer, isLast: boolean, done: (error?: Error | null) => void): void {
    if (this.#isOver || !this.#transport.writable) {
      done(new Error('the session is over'));
      return;
    }
    let at = 0;
    for (; payload.byteLength - at > maxDataBytes; at += maxDataBytes) {
      this.#send(encodeData(id, payload.subarray(at, at + maxDataBytes), false));
    }
    // Done when it has left: a stream has at most one write under way, which is what bounds memory.
    this.#transport.write(encodeData(id, payload.subarray(at), isLast), (error) => done(error));
  }

  #reset(id: number, code: number): void {
    this.#send(encodeControl(frameTypes.rstStream, 0, numbers(id, code)));
  }

  #send(frame: Buffer): void {
    if (!this.#isOver && this.#transport.writable) this.#transport.write(frame);
  }

  /** Keeps boxes on the way awake, and notices a client that went away without a word. */
  #schedulePing(): void {
    this.#cancelPing = this.#clock.after(pingEveryMs, () => {
      if (this.#isReading) this.#silentPings += 1;
      if (this.#silentPings > maxSilentPings) return this.#finish(broken('the client has gone silent'));
      this.#pingId += 2;
      this.#send(encodeControl(frameTypes.ping, 0, numbers(this.#pingId)));
      this.#schedulePing();
    });
  }

  #finish(error?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelPing();
    this.#decoder.close();
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.destroy(error ?? new Error('the session is over'));
    this.#transport.destroy();
    this.#options.onClose(error);
  }
}

function need(payload: Buffer, bytes: number, what: string): void {
  if (payload.byteLength < bytes) throw broken(`${what} of ${payload.byteLength} bytes`);
}

function idOf(payload: Buffer): number {
  return payload.readUInt32BE(0) & 0x7fffffff;
}
