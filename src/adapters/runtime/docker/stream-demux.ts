/**
 * Output of containers without a terminal comes multiplexed: 1 byte stream (1 stdout, 2 stderr; 3 an error of the
 * engine), 3 bytes zero, 4 bytes length big-endian, payload (Engine API, "Attach to a container").
 */
export interface StreamPart {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
  /** Where the engine began a message; absent inside of one. */
  readonly isStart?: true;
}

const headerBytes = 8;

/** Cuts the multiplexed stream wherever the chunks begin and end. Payload goes out as it comes: nothing piles up. */
export class StreamDemux {
  #header = Buffer.alloc(0);
  #stream: StreamPart['stream'] = 'stdout';
  #remainingBytes = 0;
  #isStart = false;

  push(chunk: Buffer): StreamPart[] {
    const parts: StreamPart[] = [];
    let rest = chunk;
    while (rest.byteLength > 0) {
      if (this.#remainingBytes === 0) {
        const missing = headerBytes - this.#header.byteLength;
        this.#header = Buffer.concat([this.#header, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (this.#header.byteLength < headerBytes) break;
        this.#stream = this.#header.readUInt8(0) >= 2 ? 'stderr' : 'stdout';
        this.#remainingBytes = this.#header.readUInt32BE(4);
        this.#header = Buffer.alloc(0);
        this.#isStart = true;
        continue;
      }
      const data = rest.subarray(0, this.#remainingBytes);
      this.#remainingBytes -= data.byteLength;
      rest = rest.subarray(data.byteLength);
      parts.push(this.#isStart ? { stream: this.#stream, data, isStart: true } : { stream: this.#stream, data });
      this.#isStart = false;
    }
    return parts;
  }
}
