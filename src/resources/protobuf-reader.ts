const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads the protobuf wire format. Throws RangeError when the bytes end too early or mean nothing. */
export class ProtobufReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Field number and wire type: 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes. */
  tag(): { readonly number: number; readonly wire: number } {
    const key = Number(this.#varint());
    if (key >>> 3 === 0 || key > 0xffffffff) throw new RangeError(`field number ${key >>> 3} at byte ${this.#at}`);
    return { number: key >>> 3, wire: key & 7 };
  }

  /** A signed integer (negative ones take ten bytes). Beyond 2^53 it loses precision. */
  int64(): number {
    return Number(BigInt.asIntN(64, this.#varint()));
  }

  bytes(): Uint8Array {
    const length = Number(this.#varint());
    if (length > this.#bytes.length - this.#at) {
      throw new RangeError(`${length} bytes wanted at byte ${this.#at}, ${this.#bytes.length - this.#at} left`);
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  string(): string {
    const bytes = this.bytes();
    try {
      return utf8.decode(bytes);
    } catch {
      throw new RangeError(`text before byte ${this.#at} is not UTF-8`);
    }
  }

  skip(wire: number): void {
    if (wire === 0) this.#varint();
    else if (wire === 2) this.bytes();
    else if (wire === 1 || wire === 5) this.#at += wire === 1 ? 8 : 4;
    else throw new RangeError(`wire type ${wire} at byte ${this.#at}`);
    if (this.#at > this.#bytes.length) throw new RangeError('the bytes end inside a field');
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new RangeError('the bytes end inside a number');
      this.#at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError(`a number longer than ten bytes ends at byte ${this.#at}`);
  }
}
