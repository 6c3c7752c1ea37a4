// Frames of SPDY/3, draft-mbelshe-httpbis-spdy-00 §2.2: eight bytes of head, then as many as the head says.
import { broken } from './header-block.ts';

export const frameTypes = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

/** Reasons of a RST_STREAM, §2.6.3. */
export const resetCodes = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  cancel: 5,
  internalError: 6,
} as const;

export const finFlag = 1;
const version = 3;
const headBytes = 8;
/** Data frames are handed on in pieces as they come; others are kept until they are whole. */
export const maxControlBytes = 65_536;

export type SpdyFrame =
  /** A piece of a data frame; `isLast`: the sender says no more. */
  | { readonly type: 'data'; readonly streamId: number; readonly payload: Buffer; readonly isLast: boolean }
  | { readonly type: 'control'; readonly kind: number; readonly flags: number; readonly payload: Buffer };

export function encodeControl(kind: number, flags: number, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const head = Buffer.alloc(headBytes);
  head.writeUInt16BE(0x8000 | version, 0);
  head.writeUInt16BE(kind, 2);
  head.writeUInt32BE(flags * 0x1000000 + length, 4);
  return Buffer.concat([head, ...parts]);
}

/** At most 16 MiB - 1 in one frame: who calls cuts it. */
export function encodeData(streamId: number, payload: Buffer, isLast: boolean): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + payload.byteLength);
  frame.writeUInt32BE(streamId, 0);
  frame.writeUInt32BE((isLast ? finFlag : 0) * 0x1000000 + payload.byteLength, 4);
  frame.set(payload, headBytes);
  return frame;
}

export function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => {
    bytes.writeUInt32BE(value, index * 4);
  });
  return bytes;
}

interface Head {
  readonly isControl: boolean;
  /** Kind of a control frame, else the stream. */
  readonly id: number;
  readonly flags: number;
  readonly length: number;
}

/** Cuts a byte stream into frames, wherever the chunks begin and end. Keeps less than one control frame. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  /** The data frame that is under way. */
  #data: { readonly streamId: number; readonly isLast: boolean; left: number } | undefined;

  /** Throws FlotillaError ProtocolMismatch for what is not SPDY/3, or too large. */
  *push(chunk: Buffer): Generator<SpdyFrame, void, undefined> {
    let bytes = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      if (this.#data) {
        const { streamId, isLast, left } = this.#data;
        const payload = bytes.subarray(0, left);
        const isWhole = payload.byteLength === left;
        if (!isWhole && payload.byteLength === 0) break;
        bytes = bytes.subarray(payload.byteLength);
        this.#data = isWhole ? undefined : { streamId, isLast, left: left - payload.byteLength };
        yield { type: 'data', streamId, payload, isLast: isWhole && isLast };
        continue;
      }
      if (bytes.byteLength < headBytes) break;
      const head = parseHead(bytes);
      if (!head.isControl) {
        bytes = bytes.subarray(headBytes);
        this.#data = { streamId: head.id, isLast: (head.flags & finFlag) !== 0, left: head.length };
        continue;
      }
      const end = headBytes + head.length;
      if (bytes.byteLength < end) break;
      const payload = bytes.subarray(headBytes, end);
      bytes = bytes.subarray(end);
      yield { type: 'control', kind: head.id, flags: head.flags, payload };
    }
    this.#rest = bytes;
  }
}

function parseHead(bytes: Buffer): Head {
  const first = bytes.readUInt32BE(0);
  const second = bytes.readUInt32BE(4);
  const flags = second >>> 24;
  const length = second & 0xffffff;
  const isControl = first >= 0x80000000;
  if (!isControl) return { isControl, id: first, flags, length };
  const spoken = (first >>> 16) & 0x7fff;
  if (spoken !== version) throw broken(`version ${spoken} where ${version} is spoken`);
  if (length > maxControlBytes) throw broken(`a control frame of ${length} bytes, the limit is ${maxControlBytes}`);
  return { isControl, id: first & 0xffff, flags, length };
}
