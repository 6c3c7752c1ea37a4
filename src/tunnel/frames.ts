import { FlotillaError } from '../lib/errors.ts';
import { maxFrameBytes } from './protocol.ts';

/** One message of an exec stream: Kubernetes' channel number and its payload. */
export interface Frame {
  readonly channel: number;
  readonly payload: Buffer;
}

const headerBytes = 5;

/** The bytes of one message; a payload beyond `maxFrameBytes` becomes several frames, an empty one becomes one. */
export function encodeFrame(channel: number, payload: Uint8Array): Buffer {
  const frames = Math.max(1, Math.ceil(payload.byteLength / maxFrameBytes));
  const out = Buffer.allocUnsafe(payload.byteLength + frames * headerBytes);
  let at = 0;
  for (let start = 0, frame = 0; frame < frames; frame++, start += maxFrameBytes) {
    const part = payload.subarray(start, start + maxFrameBytes);
    out.writeUInt8(channel, at);
    out.writeUInt32BE(part.byteLength, at + 1);
    out.set(part, at + headerBytes);
    at += headerBytes + part.byteLength;
  }
  return out;
}

/** Cuts a byte stream into frames, wherever the chunks begin and end. Keeps at most one frame in memory. */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** The frames that `chunk` completes. Throws ProtocolMismatch when the other side announces too large a frame. */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.byteLength;
    if (this.#bytes < this.#wanted()) return [];
    let rest = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#bytes);
    const frames: Frame[] = [];
    while (rest.byteLength >= headerBytes) {
      const end = headerBytes + payloadLength(rest);
      if (rest.byteLength < end) break;
      frames.push({ channel: rest.readUInt8(0), payload: rest.subarray(headerBytes, end) });
      rest = rest.subarray(end);
    }
    this.#chunks = rest.byteLength > 0 ? [rest] : [];
    this.#bytes = rest.byteLength;
    return frames;
  }

  /** True between two frames: a stream that ends elsewhere was cut off. */
  get isAtBoundary(): boolean {
    return this.#bytes === 0;
  }

  /** Bytes needed before a frame can be complete: joining chunks earlier would copy a large frame many times. */
  #wanted(): number {
    const first = this.#chunks[0];
    if (!first || first.byteLength < headerBytes) return headerBytes;
    return headerBytes + payloadLength(first);
  }
}

function payloadLength(bytes: Buffer): number {
  const length = bytes.readUInt32BE(1);
  if (length > maxFrameBytes) {
    throw new FlotillaError('ProtocolMismatch', `exec frame of ${length} bytes, the limit is ${maxFrameBytes}`);
  }
  return length;
}
