// The headers of SPDY/3 (draft-mbelshe-httpbis-spdy-00 §2.6.10): a count, then names and values with their lengths, compressed with
// one zlib stream a direction for the whole session.
import { constants, createInflate, type Inflate } from 'node:zlib';
import { FlotillaError } from '../../lib/errors.ts';
import { spdyDictionary } from './dictionary.ts';

/** Lower-case names; what a stream is for. */
export type SpdyHeaders = ReadonlyMap<string, string>;

/** Kubernetes' clients send a few dozen bytes. */
export const maxHeaderBytes = 16_384;

/** zlib, with a dictionary, and which one. */
const zlibHead = Buffer.from('78bbe3c6a7c2', 'hex');
/** An empty block: the reader hands out all that came before. */
const flushBlock = Buffer.from('000000ffff', 'hex');

/** Writes blocks that are stored, not compressed: they are tiny, and nothing needs to be kept or waited for. */
export class HeaderEncoder {
  #isFirst = true;

  encode(headers: SpdyHeaders): Buffer {
    const plain = renderHeaders(headers);
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(plain.byteLength, 1);
    stored.writeUInt16LE(0xffff ^ plain.byteLength, 3);
    const head = this.#isFirst ? [zlibHead] : [];
    this.#isFirst = false;
    return Buffer.concat([...head, stored, plain, flushBlock]);
  }
}

/** Reads blocks in the order in which they came; after a failure the session cannot go on. */
export class HeaderDecoder {
  /** It stops inflating when its buffer is full and nobody reads: a small block does not become a large one in memory. */
  readonly #inflate: Inflate = createInflate({ dictionary: spdyDictionary, flush: constants.Z_SYNC_FLUSH });

  /** One at a time. Throws FlotillaError ProtocolMismatch. */
  async decode(block: Buffer): Promise<SpdyHeaders> {
    return parseHeaders(await this.#plain(block));
  }

  close(): void {
    this.#inflate.destroy();
  }

  #plain(block: Buffer): Promise<Buffer> {
    const inflate = this.#inflate;
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const take = () => {
        for (let chunk: Buffer | null = inflate.read(); chunk !== null; chunk = inflate.read()) {
          chunks.push(chunk);
          bytes += chunk.byteLength;
          if (bytes > maxHeaderBytes) return done(broken(`a header block of more than ${maxHeaderBytes} bytes`));
        }
      };
      const fail = (error: Error) => done(broken(`headers: ${error.message}`));
      const closed = () => done(broken('the session was closed'));
      const done = (error?: Error) => {
        inflate.off('readable', take);
        inflate.off('error', fail);
        inflate.off('close', closed);
        if (!error) return resolve(Buffer.concat(chunks, bytes));
        inflate.on('error', () => {});
        inflate.destroy();
        reject(error);
      };
      if (inflate.destroyed) return reject(broken('headers after a failure'));
      inflate.on('readable', take);
      inflate.on('error', fail);
      inflate.on('close', closed);
      inflate.write(block, (error) => {
        if (error) return fail(error);
        take();
        if (!inflate.destroyed) done();
      });
    });
  }
}

export function renderHeaders(headers: SpdyHeaders): Buffer {
  const parts = [uint32(headers.size)];
  for (const pair of headers) {
    for (const text of pair) {
      const bytes = Buffer.from(text, 'utf8');
      parts.push(uint32(bytes.byteLength), bytes);
    }
  }
  return Buffer.concat(parts);
}

/** Throws FlotillaError ProtocolMismatch when lengths and bytes do not agree. Of a name given twice, the last value. */
export function parseHeaders(plain: Buffer): SpdyHeaders {
  let at = 0;
  const number = (): number => {
    if (at + 4 > plain.byteLength) throw broken('a header block that is cut off');
    at += 4;
    return plain.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (length > plain.byteLength - at) throw broken('a header longer than its block');
    at += length;
    return plain.toString('utf8', at - length, at);
  };
  const headers = new Map<string, string>();
  for (let left = number(); left > 0; left--) headers.set(text().toLowerCase(), text());
  return headers;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function broken(what: string): FlotillaError {
  return new FlotillaError('ProtocolMismatch', `SPDY: ${what}`);
}
